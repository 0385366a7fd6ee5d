"""Softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.ops.shape import reshape, transpose
from dlbd.tensor import Tensor, as_float


@lru_cache(maxsize=4096)
def _softmax_shape(*key: Any) -> Any:
    return _cpu.SoftmaxShape(*key)


def softmax(x: Any, axis: int | Sequence[int] = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along an axis; no finite ``x`` overflows. A NaN or +inf makes its whole row NaN.

    Along the last axis the result remembers ``x``, so that a cross-entropy of it is computed from the logits.

    Args:
        x: at least one dimension; integers are taken as float32.
        axis: the axis whose values sum to one, or several that do so together.

    Returns:
        The shape of ``x``; -inf gives 0, a row of nothing else NaN.

    Raises:
        ValueError: the axis does not exist.

    Example:
        >>> dlbd.ops.softmax([[0.0, 1.0, 1000.0], [0.0, 0.0, 1.0]]).numpy().round(4)
        array([[0.    , 0.    , 1.    ],
               [0.2119, 0.2119, 0.5761]], dtype=float32)
    """
    x = as_float(x)
    y = _softmax("softmax", x, axis, False)
    if axis in (-1, x.ndim - 1):
        y.logits, y.logits_over_classes = x, True
    return y


def log_softmax(x: Any, axis: int | Sequence[int] = -1) -> Tensor:
    """The logarithm of :func:`softmax`, computed as ``x - max - log(sum(exp(x - max)))``.

    Args, result and errors as there, except that a very small probability keeps its logarithm instead of giving -inf.

    Example:
        >>> dlbd.ops.log_softmax([0.0, 0.0, 1000.0]).numpy().round(4)
        array([-1000., -1000.,     0.], dtype=float32)
    """
    return _softmax("log_softmax", as_float(x), axis, True)


def _together(op: str, x: Tensor, axes: Sequence[int], log: bool) -> Tensor:
    """Over several axes: moved to the end and taken as one."""
    n = x.ndim
    last = [axis % n for axis in axes if -n <= axis < n]
    if not axes or len(set(last)) < len(axes):
        raise ValueError(f"[{op}] axis must be different axes of x of shape {x.shape}; received {tuple(axes)}")
    order = [*(i for i in range(n) if i not in last), *last]
    moved = transpose(x, order)
    y = _softmax(op, reshape(moved, (*moved.shape[: n - len(last)], prod(moved.shape[n - len(last) :]))), -1, log)
    return transpose(reshape(y, moved.shape), [order.index(i) for i in range(n)])


def _softmax(op: str, x: Tensor, axis: Any, log: bool) -> Tensor:
    if isinstance(axis, (tuple, list)):
        return _together(op, x, axis, log)
    sizes = x.shape
    if not sizes or not -len(sizes) <= axis < len(sizes):
        raise ValueError(f"[{op}] axis {axis} does not exist in x of shape {sizes}")
    axis %= len(sizes)
    shape = _softmax_shape(
        prod(sizes[:axis]),
        sizes[axis],
        prod(sizes[axis + 1 :]),
        backend.DTYPE[x.dtype],
        backend.path.get("softmax", "auto"),
    )
    y = Tensor(backend.empty(sizes, x.dtype, x.array))
    backend.twin(x.array).softmax_forward(shape, x.array, y.array, log)
    if autograd.recording():
        autograd.note((x,), (y,), lambda grads: _softmax_gradient(grads, shape, x, y, log))
    return y


def _softmax_gradient(grads: Gradients, shape: Any, x: Tensor, y: Tensor, log: bool) -> None:
    """dx = y (dy - sum(dy y)); for the logarithm dx = dy - exp(y) sum(dy)."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        backend.twin(dx).softmax_backward(shape, y.array, dy, dx, log, accumulate)
