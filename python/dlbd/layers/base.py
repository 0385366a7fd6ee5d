"""Layer: a layer checks its input and calls one operation; models, too, are layers."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from dlbd import backend, ops
from dlbd.layers.configuration import made_from, plain
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.weights import Weighted, any_losses_added
from dlbd.naming import automatic_name, snake_case
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import KerasTensor, Node, has_symbols, infer
from dlbd.tensor import Tensor, Variable, as_tensor

Shape = tuple[int | None, ...]

_NUMBERS = (bool, int, float, np.number, np.bool_)
_STARRED = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


# (layer, *arguments of its call) -> what the call gives.
RunLayer = Callable[..., Any]


class _Context(threading.local):
    training = False  # of the enclosing call: what a layer gets that was not told
    depth = 0  # how many calls of layers are running
    run: RunLayer | None = None


_context = _Context()


@contextmanager
def calls_run_by(run: RunLayer) -> Iterator[None]:
    """While this runs, ``run(layer, *args, **kwargs)`` stands for ``layer.call(*args, **kwargs)`` on this thread."""
    before, _context.run = _context.run, run
    try:
        yield
    finally:
        _context.run = before


# Options of a call that leave the output's shape to the input's.
_WITHOUT_EFFECT_ON_SHAPES = frozenset(("training", "mask", "initial_state"))


class Layer(Weighted):
    """The base of all layers.

    A subclass creates its weights in ``build(input_shape)`` with :meth:`add_weight` and computes in
    ``call(inputs)``, which may also take ``training`` and ``mask``. Variables and layers assigned to attributes (also
    inside lists and dicts) belong to the layer.

    Called with arrays or tensors it converts floats to its dtype, builds itself for their shapes the first time, and
    names itself in the errors of ``call``.

    Args:
        name: unique name for errors, ``summary`` and ``get_layer``; made from the class name by default.
        trainable: whether training changes the weights. Read at every step; may be set at any time.
        dtype: of weights and computation: that of :func:`dlbd.config.floatx` by default, "float32"; "float64" runs on
            the generic kernels.
        input_shape: shape of one sample, for the first layer of a Sequential model.
        batch_shape: the same with the batch size in front.
        kwargs: ``<weight>_regularizer`` (see :mod:`dlbd.regularizers`) and ``<weight>_constraint`` (see
            :mod:`dlbd.constraints`) of the weights in ``regularizable``, such as ``kernel_regularizer``, and
            ``activity_regularizer`` of the outputs, divided by the batch size; None by default.

    Raises:
        TypeError: an argument is unknown, or ``dtype`` is neither float32 nor float64.

    Example:
        >>> class Scale(dlbd.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
        ...     def call(self, inputs):
        ...         return inputs * self.factor
        >>> layer = Scale(name="scale")
        >>> layer([[1.0, 2.0]]).numpy().tolist(), [w.path for w in layer.weights]
        ([[1.0, 2.0]], ['scale/factor'])
    """

    # Freezing and thawing is told from what it does: a model that is frozen and thawed again keeps its recorded steps.
    _unrecorded = frozenset(("trainable", "_trainable"))
    supports_masking: bool = False
    _call_takes_training: ClassVar[bool] = False
    _call_takes_mask: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        call = cls.__dict__.get("call")
        if call is not None:
            parameters = inspect.signature(call).parameters
            anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
            cls._call_takes_training = "training" in parameters or anything
            cls._call_takes_mask = "mask" in parameters
        build = cls.__dict__.get("build")
        if build is not None:

            @functools.wraps(build)
            def build_once(self: Layer, *args: Any, **kwargs: Any) -> None:
                build(self, *args, **kwargs)
                self._mark_built(*args, **kwargs)

            cls.build = build_once  # type: ignore[method-assign]

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Sequence[int | None] | None = None,
        batch_shape: Sequence[int | None] | None = None,
        **kwargs: Any,
    ) -> None:
        from dlbd import config

        self.name = name if name is not None else automatic_name(snake_case(type(self).__name__))
        if not isinstance(self.name, str):
            raise TypeError(f"a layer's name is a string; received {name!r}")
        self._trainable = bool(trainable)
        self.dtype = np.dtype(dtype if dtype is not None else config.floatx())
        if self.dtype not in (backend.FLOAT32, backend.FLOAT64):
            raise TypeError(f"[{self.name}] dtype must be float32 or float64; received {self.dtype}")
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        if "input_dim" in kwargs:  # of old programs: Dense(8, input_dim=4)
            input_shape = (kwargs.pop("input_dim"),)
        if input_shape is not None:
            batch_shape = (None, *input_shape)
        self.batch_shape: Shape | None = None if batch_shape is None else tuple(batch_shape)
        self._take_weight_options(kwargs)
        self.built = False
        self.built_shape: Any = None  # what build() was given
        self.input_spec: InputSpec | None = None
        self._weights: list[Variable] = []

    def __getattr__(self, name: str) -> Any:
        if "_weights" not in self.__dict__ and not name.startswith("__"):
            raise AttributeError(f"{type(self).__name__}.__init__() must call super().__init__() before anything else")
        own = getattr(type(self), name, None)
        if isinstance(own, property) and own.fget is not None:
            return own.fget(self)  # raises again what Python hides: an AttributeError of the property's own
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # What a subclass defines

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Create the weights.

        Called once, before the first call; by hand it makes the weights without data.

        Args:
            args, kwargs: the shape of the input, batch size first, with None for an unknown size; a list of shapes
                for a layer that takes several inputs.

        Raises:
            ValueError: the layer does not take inputs of this shape.

        Example:
            >>> layer = dlbd.layers.Dense(3)
            >>> layer.build((None, 5))
            >>> [w.shape for w in layer.weights]
            [(5, 3), (3,)]
        """
        self._mark_built(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output from the inputs, which are tensors. May take ``training`` and ``mask``.

        ``training`` is False unless the caller, or the call around this one, says otherwise; ``mask`` is that of the
        input.
        """
        raise NotImplementedError(f"{type(self).__name__} must define call()")

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """Shape of the output for inputs of this shape; None stands for an unknown size.

        Example:
            >>> dlbd.layers.Dense(3).compute_output_shape((None, 5))
            (None, 3)
        """
        raise NotImplementedError(f"{type(self).__name__} must define compute_output_shape()")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The output's mask: that of the input where ``supports_masking`` is True, otherwise None."""
        return previous_mask if self.supports_masking else None

    # Calling

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        single = isinstance(inputs, Tensor)
        if not single or inputs.dtype != self.dtype:
            if has_symbols(inputs, args, kwargs):
                return self._symbolic_call(inputs, *args, **kwargs)
            if isinstance(inputs, (list, tuple)) and all(isinstance(v, _NUMBERS) for v in flatten(inputs)):
                inputs = np.asarray(inputs)  # data, not several inputs
            inputs = map_structure(self._tensor, inputs)
            single = isinstance(inputs, Tensor)
        if not self.built:
            self._build_for(map_structure(lambda t: t.shape, inputs))
        if self.input_spec is not None:
            self.input_spec.check(inputs, self)
        context = _context
        before = context.training
        training = kwargs.get("training")
        if training is None:
            training = before
        if self._call_takes_training:
            kwargs["training"] = training
        else:
            kwargs.pop("training", None)
        mask = kwargs.get("mask")
        if mask is None:
            kwargs.pop("mask", None)
            mask = inputs.mask if single else _masks(inputs)
            if mask is not None and self._call_takes_mask:
                kwargs["mask"] = mask
        elif not self._call_takes_mask:
            del kwargs["mask"]
        if context.depth == 0 and any_losses_added():
            self._forget_losses()
        context.training = bool(training)
        context.depth += 1
        try:
            run = context.run
            outputs = self.call(inputs, *args, **kwargs) if run is None else run(self, inputs, *args, **kwargs)
        except (ValueError, TypeError) as error:
            self._name_in(error, map_structure(lambda t: t.shape, inputs))
            raise
        finally:
            context.training = before
            context.depth -= 1
        if self.activity_regularizer is not None:
            for y in flatten(outputs):  # of a sample, so that its strength does not depend on the batch
                self.add_loss(self.activity_regularizer(y) / (y.shape[0] or 1 if y.shape else 1))
        if mask is not None or type(self).compute_mask is not Layer.compute_mask:
            self._carry_mask(inputs, mask, outputs)
        return outputs

    def _symbolic_call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors for the outputs; the call is noted, for a model to be made of."""
        if not self.built:
            self._build_for(map_structure(_shape_of, inputs))
        if self.input_spec is not None:
            self.input_spec.check(inputs, self)
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        outputs = self._infer_outputs(inputs, *args, **kwargs)
        self.__dict__.setdefault("_nodes", []).append(Node(self, (inputs, *args), kwargs, outputs))
        return outputs

    def _infer_outputs(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors like what the call gives: by compute_output_shape where that says it, by a trial otherwise."""
        if not args and kwargs.keys() <= _WITHOUT_EFFECT_ON_SHAPES:
            try:
                shapes = self.compute_output_shape(map_structure(_shape_of, inputs))
            except NotImplementedError:
                pass
            except (ValueError, TypeError) as error:
                self._name_in(error, map_structure(_shape_of, inputs))
                raise
            else:
                return map_shapes(lambda shape: KerasTensor(shape, self.output_dtype), shapes)
        return infer(self, (inputs, *args), kwargs)

    @property
    def output_dtype(self) -> np.dtype[Any]:
        """What the output's elements are: the layer's own dtype, unless a subclass says otherwise."""
        return self.dtype

    @property
    def input(self) -> Any:
        """The KerasTensors that the layer was first called with, to make a model from: ``Model(a.input, b.output)``.

        Raises:
            AttributeError: the layer is in no model that is made of KerasTensors, or has not been built.
        """
        node = self._first_node()
        return node.args[0]

    @property
    def output(self) -> Any:
        """The KerasTensors that the first call with KerasTensors gave; errors as for :attr:`input`.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(4), dlbd.layers.Dense(1)])
            >>> features = dlbd.Model(model.input, model.layers[0].output)
            >>> features.predict(np.ones((2, 3))).shape
            (2, 4)
        """
        return self._first_node().outputs

    def _first_node(self) -> Node:
        nodes = self.__dict__.get("_nodes")
        if not nodes:
            raise AttributeError(
                f"layer {self.name!r} has not been called with an Input, so it has no input and output of its own"
            )
        return nodes[0]  # type: ignore[no-any-return]

    def _tensor(self, x: Any) -> Tensor:
        """``x`` as a tensor; floats in the layer's dtype."""
        if isinstance(x, Tensor):
            if x.dtype.kind != "f" or x.dtype == self.dtype:
                return x
            cast = ops.cast(x, self.dtype)
            cast.mask = x.mask
            return cast
        if isinstance(x, KerasTensor):
            return x  # type: ignore[return-value]
        try:
            if isinstance(x, np.ndarray) and x.dtype.kind == "f":
                return as_tensor(x, self.dtype)
            return as_tensor(x)
        except TypeError as error:
            self._name_in(error, None)
            raise

    def _carry_mask(self, inputs: Any, mask: Any, outputs: Any) -> None:
        made = flatten(self.compute_mask(inputs, mask))
        for y, m in zip(flatten(outputs), made, strict=False):
            if isinstance(y, Tensor) and y.mask is None and m is not None:
                y.mask = as_tensor(m)

    def _name_in(self, error: Exception, shapes: Any) -> None:
        """Say in the error which layer met it, once: the innermost."""
        if getattr(error, "_names_layer", False) or not error.args:
            return
        received = "" if shapes is None else f", called with input of shape {shapes}"
        error.args = (f"layer {self.name!r} ({type(self).__name__}{received}): {error.args[0]}", *error.args[1:])
        error._names_layer = True  # type: ignore[attr-defined]

    def _build_for(self, input_shape: Any) -> None:
        try:
            self.build(input_shape)
        except (ValueError, TypeError) as error:
            self._name_in(error, input_shape)
            raise
        self._mark_built(input_shape)

    def _mark_built(self, *args: Any, **kwargs: Any) -> None:
        if not self.built:
            self.built = True
            self.built_shape = args[0] if args else next(iter(kwargs.values()), None)
            self._changed()
            if not self._trainable:
                self.trainable = False

    # Configuration

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as plain data: ``type(layer).from_config`` makes an equal, unbuilt layer.

        A subclass whose arguments are not attributes of the same names defines its own, or NotImplementedError comes.

        Example:
            >>> config = dlbd.layers.Dense(3, activation="relu").get_config()
            >>> config["units"], config["activation"]
            (3, 'relu')
        """
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype.name}
        if self.batch_shape is not None:
            config["batch_shape"] = self.batch_shape
        for parameter in inspect.signature(type(self).__init__).parameters.values():
            if parameter.name in ("self", "input_shape", "batch_shape", *config) or parameter.kind in _STARRED:
                continue
            if not hasattr(self, parameter.name):
                raise NotImplementedError(
                    f"{type(self).__name__} keeps no attribute {parameter.name!r}: it must define get_config() itself"
                )
            config[parameter.name] = plain(getattr(self, parameter.name))
        options = {key: plain(getattr(self, key)) for key in self._weight_options()}
        return config | {key: value for key, value in options.items() if value is not None}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """A new layer from what :meth:`get_config` gave."""
        return made_from(cls, config)  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in _NOT_COPIED}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


# Of the calls that a layer was part of, not of the layer.
_NOT_COPIED = frozenset(("_nodes", "_added_losses", "_chain"))


def _shape_of(x: Any) -> Any:
    return getattr(x, "shape", None)


def is_shape(value: Any) -> bool:
    """Whether it is one shape, not a nest of shapes."""
    return isinstance(value, (tuple, list)) and all(n is None or isinstance(n, (int, np.integer)) for n in value)


def map_shapes(function: Any, shapes: Any) -> Any:
    """``function`` of every shape in a nest of them."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    return type(shapes)(map_shapes(function, value) for value in shapes)


def _masks(inputs: Any) -> Any:
    leaves = flatten(inputs)
    if all(t.mask is None for t in leaves):
        return None
    return [t.mask for t in leaves] if len(leaves) > 1 or isinstance(inputs, (list, tuple)) else leaves[0].mask
