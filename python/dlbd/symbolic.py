"""KerasTensor: a shape and a dtype that stand for a tensor while a model is put together.

A layer or an operation that is called with one notes itself as a :class:`Node` and gives KerasTensors in turn; a model
is read off from them (:mod:`dlbd.models.graph`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlbd import backend
from dlbd.naming import automatic_name
from dlbd.structure import flatten, map_structure
from dlbd.tensor import Tensor

Shape = tuple[int | None, ...]


class SymbolicArgument(TypeError):
    """Something wanted the numbers of what has none."""


class Symbol:
    """What stands for something that is not known yet."""

    __slots__ = ()

    def note(self, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a function of :mod:`dlbd.ops` gives that was called with this among its arguments."""
        raise NotImplementedError


def dtype_of(dtype: Any) -> np.dtype[Any]:
    """What is declared of an input: a dtype of NumPy, or "string"."""
    return np.dtype(str) if isinstance(dtype, str) and dtype == "string" else np.dtype(dtype)


class KerasTensor(Symbol):
    """A shape and a dtype without numbers, as :func:`dlbd.Input` and layers called with one give it.

    Operators (``a + b``, ``a[:, 0]``) and the functions of :mod:`dlbd.ops` take it as they take a tensor.

    Args:
        shape: with None for an unknown size.
        dtype: "float32" by default.
        name: made up by default.

    Attributes:
        node: the call that gives it; None for one that stands alone.
        index: its place among the outputs of that call.

    Example:
        >>> x = dlbd.Input((3,))
        >>> (2 * x).shape, dlbd.ops.concatenate([x, x], axis=-1).shape
        ((None, 3), (None, 6))
    """

    node: Node | None = None
    index = 0

    def __init__(self, shape: Sequence[int | None], dtype: Any = "float32", name: str | None = None) -> None:
        self.shape: Shape = tuple(shape)
        self.dtype = dtype_of(dtype)
        self.name = name if name is not None else automatic_name("keras_tensor")

    if TYPE_CHECKING:  # dlbd.layers.operation installs them, and note()

        def __getitem__(self, key: Any) -> KerasTensor: ...
        def __add__(self, other: Any) -> KerasTensor: ...
        def __radd__(self, other: Any) -> KerasTensor: ...
        def __sub__(self, other: Any) -> KerasTensor: ...
        def __rsub__(self, other: Any) -> KerasTensor: ...
        def __mul__(self, other: Any) -> KerasTensor: ...
        def __rmul__(self, other: Any) -> KerasTensor: ...
        def __truediv__(self, other: Any) -> KerasTensor: ...
        def __matmul__(self, other: Any) -> KerasTensor: ...
        def __neg__(self) -> KerasTensor: ...

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def mask(self) -> None:
        """None: masks are found when the model runs."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise SymbolicArgument(
            f"{self.name!r} stands for a tensor of shape {self.shape} while a model is put together and has no "
            "numbers: give it to layers and to functions of dlbd.ops, not to NumPy"
        )

    def __bool__(self) -> bool:
        raise SymbolicArgument(f"{self.name!r} has no numbers yet, so it is neither true nor false")

    def __iter__(self) -> Any:
        if not self.shape or self.shape[0] is None:
            raise SymbolicArgument(f"{self.name!r} of shape {self.shape} has no known length to iterate over")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Node:
    """One call of a layer with KerasTensors among its arguments.

    Attributes:
        layer: what was called.
        args, kwargs: what with.
        outputs: the KerasTensors that it gave, in the structure of the layer's output.
    """

    def __init__(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        self.layer, self.args, self.kwargs, self.outputs = layer, args, kwargs, outputs
        for index, tensor in enumerate(flatten(outputs)):
            tensor.node, tensor.index = self, index

    @property
    def inputs(self) -> list[KerasTensor]:
        """The KerasTensors among the arguments, in order."""
        return [x for x in flatten([self.args, self.kwargs]) if isinstance(x, KerasTensor)]


def has_symbols(*values: Any) -> bool:
    """Whether there is a KerasTensor in the nest."""
    return any(isinstance(x, KerasTensor) for x in flatten(values))


def infer(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """KerasTensors like what ``function`` gives: it is run on zeros, with two sizes in place of the unknown ones."""
    error: Exception | None = None
    for sizes in ((2, 3), (24, 32)):  # the larger ones for windows that do not fit into the small
        try:
            first, second = (_run(function, args, kwargs, n) for n in sizes)
        except (ValueError, TypeError) as fault:
            error = error or fault
            continue
        others = iter(flatten(second))

        def like(t: Any) -> KerasTensor:
            pairs = zip(t.shape, next(others).shape, strict=True)  # noqa: B023
            return KerasTensor([a if a == b else None for a, b in pairs], t.dtype)

        return map_structure(like, first)
    assert error is not None
    raise error


def _run(function: Callable[..., Any], args: Any, kwargs: Any, unknown: int) -> Any:
    def zeros(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return x
        return Tensor(backend.zeros(tuple(unknown if n is None else n for n in x.shape), x.dtype))

    return function(*map_structure(zeros, args), **map_structure(zeros, kwargs))


@functools.cache  # an operation with two names stays one function
def takes_symbols(operation: Callable[..., Any], module: str) -> Callable[..., Any]:
    """``operation``, which symbols among its arguments note. ``module`` is where pickle finds it."""

    @functools.wraps(operation)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return operation(*args, **kwargs)
        except Exception:
            symbol = next((x for x in flatten([args, kwargs]) if isinstance(x, Symbol)), None)
            if symbol is None:
                raise
        return symbol.note(wrapped, args, kwargs)

    wrapped.__module__ = module
    return wrapped
