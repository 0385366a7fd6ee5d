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
from dlbd.ops.shape import Region, Sizes, axis_of, moved, region_of, reshape, strides_of, view
from dlbd.tensor import Tensor, as_tensor


def _of_one_dtype(op: str, xs: Any) -> list[Tensor]:
    tensors = [as_tensor(x) for x in xs]
    if not tensors:
        raise ValueError(f"[{op}] needs at least one array")
    dtype = wider(*(t.dtype for t in tensors))
    return [cast_to(t, dtype) for t in tensors]


def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """The arrays one after the other along an axis; all other sizes must agree."""
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
    """Arrays of one shape, joined along a new axis."""
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
    """Equal parts along an axis, or the parts between these positions."""
    x = as_tensor(x)
    shape = x.shape
    axis = axis_of("split", axis, x.ndim, shape)
    n = shape[axis]
    if isinstance(indices_or_sections, int):
        sections = indices_or_sections
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
    """The parts of size 1 along an axis, without that axis."""
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
    """``x`` repeated along the axes where it has size 1, or none, to this shape."""
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
    """Copies of ``x`` side by side, as many along each axis as ``repeats`` says."""
    x = as_tensor(x)
    counts = (repeats,) if isinstance(repeats, int) else tuple(repeats)
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
    """Each element (along an axis: each part) ``repeats`` times in a row, or each its own number of times."""
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
        pad_width: one number, one pair (before, after), or a pair per axis.
        mode: "constant", "edge", "reflect" or "symmetric".
        constant_values: what "constant" fills with, 0 unless given.
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
    """``x`` with its elements moved along axes; what leaves at one end enters at the other."""
    x = as_tensor(x)
    if axis is None:
        if not isinstance(shift, int):
            raise ValueError("[roll] several shifts need as many axes")
        return reshape(roll(reshape(x, (-1,)), shift, 0), x.shape)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    if len(shifts) != len(axes):
        raise ValueError(f"[roll] {len(shifts)} shifts for {len(axes)} axes")
    for by, along in zip(shifts, axes, strict=True):
        i = axis_of("roll", along, x.ndim, x.shape)
        n = x.shape[i]
        if n and by % n:
            cut = n - by % n
            x = concatenate([part_of(x, i, cut, n), part_of(x, i, 0, cut)], i)
    return as_tensor(x)
