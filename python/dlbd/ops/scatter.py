"""Writing at positions: scatter, updates of elements and of parts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dlbd.backend import INT64
from dlbd.ops.compare import greater_equal, less, logical_and, where
from dlbd.ops.elementwise import add, cast, maximum, minimum, multiply, subtract
from dlbd.ops.encoding import check_class_numbers
from dlbd.ops.indexing import take
from dlbd.ops.join import pad
from dlbd.ops.reduce import all, sum, summable
from dlbd.ops.segments import added_rows, bounds, joined_rows
from dlbd.ops.shape import reshape
from dlbd.ops.sorting import argsort
from dlbd.tensor import Tensor, as_tensor


def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Tensor:
    """Zeros, with ``values`` added at ``indices``.

    Args:
        indices: integers (..., K): positions along the first K axes of the result.
        values: (..., *shape[K:]), numbers; bool and uint8 are added as int32.
        shape: of the result.

    Returns:
        ``shape``. What is named twice is added up, in order.

    Raises:
        ValueError: a position out of range, or shapes that do not fit.
        TypeError: positions that are no integers.

    Example:
        >>> dlbd.ops.scatter([[0, 1], [2, 0], [0, 1]], [1.0, 2.0, 3.0], (3, 2)).numpy().tolist()
        [[0.0, 4.0], [0.0, 0.0], [2.0, 0.0]]
    """
    sizes = tuple(int(n) for n in shape)
    position, rows, updates = _rows("scatter", indices, summable(values), sizes)
    return reshape(added_rows(updates, position, rows), sizes)


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Tensor:
    """``inputs`` with other values at ``indices``.

    Args:
        inputs: any shape.
        indices: integers (..., K): positions along the first K axes of ``inputs``.
        updates: (..., *inputs.shape[K:]), in the dtype of ``inputs``.
        reduction: None writes the updates, the last one of those for a position; "add", "max", "min" or "mul" joins
            them with what is there.

    Returns:
        The shape of ``inputs``. Gradients go to what was kept and what was written.

    Raises:
        ValueError: a position out of range, shapes that do not fit, or another reduction.
        TypeError: positions that are no integers.

    Example:
        >>> dlbd.ops.scatter_update([0.0, 0.0, 9.0], [[0], [2], [0]], [1.0, 2.0, 3.0]).numpy()
        array([3., 0., 2.], dtype=float32)
    """
    x = as_tensor(inputs)
    position, rows, new = _rows("scatter_update", indices, cast(updates, x.dtype), x.shape)
    old = reshape(x, (rows, *new.shape[1:]))
    if reduction == "add":
        y = add(old, added_rows(new, position, rows))
    elif reduction in _JOINED:
        kind, join = _JOINED[reduction]
        y = join(old, joined_rows(kind, new, position, rows))
    elif reduction is None:
        y = _overwritten(old, position, new)
    else:
        raise ValueError(
            f'[scatter_update] reduction must be None, "add", "max", "min" or "mul"; received {reduction!r}'
        )
    return reshape(y, x.shape)


_JOINED = {"max": ("max", maximum), "min": ("min", minimum), "mul": ("prod", multiply)}


def _overwritten(old: Tensor, position: Tensor, new: Tensor) -> Tensor:
    rows = old.shape[0]
    check_class_numbers(position, rows)
    if not position.size:
        return old
    order = argsort(position)
    first, last = bounds(take(position, order), rows)
    written = reshape(less(first, last), (rows, *(1,) * (old.ndim - 1)))
    return where(written, take(new, take(order, maximum(subtract(last, 1), 0)), 0), old)


def _rows(op: str, indices: Any, values: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, int, Tensor]:
    """Row numbers (N,), how many rows there are, and the values (N, ...) for them."""
    index = as_tensor(indices)
    if index.dtype.kind not in "iu":
        raise TypeError(f"[{op}] indices must be integers; received {index.dtype}")
    depth = index.shape[-1] if index.ndim else 0
    if not 1 <= depth <= len(shape) or values.shape != (*index.shape[:-1], *shape[depth:]):
        raise ValueError(f"[{op}] indices {index.shape} and values {values.shape} do not fit {shape}")
    index = reshape(cast(index, INT64), (-1, depth))
    limits = np.array(shape[:depth], np.int64)
    steps = np.array([prod(shape[i + 1 : depth]) for i in range(depth)], np.int64)
    there = all(logical_and(greater_equal(index, 0), less(index, limits)), axis=1)
    row = where(there, sum(multiply(index, steps), axis=1), -1)  # -1 is out of range for every kernel
    return row, prod(shape[:depth]), reshape(values, (index.shape[0], *shape[depth:]))


def slice_update(inputs: Any, start_indices: Sequence[int], updates: Any) -> Tensor:
    """``inputs`` with ``updates`` in the place of a part of it.

    Args:
        inputs: any shape.
        start_indices: where the part starts: one number per axis.
        updates: the part, as many axes as ``inputs``; in its dtype.

    Raises:
        ValueError: the part does not lie inside of ``inputs``, or not every axis has its number.

    Example:
        >>> dlbd.ops.slice_update([[1, 2, 3], [4, 5, 6]], (0, 1), [[0, 0]]).numpy().tolist()
        [[1, 0, 0], [4, 5, 6]]
    """
    x = as_tensor(inputs)
    new = cast(updates, x.dtype)
    starts = [int(i) for i in start_indices]
    if len(starts) != x.ndim or new.ndim != x.ndim:
        raise ValueError(f"[slice_update] one start per axis of {x.shape}; received {starts} for {new.shape}")
    ends = [start + n for start, n in zip(starts, new.shape, strict=True)]
    if any(start < 0 or end > d for start, end, d in zip(starts, ends, x.shape, strict=True)):
        raise ValueError(f"[slice_update] {new.shape} at {starts} does not lie inside of {x.shape}")
    inside = np.zeros(x.shape, np.bool_)
    inside[tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))] = True
    margins = [(start, d - end) for start, end, d in zip(starts, ends, x.shape, strict=True)]
    return where(inside, pad(new, margins), x)
