"""Putting arrays together and taking them apart: concatenate, stack, split, pad, tile, repeat, roll, broadcast_to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from dlbd import autograd, backend
from dlbd.autograd import Gradients
from dlbd.ops.promotion import cast_to, wider
from dlbd.ops.reduce import sum_to
from dlbd.ops.shape import Region, Sizes, axis_of, integers, moved, region_of, reshape, strides_of, view
from dlbd.tensor import Tensor, as_tensor


def _of_one_dtype(op: str, xs: Any) -> list[Tensor]:
    tensors = [as_tensor(x) for x in xs]
    if not tensors:
        raise ValueError(f"[{op}] needs at least one array")
    dtype = wider(*(t.dtype for t in tensors))
    return [cast_to(t, dtype) for t in tensors]


def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """The arrays one after the other along an axis.

    Args:
        xs: at least one array; all sizes but that of ``axis`` must agree. They meet in the widest dtype.
        axis: where they follow each other.

    Raises:
        ValueError: no array, other sizes, or no such axis.

    Example:
        >>> dlbd.ops.concatenate([[[1, 2]], [[3, 4], [5, 6]]]).numpy().tolist()
        [[1, 2], [3, 4], [5, 6]]
        >>> dlbd.ops.concatenate([[[1], [2]], [[0.5], [0.25]]], axis=-1).numpy()
        array([[1.  , 0.5 ],
               [2.  , 0.25]], dtype=float32)
    """
    tensors = _of_one_dtype("concatenate", xs)
    first = tensors[0].array
    ndim = first.ndim
    axis = axis_of("concatenate", axis, ndim, first.shape)
    rest = first.shape[:axis] + first.shape[axis + 1 :]
    for t in tensors:
        if t.ndim != ndim or t.shape[:axis] + t.shape[axis + 1 :] != rest:
            shapes = ", ".join(str(t.shape) for t in tensors)
            raise ValueError(f"[concatenate] sizes must agree except along axis {axis}; received {shapes}")
    shape, regions = _side_by_side(rest, axis, tuple(t.array.shape[axis] for t in tensors))
    y = Tensor(backend.empty(shape, first.dtype, first))
    copy = backend.twin(first).copy
    for t, region in zip(tensors, regions, strict=True):
        copy(region.inward, t.array, y.array)
    if autograd.recording() and first.dtype.kind == "f":
        autograd.note(tensors, (y,), lambda grads: _concatenate_gradient(grads, tensors, regions, y))
    return y


@lru_cache(maxsize=1024)
def _side_by_side(rest: Sizes, axis: int, lengths: Sizes) -> tuple[Sizes, list[Region]]:
    """The shape of a concatenation and where each part lies in it."""
    shape = (*rest[:axis], sum(lengths), *rest[axis:])
    strides, whole = strides_of(shape), prod(shape)
    regions, start = [], 0
    for n in lengths:
        regions.append(region_of((*rest[:axis], n, *rest[axis:]), strides, start * strides[axis], whole))
        start += n
    return shape, regions


def _concatenate_gradient(grads: Gradients, tensors: list[Tensor], regions: list[Region], y: Tensor) -> None:
    dy = grads.of(y)
    assert dy is not None
    for t, region in zip(tensors, regions, strict=True):
        dx, accumulate = grads.into(t)
        if dx is not None:
            backend.twin(dx).copy(region.outward, dy, dx, accumulate)


def stack(x: Any, axis: int = 0) -> Tensor:
    """Arrays of one shape, joined along a new axis.

    Args:
        x: at least one array. They meet in the widest dtype.
        axis: the position of the new axis in the result.

    Raises:
        ValueError: no array, or different shapes.

    Example:
        >>> dlbd.ops.stack([[1, 2], [3, 4]], axis=1).numpy().tolist()
        [[1, 3], [2, 4]]
    """
    tensors = _of_one_dtype("stack", x)
    shape = tensors[0].shape
    for t in tensors:
        if t.shape != shape:
            shapes = ", ".join(str(t.shape) for t in tensors)
            raise ValueError(f"[stack] all shapes must be the same; received {shapes}")
    axis = axis_of("stack", axis, len(shape) + 1, shape)
    widened = (*shape[:axis], 1, *shape[axis:])
    return concatenate([view(t, t.array.reshape(widened)) for t in tensors], axis)


def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """The parts of ``x`` along an axis, copied.

    Args:
        x: at least one dimension.
        indices_or_sections: how many equal parts, or the positions where a new part begins.
        axis: the axis that is cut.

    Raises:
        ValueError: the axis does not divide into that many parts, or does not exist.

    Example:
        >>> [part.numpy().tolist() for part in dlbd.ops.split([1, 2, 3, 4], 2)]
        [[1, 2], [3, 4]]
        >>> [part.numpy().tolist() for part in dlbd.ops.split([1, 2, 3, 4], [1, 3])]
        [[1], [2, 3], [4]]
    """
    x = as_tensor(x)
    shape = x.shape
    axis = axis_of("split", axis, x.ndim, shape)
    n = shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        if sections < 1 or n % sections:
            raise ValueError(f"[split] axis {axis} of size {n} does not divide into {sections} equal parts")
        edges = [n // sections * i for i in range(sections + 1)]
    else:
        edges = [0, *(min(max(i + n if i < 0 else i, 0), n) for i in indices_or_sections), n]
    return [part_of(x, axis, begin, max(begin, end)) for begin, end in pairwise(edges)]


def part_of(x: Tensor, axis: int, begin: int, end: int) -> Tensor:
    """The slice begin:end along an axis."""
    strides = strides_of(x.shape)
    size = (*x.shape[:axis], end - begin, *x.shape[axis + 1 :])
    return moved(x, region_of(size, strides, begin * strides[axis], x.array.size), size)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """The parts of size 1 along an axis, without that axis: what :func:`stack` takes to give ``x``.

    Args:
        x: at least one dimension.
        num: how many there are, if that is to be checked.
        axis: the axis that is taken apart.

    Raises:
        ValueError: ``num`` is not the size of the axis, or there is no such axis.

    Example:
        >>> [part.numpy().tolist() for part in dlbd.ops.unstack([[1, 2], [3, 4]], axis=1)]
        [[1, 3], [2, 4]]
    """
    x = as_tensor(x)
    axis = axis_of("unstack", axis, x.ndim, x.shape)
    n = x.shape[axis]
    if num is not None and num != n:
        raise ValueError(f"[unstack] axis {axis} has size {n}; received num={num}")
    size = x.shape[:axis] + x.shape[axis + 1 :]
    strides = strides_of(x.shape)
    kept = strides[:axis] + strides[axis + 1 :]
    return [moved(x, region_of(size, kept, i * strides[axis], x.array.size), size) for i in range(n)]


def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """``x`` repeated along the axes where it has size 1, or none, to this shape. The gradient is summed over them.

    Raises:
        ValueError: another size of ``x`` differs from that of ``shape``.

    Example:
        >>> dlbd.ops.broadcast_to([[1], [2]], (2, 3)).numpy().tolist()
        [[1, 1, 1], [2, 2, 2]]
    """
    x = as_tensor(x)
    wanted = tuple(shape)
    if len(wanted) < x.ndim or any(d not in (1, n) for d, n in zip(x.shape[::-1], wanted[::-1], strict=False)):
        raise ValueError(f"[broadcast_to] {x.shape} does not broadcast to {wanted}")
    if x.shape == wanted:
        return as_tensor(x)
    padded = (1,) * (len(wanted) - x.ndim) + x.shape
    strides = tuple(s if d != 1 else 0 for d, s in zip(padded, strides_of(padded), strict=True))
    return _repeated(x, wanted, strides, wanted, padded)


def _repeated(x: Tensor, size: Sizes, strides: Sizes, shape: Sizes, once: Sizes) -> Tensor:
    """A copy in which zero strides repeat; ``once`` is the shape of ``x`` beside ``size``, 1 where it is repeated."""
    a = x.array
    y = Tensor(backend.empty(shape, a.dtype, a))
    backend.twin(a).copy(region_of(size, strides, 0, a.size).outward, a, y.array)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _repeated_gradient(grads, size, once, x, y))
    return y


def _repeated_gradient(grads: Gradients, size: Sizes, once: Sizes, x: Tensor, y: Tensor) -> None:
    """The sum over what was repeated."""
    dy = grads.of(y)
    assert dy is not None
    sum_to(grads, x, dy.reshape(size), once)


def tile(x: Any, repeats: int | Sequence[int]) -> Tensor:
    """Copies of ``x`` side by side.

    Args:
        x: any shape and dtype.
        repeats: how many along each axis; the last axes if there are fewer than ``x`` has, new first axes if more.

    Raises:
        ValueError: a count is negative.

    Example:
        >>> dlbd.ops.tile([[1, 2]], (2, 2)).numpy().tolist()
        [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    x = as_tensor(x)
    counts = integers(repeats)
    if any(r < 0 for r in counts):
        raise ValueError(f"[tile] repeats must not be negative; received {counts}")
    ndim = max(len(counts), x.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    padded = (1,) * (ndim - x.ndim) + x.shape
    size = tuple(v for r, d in zip(counts, padded, strict=True) for v in (r, d))
    once = tuple(v for d in padded for v in (1, d))
    strides = tuple(v for s in strides_of(padded) for v in (0, s))
    return _repeated(x, size, strides, tuple(r * d for r, d in zip(counts, padded, strict=True)), once)


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Each element several times in a row.

    Args:
        x: any shape and dtype.
        repeats: how often, or one count for each part along the axis.
        axis: whose parts are repeated; of the flattened ``x`` unless given.

    Raises:
        ValueError: a negative count, or as many as fit neither way.

    Example:
        >>> dlbd.ops.repeat([[1, 2], [3, 4]], 2).numpy().tolist()
        [1, 1, 2, 2, 3, 3, 4, 4]
        >>> dlbd.ops.repeat([[1, 2], [3, 4]], [1, 2], axis=0).numpy().tolist()
        [[1, 2], [3, 4], [3, 4]]
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = axis_of("repeat", axis, x.ndim, x.shape)
    if not isinstance(repeats, int):
        counts = np.asarray(repeats)
        if counts.size != 1:
            from dlbd.ops.indexing import take

            if counts.shape != (x.shape[axis],):
                raise ValueError(f"[repeat] repeats must be one number or {x.shape[axis]}; received {counts.shape}")
            return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)
        repeats = int(counts.reshape(()))
    if repeats < 0:
        raise ValueError(f"[repeat] repeats must not be negative; received {repeats}")
    shape, strides, after = x.shape, strides_of(x.shape), axis + 1
    size = (*shape[:after], repeats, *shape[after:])
    once = (*shape[:after], 1, *shape[after:])
    result = (*shape[:axis], shape[axis] * repeats, *shape[after:])
    return _repeated(x, size, (*strides[:after], 0, *strides[after:]), result, once)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None) -> Tensor:
    """``x`` with a margin.

    Args:
        x: any shape and dtype.
        pad_width: one number, one pair (before, after), or a pair per axis.
        mode: what fills the margin: "constant", one value; "edge", the outermost value; "reflect", the values mirrored
            at the outermost one; "symmetric", mirrored so that it occurs twice.
        constant_values: what "constant" fills with, 0 unless given.

    Raises:
        ValueError: a negative width, another mode, or ``constant_values`` with a mode that takes none.

    Example:
        >>> dlbd.ops.pad([1, 2, 3], (1, 2)).numpy().tolist()
        [0, 1, 2, 3, 0, 0]
        >>> dlbd.ops.pad([1, 2, 3], 2, mode="reflect").numpy().tolist()
        [3, 2, 1, 2, 3, 2, 1]
    """
    x = as_tensor(x)
    shape = x.shape
    widths = [(int(b), int(e)) for b, e in np.broadcast_to(np.asarray(pad_width, dtype=np.int64), (x.ndim, 2))]
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError(f"[pad] widths must not be negative; received {pad_width}")
    if mode != "constant":
        if constant_values is not None:
            raise ValueError(f"[pad] constant_values is for mode='constant'; received mode={mode!r}")
        return _pad_by_index(x, widths, mode)
    padded = tuple(d + b + e for d, (b, e) in zip(shape, widths, strict=True))
    a = x.array
    y = Tensor(backend.empty(padded, a.dtype, a))
    backend.twin(a).fill(float(constant_values or 0.0), y.array)
    strides = strides_of(padded)
    region = region_of(shape, strides, sum(b * s for (b, _), s in zip(widths, strides, strict=True)), y.array.size)
    if a.size:
        backend.twin(a).copy(region.inward, a, y.array)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _pad_gradient(grads, region, x, y))
    return y


def _pad_gradient(grads: Gradients, region: Region, x: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None and dy is not None and dx.size:
        backend.twin(dx).copy(region.outward, dy, dx, accumulate)


def _pad_by_index(x: Tensor, widths: list[tuple[int, int]], mode: str) -> Tensor:
    from dlbd.ops.indexing import take

    if mode not in ("edge", "reflect", "symmetric"):
        raise ValueError(f"[pad] mode must be 'constant', 'edge', 'reflect' or 'symmetric'; received {mode!r}")
    for axis, (before, after) in enumerate(widths):
        if before or after:
            order = np.pad(np.arange(x.shape[axis]), (before, after), mode=mode)  # type: ignore[call-overload]
            x = take(x, order, axis)
    return x


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """``x`` with its elements moved along axes; what leaves at one end enters at the other.

    Args:
        x: any shape and dtype.
        shift: how far, one number or one per axis; negative: towards the front.
        axis: an axis or several; the flattened ``x`` is rolled unless given.

    Raises:
        ValueError: several shifts without as many axes, or no such axis.

    Example:
        >>> dlbd.ops.roll([1, 2, 3, 4], 1).numpy().tolist()
        [4, 1, 2, 3]
        >>> dlbd.ops.roll([[1, 2, 3], [4, 5, 6]], -1, axis=1).numpy().tolist()
        [[2, 3, 1], [5, 6, 4]]
    """
    x = as_tensor(x)
    if axis is None:
        if not isinstance(shift, (int, np.integer)):
            raise ValueError("[roll] several shifts need as many axes")
        return reshape(roll(reshape(x, (-1,)), shift, 0), x.shape)
    axes = integers(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, (int, np.integer)) else tuple(shift)
    if len(shifts) != len(axes):
        raise ValueError(f"[roll] {len(shifts)} shifts for {len(axes)} axes")
    for by, along in zip(shifts, axes, strict=True):
        i = axis_of("roll", along, x.ndim, x.shape)
        n = x.shape[i]
        if n and by % n:
            cut = n - by % n
            x = concatenate([part_of(x, i, cut, n), part_of(x, i, 0, cut)], i)
    return as_tensor(x)
