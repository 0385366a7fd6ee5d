"""Running a model on tensors without numbers, which note the operations on them as ONNX nodes."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from dlbd import backend, ops
from dlbd.backend import Array
from dlbd.export.composites import composite
from dlbd.export.graph import Body, Graph, Value
from dlbd.export.sizes import TRIALS, Size
from dlbd.layers.base import Layer, calls_run_by
from dlbd.ops import indexing
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import Symbol, SymbolicArgument
from dlbd.tensor import Tensor, Variable, as_array


class NotInOnnx(ValueError):
    """What ONNX cannot say."""


@dataclass(frozen=True)
class Spec:
    """What an operation gives: sizes, which may be open, and a dtype."""

    shape: tuple[Any, ...]
    dtype: np.dtype[Any]


class Traced(Symbol, Tensor):
    """A tensor without numbers.

    Attributes:
        trace: what notes the operations on it.
        value: the edge of the graph that stands for it.
    """

    __slots__ = ("spec", "trace", "value")

    def __init__(self, trace: Trace, value: Value, spec: Spec) -> None:
        self.trace, self.value, self.spec = trace, value, spec
        self.logits = self.mask = None
        self.logits_over_classes = False

    def note(self, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.trace.note(operation, args, kwargs)

    @property
    def array(self) -> Any:  # type: ignore[override]
        raise SymbolicArgument(
            "its call wants the numbers of a tensor, where ONNX only knows functions of dlbd.ops and layers"
        )

    @property
    def shape(self) -> tuple[Any, ...]:
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    @property
    def size(self) -> Any:
        product: Any = 1
        for n in self.shape:
            product = product * n
        return product

    def __len__(self) -> int:
        return operator.index(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __invert__(self) -> Any:
        return ops.logical_not(self)

    @property
    def T(self) -> Any:  # type: ignore[override]
        return ops.transpose(self)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<Traced shape={self.shape} dtype={self.dtype}>"


def _operator(function: Callable[..., Any], reflected: bool = False) -> Callable[..., Any]:
    def call(self: Traced, *others: Any) -> Any:
        if others and (others[0] is None or isinstance(others[0], str)):
            return NotImplemented
        return function(*others, self) if reflected else function(self, *others)

    return call


_BINARY = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide"}
_BINARY |= {"mod": "mod", "pow": "power", "matmul": "matmul"}
_BINARY |= {"and": "logical_and", "or": "logical_or", "xor": "logical_xor"}
_OTHERS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_OTHERS |= {"neg": "negative", "abs": "absolute"}
for _name, _op in (_BINARY | _OTHERS).items():
    setattr(Traced, f"__{_name}__", _operator(getattr(ops, _op)))
for _name, _op in _BINARY.items():
    setattr(Traced, f"__r{_name}__", _operator(getattr(ops, _op), reflected=True))
setattr(Traced, "__getitem__", lambda self, index: self.trace.note(indexing.getitem, (self, index), {}))  # noqa: B010


class Trace:
    """The run of one model: what it makes of its inputs becomes a graph.

    Args:
        operations: what becomes of an operation, by its name: called with the trace, the :class:`Spec` of the result
            (a list of them for several) and all its arguments by name. It gives values of the graph, as many as there
            are results, or tensors.
        layers: what stands for the ``call`` of layers of a type: called with the trace, the layer and its arguments.
        weights: of the model; constants that are weights, in any shape, have their names.
    """

    def __init__(
        self,
        operations: dict[str, Callable[..., Any]],
        layers: dict[type[Layer], Callable[..., Any]],
        weights: Sequence[Variable],
    ) -> None:
        self.graph = Graph()
        self._operations, self._layers = operations, layers
        self._names = {_address(w): w.path for w in weights}
        self._constants: dict[int, tuple[Tensor, Value]] = {}

    # Running

    @contextmanager
    def running(self) -> Iterator[None]:
        """Layers that are called on this thread run here."""
        with calls_run_by(self._run):
            yield

    def _run(self, layer: Layer, *args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(x, Traced) for x in flatten([args, kwargs])):
            return layer.call(*args, **kwargs)
        convert = next((self._layers[kind] for kind in type(layer).__mro__ if kind in self._layers), None)
        with self.graph.within(layer.name):
            return layer.call(*args, **kwargs) if convert is None else convert(self, layer, *args, **kwargs)

    def note(self, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What an operation gives for arguments with symbols among them."""
        name = operation.__name__
        if name not in self._operations:
            try:
                return composite(operation)(*args, **kwargs)
            except SymbolicArgument as error:
                raise NotInOnnx(f"[{name}] ONNX has nothing for this operation") from error
        arguments = inspect.signature(operation).bind(*args, **kwargs)
        arguments.apply_defaults()
        spec = self._outcome(operation, args, kwargs)
        made = self._operations[name](self, spec, **arguments.arguments)
        if isinstance(made, Value):
            return self.tensor(made, spec)
        if isinstance(made, list) and isinstance(made[0], Value):
            return [self.tensor(value, own) for value, own in zip(made, spec, strict=True)]
        return made

    def _outcome(self, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The shapes and dtypes that an operation gives, found by running it on zeros."""
        results = [operation(*_zeros(args, trial), **_zeros(kwargs, trial)) for trial in range(TRIALS)]
        if results[0] is None:
            return None
        if isinstance(results[0], Tensor):
            return self._spec(results)
        return [self._spec(each) for each in zip(*results, strict=True)]

    def _spec(self, tensors: Sequence[Tensor]) -> Spec:
        sizes = zip(*(t.shape for t in tensors), strict=True)
        return Spec(tuple(n[0] if len(set(n)) == 1 else self.known_size(n) for n in sizes), tensors[0].dtype)

    # Sizes

    def known_size(self, values: Sequence[int], make: Callable[[], Value] | None = None, name: str = "") -> Size:
        """The size that has these values in the trials."""
        known = self.graph.known
        if tuple(values) not in known:
            known[tuple(values)] = Size(self, values, make, name)
        size: Size = known[tuple(values)]
        if size.make is None:
            size.make = make
        return size

    def computed_size(self, op: str, a: Value, b: Value) -> Value:
        if op == "Div":  # ONNX rounds towards zero
            a = self.graph.node("Sub", a, self.graph.node("Mod", a, b))
        return self.graph.node(op, a, b)

    def vector(self, sizes: Sequence[Any]) -> Value:
        """Sizes as a vector of int64."""
        parts: list[Any] = []
        for n in sizes:
            if isinstance(n, Size) or not parts or isinstance(parts[-1], Size):
                parts.append(n if isinstance(n, Size) else [int(n)])
            else:
                parts[-1].append(int(n))
        values = [p.value() if isinstance(p, Size) else self.graph.integers(*p) for p in parts or [[]]]
        return values[0] if len(values) == 1 else self.graph.node("Concat", *values, axis=0)

    # Tensors

    def tensor(self, value: Value, spec: Spec) -> Traced:
        """A value as what layers and operations take."""
        for axis, n in enumerate(spec.shape):
            if isinstance(n, Size) and n.make is None:
                n.make = self._read_from(value, axis)
        return Traced(self, value, spec)

    def _read_from(self, value: Value, axis: int) -> Callable[[], Value]:
        def make() -> Value:
            before, order = self.graph.source(value)
            at = axis if order is None else order[axis]
            return self.graph.node("Shape", before, start=at, end=at + 1)

        return make

    def value(self, x: Any, dtype: Any = None) -> Value:
        """The edge for a tensor, an array or a number, in this dtype."""
        if isinstance(x, Traced):
            if dtype is None or x.dtype == dtype:
                return x.value
            return self.graph.pointwise("Cast", x.value, to=np.dtype(dtype))
        if isinstance(x, Size):
            scalar = self.graph.node("Squeeze", x.value(), self.graph.integers(0))
            return scalar if dtype in (None, np.int64) else self.graph.node("Cast", scalar, to=np.dtype(dtype))
        if not isinstance(x, Tensor):
            return self.graph.constant(backend.on_host(as_array(x)) if dtype is None else x, dtype)
        if dtype is not None and x.dtype != dtype:
            return self.graph.constant(numbers(x), dtype)
        if id(x) not in self._constants:
            name = self._names.get(_address(x), "")
            self._constants[id(x)] = x, self.graph.constant(numbers(x), name=name)
        return self._constants[id(x)][1]

    def reshaped(self, value: Value, before: Sequence[Any], after: Sequence[Any]) -> Value:
        """ONNX's Reshape between shapes with open sizes."""
        if tuple(before) == tuple(after):
            return value
        if value.array is not None:
            return Value(value.name, array=value.array.reshape(after))
        kept = [isinstance(n, Size) and before[i : i + 1] == (n,) for i, n in enumerate(after)]
        open_ones = [i for i, n in enumerate(after) if isinstance(n, Size) and not kept[i]]
        if 0 in after or len(open_ones) > 1:
            return self.graph.node("Reshape", value, self.vector(after), allowzero=1)
        target = [0 if kept[i] else -1 if i in open_ones else n for i, n in enumerate(after)]
        return self.graph.node("Reshape", value, self.graph.integers(*target))

    @contextmanager
    def body(self) -> Iterator[Body]:
        """A graph inside a node: what is noted meanwhile goes there."""
        made = Body()
        with self.graph.inside(made):
            yield made


def composed(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that is made of others, for :class:`Trace`; it takes the operation's arguments by name."""
    return lambda trace, spec, **arguments: function(**arguments)


def refused(reason: str) -> Callable[..., Any]:
    """An operation or a layer that ONNX cannot say, for :class:`Trace`."""

    def refuse(trace: Trace, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotInOnnx(reason)

    return refuse


def _address(x: Tensor) -> int:
    """Where its numbers lie."""
    a: Any = x.array
    return int(a.data.ptr if backend.is_device_array(a) else a.ctypes.data)


def numbers(x: Any) -> Array:
    """Those of a tensor or an array, on the host."""
    return backend.on_host(x.array) if isinstance(x, Tensor) else np.asarray(x)


def _zeros(nest: Any, trial: int) -> Any:
    """Tensors of zeros for those without numbers, and what stands for sizes in a trial."""

    def zeros(x: Any) -> Any:
        if isinstance(x, Traced):
            return Tensor(backend.zeros(tuple(_zeros(x.shape, trial)), x.dtype))
        if isinstance(x, Size):
            return x.values[trial]
        if isinstance(x, slice):
            return slice(*(zeros(part) for part in (x.start, x.stop, x.step)))
        return x

    return map_structure(zeros, nest)
