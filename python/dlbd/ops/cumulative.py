"""Running sums and products along an axis."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import FLOAT32, FLOAT64, INT32, INT64
from dlbd.ops.promotion import cast_to
from dlbd.ops.reduce import summable
from dlbd.ops.shape import axis_of, view
from dlbd.tensor import Tensor, as_tensor

_SCAN: dict[str, int] = _cpu.SCAN
_SUM, _PROD = _SCAN["sum"], _SCAN["prod"]


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """``y[i] = x[0] + ... + x[i]`` along an axis; float32 sums carry float64, so the error does not grow.

    Args:
        x: numbers; bool and uint8 are summed as int32, integers wrap around.
        axis: where sums run; in the flattened ``x`` for None.
        dtype: what ``x`` is cast to first; its own unless given.

    Returns:
        The shape of ``x``; one dimension for ``axis=None``.

    Raises:
        ValueError: an axis does not exist.

    Example:
        >>> dlbd.ops.cumsum([[1, 2, 3], [4, 5, 6]], axis=1).numpy().tolist()
        [[1, 3, 6], [4, 9, 15]]
    """
    x, sizes = _lines("cumsum", x, axis, dtype)
    a = x.array
    y = Tensor(backend.empty(a.shape, a.dtype, a))
    backend.twin(a).scan_forward(_SUM, *sizes, a, y.array)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _cumsum_gradient(grads, sizes, x, y))
    return y


def _cumsum_gradient(grads: Gradients, sizes: tuple[int, int, int], x: Tensor, y: Tensor) -> None:
    """The same, from the end."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        backend.twin(dx).scan_forward(_SUM, *sizes, dy, dx, True, False, accumulate)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """``y[i] = x[0] * ... * x[i]`` along an axis. Arguments as :func:`cumsum`; the gradient is right at zeros too.

    Example:
        >>> dlbd.ops.cumprod([1.0, -2.0, 3.0]).numpy()
        array([ 1., -2., -6.], dtype=float32)
    """
    x, sizes = _lines("cumprod", x, axis, dtype)
    a = x.array
    y = Tensor(backend.empty(a.shape, a.dtype, a))
    backend.twin(a).scan_forward(_PROD, *sizes, a, y.array)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _cumprod_gradient(grads, sizes, x, y))
    return y


def _cumprod_gradient(grads: Gradients, sizes: tuple[int, int, int], x: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        before = backend.empty(dx.shape, dx.dtype, dx)
        backend.twin(dx).scan_forward(_PROD, *sizes, x.array, before, False, True)
        backend.twin(dx).scan_prod_backward(*sizes, x.array, before, dy, dx, accumulate)


def _lines(op: str, x: Any, axis: int | None, dtype: Any) -> tuple[Tensor, tuple[int, int, int]]:
    """The operand, and its sizes before, along and after the axis."""
    if dtype is not None and np.dtype(dtype) not in (FLOAT32, FLOAT64, INT32, INT64):
        raise TypeError(f"[{op}] dtype must be float32, float64, int32 or int64; received {np.dtype(dtype)}")
    x = summable(x) if dtype is None else cast_to(as_tensor(x), np.dtype(dtype))
    if axis is None:
        x, axis = view(x, x.array.reshape(-1)), 0
    shape = x.array.shape
    axis = axis_of(op, axis, len(shape), shape)
    return x, (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
