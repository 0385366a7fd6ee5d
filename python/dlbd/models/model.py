"""Model: a layer with compile, fit, evaluate and predict."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape, is_shape
from dlbd.layers.input import InputLayer
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.preprocessing.host import HostInputs, prepared
from dlbd.models.adapt import adapt_inputs
from dlbd.models.graph import Graph, symbols_from_config
from dlbd.models.raw_rows import refuse_raw_rows
from dlbd.models.summary import summarize
from dlbd.models.trainer import Trainer
from dlbd.saving import serialize_keras_object
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import KerasTensor
from dlbd.tensor import Tensor


class Model(Trainer):
    """The base of models: layers between inputs and outputs, or a subclass with a ``call`` of its own.

    ``Model(inputs, outputs)`` is what lies between an :func:`dlbd.Input`, or several, and what layers made of them. A
    subclass defines its layers in ``__init__`` and uses them in ``call``.

    ``fit``, ``evaluate`` and ``predict`` record the launches of a step once per shape of batch and replay them, so
    ``call`` runs again only when something has changed: it must not read the values of tensors on the host.

    Args:
        inputs: an Input, or a list or dict of them.
        outputs: what layers gave for them, in any nest.
        name: made up from the class name by default.
        trainable: whether training changes the weights; True by default.
        kwargs: see :class:`dlbd.layers.Layer`.

    Attributes:
        optimizer: what ``compile`` was given or made.
        history: the :class:`dlbd.callbacks.History` of the last ``fit``.
        stop_training: set to True by a callback, it ends ``fit``.

    Raises:
        TypeError: the inputs or outputs are no KerasTensors.
        ValueError: the outputs depend on an Input that is not among the inputs, or two layers have the same name.

    Example:
        >>> image, place = dlbd.Input((8, 8, 1), name="image"), dlbd.Input((2,), name="place")
        >>> seen = dlbd.layers.Flatten()(dlbd.layers.Conv2D(4, 3, activation="relu")(image))
        >>> both = dlbd.ops.concatenate([seen, place], axis=-1)
        >>> model = dlbd.Model([image, place], dlbd.layers.Dense(1)(both))
        >>> model.predict({"image": np.ones((3, 8, 8)), "place": np.ones((3, 2))}).shape
        (3, 1)
        >>> class Net(dlbd.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = dlbd.layers.Dense(4, activation="relu")
        ...         self.top = dlbd.layers.Dense(1)
        ...     def call(self, inputs):
        ...         return self.top(self.hidden(inputs))
        >>> model = Net()
        >>> model.compile(optimizer="adam", loss="mse")
        >>> history = model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=2, verbose=0)
        >>> model.predict(np.ones((2, 3))).shape, len(history.history["loss"])
        ((2, 1), 2)
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, **kwargs: Any) -> None:
        if (inputs is None) != (outputs is None):
            raise TypeError("Model takes both inputs and outputs, or neither of them in a subclass with a call()")
        super().__init__(**kwargs)
        self._graph = None if inputs is None else Graph(inputs, outputs)
        if self._graph is not None:
            floats = [layer.dtype for layer in self._graph.layers if not isinstance(layer, InputLayer)]
            if floats:
                self.dtype = floats[0]
            self.built = True

    # The layers between inputs and outputs

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """The outputs; a subclass without ``Model(inputs, outputs)`` defines its own."""
        if self._graph is None:
            raise NotImplementedError(f"{type(self).__name__} must define call()")
        tensors = self._graph.arrange(inputs, self.name)
        for tensor, one in zip(tensors, flatten(mask) if mask is not None else [], strict=False):
            if one is not None:
                tensor.mask = one
        fitting = [_as_declared(t, layer) for t, layer in zip(tensors, self._graph.input_layers, strict=True)]
        return self._graph.run(fitting)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(x, (Tensor, KerasTensor)) for x in flatten(inputs)):
            refuse_raw_rows(self, inputs)
            if self._graph is not None:
                inputs = prepared(adapt_inputs(self, inputs), self.dtype)
        return super().__call__(inputs, *args, **kwargs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None  # the layers have put it on the outputs already

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._graph is None:
            return super().compute_output_shape(input_shape)
        shapes = [input_shape] if is_shape(input_shape) else _shapes_in(input_shape, self._graph)
        given = zip(shapes, self._graph.input_layers, strict=True)
        outputs = self._graph.infer([KerasTensor(shape, layer.input_dtype) for shape, layer in given])
        return map_structure(lambda x: x.shape, outputs)

    def _infer_outputs(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if self._graph is None or args:
            return super()._infer_outputs(inputs, *args, **kwargs)
        tensors = self._graph.arrange(inputs, self.name)
        for tensor, layer in zip(tensors, self._graph.input_layers, strict=True):
            InputSpec(shape=layer.batch_shape).check_shape(tensor.shape, self)
        return map_structure(lambda x: KerasTensor(x.shape, x.dtype), self._graph.infer(tensors))

    @property
    def inputs(self) -> list[KerasTensor]:
        """The KerasTensors that the model is made from, in a list; see also :attr:`input`.

        Raises:
            AttributeError: the model is a subclass with a ``call`` of its own, or not built.
        """
        graph = self._made_graph()
        return flatten(graph.symbols(graph.inputs))

    @property
    def outputs(self) -> list[KerasTensor]:
        """The KerasTensors that the model gives, in a list; errors as for :attr:`inputs`."""
        graph = self._made_graph()
        return flatten(graph.symbols(graph.outputs))

    @property
    def input(self) -> Any:
        graph = self._made_graph()
        return graph.symbols(graph.inputs)

    @property
    def output(self) -> Any:
        graph = self._made_graph()
        return graph.symbols(graph.outputs)

    def _made_graph(self) -> Graph:
        if self._graph is None:
            raise AttributeError(f"model {self.name!r} is not made of Inputs, or not built: its inputs are not known")
        return self._graph

    @property
    def input_shape(self) -> Any:
        """The shape of the input, batch size first; a nest of them for several."""
        return map_structure(lambda x: x.shape, self.input)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, batch size first; a nest of them for several."""
        return map_structure(lambda x: x.shape, self.output)

    @property
    def input_names(self) -> list[str] | None:
        """The names of the inputs, which a dict of arrays is read by; None if they are not known."""
        return None if self._graph is None else self._graph.input_names

    @property
    def output_names(self) -> list[str] | None:
        """The names of the outputs, which losses and metrics are given by; None if they are not known."""
        return None if self._graph is None else self._graph.output_names

    def get_config(self) -> dict[str, Any]:
        if self._graph is None:
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **self._graph.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if "input_layers" not in config:
            return super().from_config(config)
        inputs, outputs = symbols_from_config(config)
        return cls(inputs, outputs, name=config["name"], trainable=config.get("trainable", True))

    # Layers

    @property
    def layers(self) -> list[Layer]:
        """The layers that the model owns directly, with those of its Inputs."""
        return self.sublayers

    @property
    def sublayers(self) -> list[Layer]:
        """The layers that the model owns directly."""
        made = [] if self._graph is None else self._graph.layers
        return list({id(layer): layer for layer in (*made, *super().sublayers)}.values())

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its place.

        Raises:
            ValueError: there is none, or both or neither of the two are given.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(2, name="first"), dlbd.layers.Dense(1)])
            >>> model.get_layer("first") is model.get_layer(index=0)
            True
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer takes either name= or index=")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"the model has {len(self.layers)} layers; received index={index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"there is no layer named {name!r}; the layers are {[layer.name for layer in self.layers]}")

    def host_inputs(self) -> HostInputs | None:
        """For each input, the layers on the host that it goes into, and whether others take it, too; None for none."""
        return None if self._graph is None else self._graph.host_inputs

    def built_input_shape(self) -> Shape | None:
        """Shape of what the model takes, batch size first, as far as it is known; otherwise None."""
        if self._graph is not None:
            layers = self._graph.input_layers
            return layers[0].batch_shape if len(layers) == 1 else None
        shape = self.built_shape
        is_shape = isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape)
        return (None, *shape[1:]) if is_shape and shape else None

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their output shapes and their numbers of parameters, as Keras does, and what they cost.

        Where the layers are more than a chain, a column says which outputs each of them takes: ``layer[call][output]``.
        Where the line is long enough two more columns say how much memory the outputs of one sample take, and how many
        floating-point operations make them: two per multiply-add of matrix products and convolutions, all others are
        not counted. A layer of your own tells by a method ``flops(input_shapes, output_shapes)``.

        The totals count the optimizer's state, too, once there is some; sizes are in units of 1024 bytes.

        Args:
            line_length: characters per line; by default what the table needs, at most the terminal's width and 120.
            positions: where the columns end, as fractions of the line or in characters.
            print_fn: called with each line instead of ``print``.
            expand_nested: show the layers of models inside this one.
            show_trainable: show which layers are trained: Y or N, - without weights.
            layer_range: names (or patterns) of the first and the last layer to show.

        Raises:
            ValueError: ``positions`` or ``layer_range`` does not fit.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(2, name="top")], name="small")
            >>> model.summary()
            Model: "small"
            ┏━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━┳━━━━━━━┓
            ┃ Layer (type) ┃ Output Shape ┃ Param # ┃ Memory ┃ FLOPs ┃
            ┡━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━╇━━━━━━━┩
            │ top (Dense)  │ (None, 2)    │       8 │ 8.00 B │    12 │
            └──────────────┴──────────────┴─────────┴────────┴───────┘
             Total params: 8 (32.00 B)
             Trainable params: 8 (32.00 B)
             Non-trainable params: 0 (0.00 B)
             Outputs per sample: 8.00 B
             FLOPs per sample: 12
        """
        summarize(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # Files

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the model as one ".dlbd" file: see :func:`dlbd.saving.save_model`; load it by
        :func:`dlbd.models.load_model`.

        Example:
            >>> import os, tempfile
            >>> path = os.path.join(tempfile.mkdtemp(), "m.dlbd")
            >>> dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)], name="small").save(path)
            >>> dlbd.models.load_model(path).name
            'small'
        """
        from dlbd.saving import model_file

        model_file.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights alone: see :func:`dlbd.saving.save_weights`."""
        from dlbd.saving import model_file

        model_file.save_weights(self, filepath, overwrite)

    def load_weights(
        self, filepath: Any, skip_mismatch: bool = False, format: str | None = None, **kwargs: Any
    ) -> None:
        """Put the weights in a file, of ours, of Keras or of PyTorch, into the model: see
        :func:`dlbd.saving.load_weights`.
        """
        from dlbd.saving import model_file

        model_file.load_weights(self, filepath, skip_mismatch, format, **kwargs)

    def export(
        self, filepath: Any, format: str = "onnx", verbose: bool | None = None, input_signature: Any = None
    ) -> None:
        """Write the model, as it predicts, as an ONNX file: see :func:`dlbd.export.export_model`."""
        from dlbd.export import export_model

        export_model(self, filepath, format, verbose, input_signature)

    def to_json(self, **kwargs: Any) -> str:
        """The model without its weights, as JSON for :func:`dlbd.models.model_from_json`.

        Args:
            kwargs: passed on to ``json.dumps``.

        Example:
            >>> text = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)]).to_json()
            >>> dlbd.models.model_from_json(text).count_params()
            4
        """
        return json.dumps(serialize_keras_object(self), **kwargs)


def _as_declared(tensor: Tensor, layer: InputLayer) -> Tensor:
    """Numbers of a class or a word that came as floats, in the integers that the Input asks for."""
    if layer.input_dtype.kind in "iu" and tensor.dtype.kind == "f":
        return ops.cast(tensor, layer.input_dtype)
    return tensor


def _shapes_in(nest: Any, graph: Graph) -> list[Any]:
    if isinstance(nest, dict):
        return [nest[name] for name in (graph.inputs if isinstance(graph.inputs, dict) else graph.input_names)]
    return list(nest)
