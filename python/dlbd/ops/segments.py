"""Sums, products and extremes of rows that belong together."""

from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import FLOAT64, INT32, INT64, UINT8
from dlbd.ops.compare import equal, where
from dlbd.ops.creation import arange, full
from dlbd.ops.elementwise import cast, maximum, minimum, multiply, subtract
from dlbd.ops.encoding import check_class_numbers
from dlbd.ops.indexing import getitem, take
from dlbd.ops.join import concatenate
from dlbd.ops.promotion import cast_to, constant
from dlbd.ops.reduce import max, summable
from dlbd.ops.shape import reshape
from dlbd.ops.sorting import argsort, searchsorted
from dlbd.symbolic import takes_symbols
from dlbd.tensor import Tensor, as_tensor


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """For each segment the sum of the rows of ``data`` that belong to it.

    Args:
        data: (N, ...), numbers; bool and uint8 are summed as int32.
        segment_ids: (N,), integers from 0: the segment of each row.
        num_segments: how many there are; one more than the largest of ``segment_ids`` unless given, which is read on
            the host.
        sorted: taken for Keras's sake: sorting costs nothing here.

    Returns:
        (num_segments, ...); zeros for a segment without rows. Rows are added in their order, so the bits are the same
        each time.

    Raises:
        ValueError: a segment out of range, or shapes that do not fit.
        TypeError: segments that are no integers.

    Example:
        >>> dlbd.ops.segment_sum([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0, 2, 0]).numpy().tolist()
        [[6.0, 8.0], [0.0, 0.0], [3.0, 4.0]]
    """
    x, ids, count = _segments("segment_sum", summable(data), segment_ids, num_segments)
    return added_rows(x, ids, count)


def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """For each segment the product of its rows; ones for one without rows. Arguments as :func:`segment_sum`.

    Example:
        >>> dlbd.ops.segment_prod([2, 3, 5], [0, 2, 0]).numpy().tolist()
        [10, 1, 3]
    """
    return joined_rows("prod", *_segments("segment_prod", summable(data), segment_ids, num_segments))


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """For each segment the largest values of its rows, NaN if one is; without rows -inf, or the least integer.

    Arguments as :func:`segment_sum`. Ties share the gradient.

    Example:
        >>> dlbd.ops.segment_max([2.0, 3.0, 5.0], [0, 2, 0]).numpy()
        array([  5., -inf,   3.], dtype=float32)
    """
    return joined_rows("max", *_segments("segment_max", summable(data), segment_ids, num_segments))


def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
    """For each segment the smallest values of its rows, NaN if one is; without rows inf, or the largest integer.

    Arguments as :func:`segment_sum`. Ties share the gradient.

    Example:
        >>> dlbd.ops.segment_min([2.0, 3.0, 5.0], [0, 2, 0]).numpy()
        array([ 2., inf,  3.], dtype=float32)
    """
    return joined_rows("min", *_segments("segment_min", summable(data), segment_ids, num_segments))


def _segments(op: str, x: Tensor, segment_ids: Any, num_segments: int | None) -> tuple[Tensor, Tensor, int]:
    ids = as_tensor(segment_ids)
    if ids.dtype not in (INT32, INT64, UINT8):
        raise TypeError(f"[{op}] segment_ids must be integers; received {ids.dtype}")
    if x.ndim == 0 or ids.shape != x.shape[:1]:
        raise ValueError(f"[{op}] expected data (N, ...) and segment_ids (N,); received {x.shape} and {ids.shape}")
    if num_segments is None:
        num_segments = int(max(ids)) + 1 if ids.size else 0
    return x, ids, int(num_segments)


def added_rows(x: Tensor, ids: Tensor, count: int) -> Tensor:
    """(count, ...): the rows of ``x`` (N, ...) added up by ``ids`` (N,), in their order."""
    if x.dtype.kind != "f":  # exact up to 2^53
        return cast_to(added_rows(cast_to(x, FLOAT64), ids, count), x.dtype)
    a = x.array
    shape = _cpu.EmbeddingShape(ids.size, count, prod(a.shape[1:]), backend.DTYPE[a.dtype], backend.DTYPE[ids.dtype])
    y = Tensor(backend.empty((count, *a.shape[1:]), a.dtype, a))
    backend.twin(a).embedding_backward(shape, ids.array, a, y.array, False)  # adding is the gradient of taking
    if autograd.recording():
        autograd.note((x,), (y,), lambda grads: _added_rows_gradient(grads, shape, ids, x, y))
    return y


def _added_rows_gradient(grads: Gradients, shape: Any, ids: Tensor, x: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    if dy is not None and grads.wants(x):
        dx = backend.empty(x.array.shape, dy.dtype, dy)
        backend.twin(dy).embedding_forward(shape, ids.array, dy, dx)
        grads.give(x, dx)


added_rows = takes_symbols(added_rows, __name__)
_JOIN = {"max": maximum, "min": minimum, "prod": multiply}


def joined_rows(kind: str, x: Tensor, ids: Tensor, count: int) -> Tensor:
    """(count, ...): the rows of ``x`` (N, ...) joined by ``ids`` (N,); kind: "max", "min" or "prod".

    The rows are sorted by segment. Then each is joined with the one 1, 2, 4, ... places before it, if that is of the
    same segment (Hillis and Steele: Data parallel algorithms, 1986): the last one of a segment has met all of them.
    """
    check_class_numbers(ids, count)
    empty = _identity(kind, x.dtype)
    n, later = ids.size, (1,) * (x.ndim - 1)
    if not n:
        return full((count, *x.shape[1:]), empty, x.dtype)
    order = argsort(ids)
    ids, y = take(ids, order), take(x, order, 0)
    step = 1
    while step < n:
        lower, upper = slice(None, n - step), slice(step, None)
        same = reshape(equal(getitem(ids, lower), getitem(ids, upper)), (n - step, *later))
        own = getitem(y, upper)
        y = concatenate([getitem(y, slice(None, step)), where(same, _JOIN[kind](own, getitem(y, lower)), own)])
        step *= 2
    first, last = bounds(ids, count)
    found = take(y, maximum(subtract(last, 1), 0), 0)
    return where(reshape(equal(first, last), (count, *later)), constant(empty, x.array), found)


def bounds(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Where each of ``count`` numbers begins and ends in a sorted sequence of them."""
    numbers = cast(arange(count), ids.dtype)
    return searchsorted(ids, numbers), searchsorted(ids, numbers, "right")


def _identity(kind: str, dtype: np.dtype[Any]) -> float | int:
    if kind == "prod":
        return 1
    if dtype.kind == "f":
        return -math.inf if kind == "max" else math.inf
    return int(np.iinfo(dtype).min if kind == "max" else np.iinfo(dtype).max)
