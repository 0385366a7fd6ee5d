"""Sequential: a model that is a list of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.configuration import plain, restored
from dlbd.layers.input import InputLayer
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.preprocessing.host import HostInputs, prepared
from dlbd.models.adapt import adapt_inputs
from dlbd.models.graph import Graph
from dlbd.models.model import Model
from dlbd.models.raw_rows import refuse_raw_rows
from dlbd.structure import map_structure
from dlbd.symbolic import KerasTensor, has_symbols
from dlbd.tensor import Tensor


class Sequential(Model):
    """Layers, one after the other.

    Args:
        layers: to start with; :meth:`add` appends more. The first one may be an :func:`dlbd.Input`, or say what it
            takes by ``input_shape=``: the model is then built at once, and takes nothing else. Otherwise the first
            data builds it.
        trainable: whether training changes the weights; True by default.
        name: made up by default.

    Raises:
        TypeError: something is no layer.
        ValueError: two layers have the same name, an Input is not the first, or the layers do not fit together.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(8, activation="relu"), dlbd.layers.Dense(1)])
        >>> model.compile(optimizer="adam", loss="mse")
        >>> x = np.random.default_rng(0).random((64, 3))
        >>> history = model.fit(x, x.sum(axis=1), epochs=2, verbose=0)
        >>> model.predict(x[:5]).shape
        (5, 1)
    """

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._layers: list[Layer] = []
        self._input: InputLayer | None = None
        self._chain: list[Any] = []  # the KerasTensors before and after each layer, as far as the model is built
        self._declared = False  # an input shape that was declared binds; the data's own may differ later
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Append a layer, or an Input as the first one.

        Raises:
            TypeError: it is no layer.
            ValueError: its name is taken, it is an Input and not the first, or it does not fit to the one before.

        Example:
            >>> model = dlbd.Sequential()
            >>> model.add(dlbd.layers.Dense(4, input_shape=(3,)))
            >>> model.add(dlbd.layers.Dense(1))
            >>> model.output_shape, model.count_params()
            ((None, 1), 21)
        """
        if isinstance(layer, KerasTensor):
            layer = InputLayer(batch_shape=layer.shape, dtype=layer.dtype, name=layer.name)
        if isinstance(layer, type) or not isinstance(layer, Layer):
            raise TypeError(f"[{self.name}] add() takes a layer; received {layer!r}")
        if isinstance(layer, InputLayer):
            if self._layers or self._input:
                raise ValueError(f"[{self.name}] an Input comes first, and once; {layer.name!r} comes later")
            self._input, self._declared = layer, True
        else:
            if any(own.name == layer.name for own in self._layers):
                raise ValueError(
                    f"[{self.name}] every layer needs a name of its own; there already is one named {layer.name!r}"
                )
            if not self._layers and self._input is None:
                shape = layer.batch_shape or (layer.built_input_shape() if isinstance(layer, Sequential) else None)
                if shape is not None:
                    self._input, self._declared = InputLayer(batch_shape=shape, dtype=self._first_dtype(layer)), True
            if not self._layers:
                self.dtype = layer.dtype
            self._layers.append(layer)
        self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Remove the last layer and return it. ValueError if there is none.

        Args:
            rebuild: accepted; the model is always built again.
        """
        if not self._layers:
            raise ValueError(f"[{self.name}] there is no layer to remove")
        layer = self._layers.pop()
        del self._chain[len(self._layers) + 1 :]
        self._rebuild()
        return layer

    @staticmethod
    def _first_dtype(layer: Layer) -> str:
        return layer.dtype.name

    def _rebuild(self) -> None:
        self.built = False
        self._changed()
        if self._input is not None and self._layers:
            self.build(self._input.batch_shape)

    def built_input_shape(self) -> Shape | None:
        """Shape of what the model takes, batch size first; None before it is known."""
        return None if self._input is None else self._input.batch_shape

    def host_inputs(self) -> HostInputs | None:
        first = self._layers[0] if self._layers else None
        return getattr(first, "host_inputs", lambda: None)()

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return list(self._layers)

    @property
    def sublayers(self) -> list[Layer]:
        return self.layers

    def build(self, input_shape: Any = None) -> None:
        """Create all weights.

        Args:
            input_shape: shape of the input, batch size (or None) first.

        Raises:
            ValueError: there is no shape or no layer, or a layer does not take what the one before gives.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(2)])
            >>> model.build((None, 3))
            >>> model.count_params()
            8
        """
        if input_shape is None or not self._layers:
            raise ValueError(
                f"[{self.name}] build() needs an input shape and at least one layer; received {input_shape}"
            )
        shape: Any = tuple(input_shape)
        if self._input is None:
            # the sizes of this data, but any batch size
            self._input = InputLayer(batch_shape=(None, *shape[1:]), dtype=self._first_dtype(self._layers[0]))
        self.input_spec = InputSpec(shape=self._input.batch_shape) if self._declared else None
        self._extend_chain()

    def _extend_chain(self) -> None:
        """Call the layers that are new with KerasTensors, which builds them."""
        assert self._input is not None
        if not self._chain:
            self._chain = [self._input.output]
        for layer in self._layers[len(self._chain) - 1 :]:
            self._chain.append(layer(self._chain[-1]))

    def _made_graph(self) -> Graph:
        if not self.built:
            raise AttributeError(f"[{self.name}] is not built: its input is not known")
        return Graph(self._chain[0], self._chain[-1])

    @property
    def output_names(self) -> list[str] | None:
        """The name of the last layer."""
        return [self._layers[-1].name] if self._layers else None

    @property
    def output_dtype(self) -> Any:
        return self._layers[-1].output_dtype if self._layers else self.dtype

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(inputs, Tensor) and not has_symbols(inputs):
            refuse_raw_rows(self, inputs)
            inputs = prepared(adapt_inputs(self, inputs), self.dtype)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        x = inputs
        if self._input is not None and self._declared and isinstance(x, Tensor):
            wanted = self._input.input_dtype
            if wanted.kind in "iu" and x.dtype.kind == "f":
                x = ops.cast(x, wanted)
        if mask is not None and isinstance(x, Tensor):
            x.mask = mask
        for layer in self._layers:
            x = layer(x, training=training)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = input_shape
        for layer in self._layers:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def input_shape(self) -> Shape:
        """Shape of the input, batch size first; ValueError before it is known."""
        shape = self.built_input_shape()
        if shape is None:
            raise ValueError(f"[{self.name}] the input shape is not known before the model is built")
        return shape

    @property
    def output_shape(self) -> Any:
        """Shape of the output, batch size first; ValueError before it is known."""
        if not self._chain:
            raise ValueError(f"[{self.name}] the output shape is not known before the model is built")
        return map_structure(lambda x: x.shape, self._chain[-1])

    def get_config(self) -> dict[str, Any]:
        declared = [plain(self._input)] if self._declared else []
        config: dict[str, Any] = {"name": self.name, "layers": declared + [plain(layer) for layer in self._layers]}
        if self.built and not self._declared:
            config["build_input_shape"] = self.built_input_shape()
        return config

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._chain = []
        if self.built:
            self._extend_chain()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        model = cls([restored(c) for c in config["layers"]], name=config["name"])
        if "build_input_shape" in config:
            model.build(config["build_input_shape"])
        return model
