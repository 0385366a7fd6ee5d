"""Sums, means, extremes and their positions along any axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL, INT32, UINT8, Array
from dlbd.ops.promotion import cast_to
from dlbd.tensor import Tensor, as_float, as_tensor

Axis = int | Sequence[int] | None


def product(sizes: Iterable[int]) -> int:
    """``math.prod``: ``prod`` is an operation here."""
    return math.prod(sizes)


_REDUCE: dict[str, int] = _cpu.REDUCE
_SUM = _REDUCE["sum"]


class Plan:
    """How axes are reduced: one pass over (outer, n, inner) for each run of neighbouring axes, the last run first."""

    __slots__ = ("count", "kept", "passes", "squeezed")
    squeezed: tuple[int, ...]
    kept: tuple[int, ...]

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
        self.squeezed = tuple(d for i, d in enumerate(shape) if i not in axes)
        self.kept = tuple(1 if i in axes else d for i, d in enumerate(shape))
        self.count = product(shape[i] for i in axes)
        # Neighbours that are treated alike are merged; an axis of size 1 changes nothing.
        runs: list[tuple[int, bool]] = []
        for i, d in enumerate(shape):
            if d == 1:
                continue
            if runs and runs[-1][1] == (i in axes):
                runs[-1] = runs[-1][0] * d, runs[-1][1]
            else:
                runs.append((d, i in axes))
        self.passes: list[tuple[int, int, int]] = []
        inner = 1
        for i in reversed(range(len(runs))):
            size, reduced = runs[i]
            if reduced:
                self.passes.append((product(d for d, _ in runs[:i]), size, inner))
            else:
                inner *= size
        if not self.passes:
            self.passes.append((product(shape), 1, 1))


@lru_cache(maxsize=4096)
def _plan(shape: tuple[int, ...], axes: tuple[int, ...]) -> Plan:
    return Plan(shape, axes)


def normalized(op: str, shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The axes counted from the front, in order; all of them for None."""
    ndim = len(shape)
    if axis is None:
        return tuple(range(ndim))
    listed = (axis,) if isinstance(axis, int) or not isinstance(axis, Sequence) else tuple(axis)
    found = set()
    for a in listed:
        i = a.__index__()
        if not -ndim <= i < ndim:
            raise ValueError(f"[{op}] axis {i} does not exist in x of shape {shape}")
        if i % ndim in found:
            raise ValueError(f"[{op}] axis {i} is given twice; received {tuple(listed)}")
        found.add(i % ndim)
    return tuple(sorted(found))


def _run(op: int, a: Array, plan: Plan, y: Array, scale: float = 1.0, accumulate: bool = False) -> None:
    """All passes; what lies between them is scratch."""
    kernel = backend.twin(a).reduce_forward
    for outer, n, inner in plan.passes[:-1]:
        between = backend.empty((outer * inner,), a.dtype, a)
        kernel(op, outer, n, inner, a, between)
        a = between
    outer, n, inner = plan.passes[-1]
    kernel(op, outer, n, inner, a, y, None, scale, accumulate)


def sum_to(grads: Gradients, x: Tensor, dy: Array, once: tuple[int, ...] | None = None) -> None:
    """Give ``x`` the gradient ``dy`` of what ``x``, as if of shape ``once``, was broadcast to."""
    shape, sizes = x.array.shape if once is None else once, dy.shape
    if shape == sizes:
        grads.give(x, dy)
        return
    padded = (1,) * (len(sizes) - len(shape)) + shape
    axes = tuple(i for i, (d, n) in enumerate(zip(padded, sizes, strict=True)) if d == 1 and n != 1)
    if not axes:
        grads.give(x, dy)
        return
    dx, accumulate = grads.into(x)
    if dx is not None:
        _run(_SUM, dy, _plan(sizes, axes), dx, 1.0, accumulate)


def _float_reduction(op: str, kind: str, x: Tensor, axis: Axis, keepdims: bool, mean: bool) -> Tensor:
    a = x.array
    axes = normalized(op, a.shape, axis)
    plan = _plan(a.shape, axes)
    if len(plan.passes) > 1 and kind != "sum":
        x, axes = _reduced_last(x, axes)
        kept = plan.kept if keepdims else plan.squeezed
        a, plan = x.array, _plan(x.array.shape, axes)
    else:
        kept = plan.kept if keepdims else plan.squeezed
    if kind in ("max", "min") and plan.count == 0 and product(kept):
        raise ValueError(f"[{op}] no elements to choose from; received x of shape {a.shape}")
    number = _REDUCE[kind]
    scale = 1.0 if not mean else 1.0 / plan.count if plan.count else float("nan")
    y = Tensor(backend.empty(kept, a.dtype, a))
    _run(number, a, plan, y.array, scale)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _reduction_gradient(grads, number, plan, scale, x, y))
    return y


def _reduction_gradient(grads: Gradients, number: int, plan: Plan, scale: float, x: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is None or dy is None:
        return
    kernel = backend.twin(dx).reduce_backward
    if number != _SUM:
        outer, n, inner = plan.passes[0]
        kernel(number, outer, n, inner, x.array, y.array, dy, dx, 1.0, accumulate)
        return
    for outer, n, inner in reversed(plan.passes[1:]):
        between = backend.empty((outer * n * inner,), dy.dtype, dy)
        kernel(number, outer, n, inner, None, None, dy, between, 1.0, False)
        dy = between
    outer, n, inner = plan.passes[0]
    kernel(number, outer, n, inner, None, None, dy, dx, scale, accumulate)


def _reduced_last(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Axes that are no neighbours are brought together at the end by a copy."""
    from dlbd.ops.shape import transpose

    ndim = x.array.ndim
    kept = tuple(i for i in range(ndim) if i not in axes)
    return transpose(x, kept + axes), tuple(range(len(kept), ndim))


def summable(x: Any) -> Tensor:
    """Bool and uint8 as int32, other dtypes as they are."""
    x = as_tensor(x)
    return cast_to(x, INT32) if x.dtype in (BOOL, UINT8) else x


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum along axes; float32 sums carry float64, so the error does not grow with the length.

    Args:
        x: numbers; bool and uint8 are summed as int32.
        axis: one axis, several, or None for all.
        keepdims: whether the axes stay, with size 1.

    Returns:
        ``x`` without the axes, in its dtype; integers wrap around, nothing sums to 0.

    Raises:
        ValueError: an axis does not exist or is given twice.

    Example:
        >>> dlbd.ops.sum([[1, 2], [3, 4]], axis=1, keepdims=True).numpy().tolist()
        [[3], [7]]
        >>> float(dlbd.ops.sum(np.full(100_000, 0.1, np.float32)))
        10000.0
    """
    return _float_reduction("sum", "sum", summable(x), axis, keepdims, False)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean along axes, float32 for integers; NaN of nothing. Arguments as :func:`sum`.

    Example:
        >>> dlbd.ops.mean([[1, 2], [3, 5]], axis=0).numpy()
        array([2. , 3.5], dtype=float32)
    """
    return _float_reduction("mean", "sum", as_float(x), axis, keepdims, True)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product along axes, 1 of nothing; dtypes and arguments as :func:`sum`. The gradient is right at zeros too.

    Example:
        >>> dlbd.ops.prod([[1, 2], [3, 4]], axis=0).numpy().tolist()
        [3, 8]
    """
    return _float_reduction("prod", "prod", summable(x), axis, keepdims, False)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest value along axes; NaN propagates. Ties share the gradient in equal parts.

    Args:
        x: any dtype, which stays.
        axis: one axis, several, or None for all.
        keepdims: whether the axes stay, with size 1.

    Raises:
        ValueError: there is nothing to choose from, or an axis does not exist.

    Example:
        >>> dlbd.ops.max([[1.0, 5.0], [np.nan, 4.0]], axis=1).numpy()
        array([ 5., nan], dtype=float32)
    """
    return _float_reduction("max", "max", as_tensor(x), axis, keepdims, False)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest value along axes; NaN propagates. Ties share the gradient in equal parts. Arguments as :func:`max`.

    Example:
        >>> dlbd.ops.min([[1.0, 5.0], [np.nan, 4.0]], axis=1).numpy()
        array([ 1., nan], dtype=float32)
    """
    return _float_reduction("min", "min", as_tensor(x), axis, keepdims, False)


amax, amin = max, min


def _truth(op: str, kind: str, x: Any, axis: Axis, keepdims: bool) -> Tensor:
    a = cast_to(as_tensor(x), BOOL).array
    plan = _plan(a.shape, normalized(op, a.shape, axis))
    y = backend.empty(plan.kept if keepdims else plan.squeezed, BOOL, a)
    if plan.count == 0:
        backend.twin(y).fill(float(op == "all"), y)
    else:
        _run(_REDUCE[kind], a, plan, y)
    return Tensor(y)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any value along axes is not zero, as bool; NaN is not zero, of nothing False. Arguments as :func:`sum`.

    Example:
        >>> dlbd.ops.any([[0, 1], [0, 0]], axis=1).numpy()
        array([ True, False])
    """
    return _truth("any", "max", x, axis, keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether no value along axes is zero, as bool; NaN is not zero, of nothing True. Arguments as :func:`sum`.

    Example:
        >>> dlbd.ops.all([[1, 0], [1, 1]], axis=0).numpy()
        array([ True, False])
    """
    return _truth("all", "min", x, axis, keepdims)


def _position(op: str, x: Any, axis: int | None, keepdims: bool) -> Tensor:
    a = as_tensor(x).array
    axes = normalized(op, a.shape, axis)
    plan = _plan(a.shape, axes)
    if plan.count == 0 and product(plan.squeezed):
        raise ValueError(f"[{op}] no elements to choose from; received x of shape {a.shape}")
    y = Tensor(backend.empty(plan.kept if keepdims else plan.squeezed, INT32, a))
    outer, n, inner = plan.passes[0]
    backend.twin(a).reduce_forward(_REDUCE[op], outer, n, inner, a, y.array)
    return y


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position (int32) of the first largest value; NaN counts as the largest.

    Args:
        x: any dtype.
        axis: where positions count; in the flattened ``x`` for None.
        keepdims: whether the axis stays, with size 1.

    Raises:
        ValueError: there is nothing to choose from, or no such axis.

    Example:
        >>> dlbd.ops.argmax([[1, 3, 3], [9, 0, 2]], axis=1).numpy().tolist()
        [1, 0]
    """
    return _position("argmax", x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position (int32) of the first smallest value; NaN counts as the smallest. Arguments as :func:`argmax`.

    Example:
        >>> int(dlbd.ops.argmin([[4, 3], [1, 1]]))
        2
    """
    return _position("argmin", x, axis, keepdims)


def _single_run(op: str, x: Tensor, axis: Axis, keepdims: bool) -> tuple[Tensor, Plan, tuple[int, ...]]:
    axes = normalized(op, x.array.shape, axis)
    plan = _plan(x.array.shape, axes)
    sizes = plan.kept if keepdims else plan.squeezed
    if len(plan.passes) > 1:
        x, axes = _reduced_last(x, axes)
        plan = _plan(x.array.shape, axes)
    return x, plan, sizes


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The variance along axes, divided by n (not n - 1), in two passes: mean first, then squared distances from it.

    Args:
        x: integers become float32.
        axis: one axis, several, or None for all.
        keepdims: whether the axes stay, with size 1.

    Returns:
        ``x`` without the axes, float; NaN of nothing.

    Example:
        >>> float(dlbd.ops.var([1, 2, 3, 4]))
        1.25
    """
    x, plan, sizes = _single_run("var", as_float(x), axis, keepdims)
    a = x.array
    y = Tensor(backend.empty(sizes, a.dtype, a))
    if plan.count == 0:
        backend.twin(a).fill(float("nan"), y.array)
        return y
    outer, n, inner = plan.passes[0]
    scale = 1.0 / plan.count
    center = backend.empty((outer * inner,), a.dtype, a)
    kernel = backend.twin(a).reduce_forward
    kernel(_SUM, outer, n, inner, a, center, None, scale)
    kernel(_REDUCE["shifted_squares"], outer, n, inner, a, y.array, center, scale)
    if autograd.recording():
        autograd.note((x,), (y,), lambda grads: _var_gradient(grads, plan, scale, x, center, y))
    return y


def _var_gradient(grads: Gradients, plan: Plan, scale: float, x: Tensor, center: Array, y: Tensor) -> None:
    """dx = dy 2 (x - mean) / n; the mean's own part is zero."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        outer, n, inner = plan.passes[0]
        number = _REDUCE["shifted_squares"]
        backend.twin(dx).reduce_backward(number, outer, n, inner, x.array, center, dy, dx, 2 * scale, accumulate)


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The square root of :func:`var`. Where all values are equal its gradient is NaN: none exists.

    Example:
        >>> float(dlbd.ops.std([1.0, 1.0, 5.0, 5.0]))
        2.0
    """
    from dlbd.ops.elementwise import sqrt

    return sqrt(var(x, axis, keepdims))


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` along axes, computed around the largest value so that nothing overflows; -inf of nothing.

    Args:
        x: integers become float32.
        axis: one axis, several, or None for all.
        keepdims: whether the axes stay, with size 1.

    Example:
        >>> round(float(dlbd.ops.logsumexp([1000.0, 1000.0])), 3)
        1000.693
    """
    x, plan, sizes = _single_run("logsumexp", as_float(x), axis, keepdims)
    a = x.array
    outer, n, inner = plan.passes[0]
    twin = backend.twin(a)
    y = Tensor(backend.empty(sizes, a.dtype, a))
    if plan.count == 0:
        twin.fill(float("-inf"), y.array)
        return y
    largest = backend.empty(sizes, a.dtype, a)
    total = backend.empty(sizes, a.dtype, a)
    twin.reduce_forward(_REDUCE["max"], outer, n, inner, a, largest)
    twin.reduce_forward(_REDUCE["shifted_exp"], outer, n, inner, a, total, largest)
    twin.unary_forward(_cpu.UNARY["log"], total, y.array)
    twin.assign(largest, y.array, True)
    if autograd.recording():
        autograd.note((x,), (y,), lambda grads: _logsumexp_gradient(grads, plan, x, y))
    return y


def _logsumexp_gradient(grads: Gradients, plan: Plan, x: Tensor, y: Tensor) -> None:
    """dx = dy softmax(x) = dy exp(x - y)."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        outer, n, inner = plan.passes[0]
        number = _REDUCE["shifted_exp"]
        backend.twin(dx).reduce_backward(number, outer, n, inner, x.array, y.array, dy, dx, 1.0, accumulate)
