"""Shapes, order of axes, joining, taking apart, indexing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT32, INT32, INT64
from dlbd.export.graph import Value
from dlbd.export.sizes import Size
from dlbd.export.tracing import NotInOnnx, Spec, Trace, Traced, composed
from dlbd.ops.shape import axis_of, integers
from dlbd.tensor import Tensor

_END = np.iinfo(np.int64).max  # ONNX's "to the end", in both directions


def _reshape(t: Trace, y: Spec, x: Traced, newshape: Any) -> Value:
    return t.reshaped(t.value(x), x.shape, y.shape)


def _expand_dims(t: Trace, y: Spec, x: Traced, axis: Any) -> Value:
    places = sorted(a % len(y.shape) for a in integers(axis))
    return t.graph.node("Unsqueeze", t.value(x), t.graph.integers(*places))


def _squeeze(t: Trace, y: Spec, x: Traced, axis: Any) -> Value:
    listed = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else [a % x.ndim for a in integers(axis)]
    return t.graph.node("Squeeze", t.value(x), t.graph.integers(*listed))


def _transpose(t: Trace, y: Spec, x: Traced, axes: Sequence[int] | None) -> Value:
    order = range(x.ndim)[::-1] if axes is None else [a % x.ndim for a in axes]
    return t.graph.transposed(t.value(x), list(order))


def _flip(t: Trace, y: Spec, x: Traced, axis: Any) -> Value:
    return flipped(t, t.value(x), *(a % x.ndim for a in (range(x.ndim) if axis is None else integers(axis))))


def flipped(t: Trace, value: Value, *axes: int) -> Value:
    """Backwards along axes that are counted from the front. Twice is not at all."""
    along = tuple(sorted(set(axes)))
    known = t.graph.known
    if ("flipped", value, along) not in known:
        starts, ends, steps = (t.graph.integers(*(n,) * len(along)) for n in (-1, -_END, -1))
        turned = t.graph.sliced(value, along, starts, ends, steps)
        known["flipped", value, along] = turned
        known["flipped", turned, along] = value
    return known["flipped", value, along]  # type: ignore[no-any-return]


def _concatenate(t: Trace, y: Spec, xs: Sequence[Any], axis: int) -> Value:
    return t.graph.concatenated([t.value(x, y.dtype) for x in xs], axis % len(y.shape))


def _stack(x: Sequence[Any], axis: int) -> Any:
    return ops.concatenate([ops.expand_dims(part, axis) for part in x], axis)


def _split(t: Trace, y: list[Spec], x: Traced, indices_or_sections: Any, axis: int) -> Any:
    axis = axis_of("split", axis, x.ndim, x.shape)
    if not isinstance(indices_or_sections, (int, np.integer)):
        edges = [0, *indices_or_sections, None]
        return [x[(slice(None),) * axis + (slice(*pair),)] for pair in itertools.pairwise(edges)]
    sizes = t.vector([part.shape[axis] for part in y]) if isinstance(x.shape[axis], int) else None
    if sizes is None:
        raise NotInOnnx("[split] an axis is split whose size is known only when the model runs: ONNX cannot say that")
    return t.graph.nodes_of("Split", len(y), t.value(x), sizes, axis=axis)


def _unstack(x: Traced, num: int | None, axis: int) -> Any:
    return [ops.take(x, i, axis) for i in range(x.shape[axis])]


def _broadcast_to(t: Trace, y: Spec, x: Traced, shape: Sequence[Any]) -> Value:
    return t.graph.node("Expand", t.value(x), t.vector(shape))


def _tile(t: Trace, y: Spec, x: Traced, repeats: Any) -> Value:
    counts = integers(repeats)
    wide = (1,) * (len(y.shape) - x.ndim) + x.shape
    value = t.reshaped(t.value(x), x.shape, wide)
    return t.graph.node("Tile", value, t.graph.integers(*(1,) * (len(wide) - len(counts)), *counts))


def _repeat(t: Trace, y: Spec, x: Traced, repeats: Any, axis: int | None) -> Any:
    if axis is None:
        return ops.repeat(ops.ravel(x), repeats, 0)
    axis = axis_of("repeat", axis, x.ndim, x.shape)
    if np.size(repeats) > 1:
        return ops.take(x, np.repeat(np.arange(len(repeats)), repeats), axis)
    times = int(np.reshape(repeats, ()))
    if x.shape[axis] == 1:
        return ops.broadcast_to(x, y.shape)
    if x.dtype == FLOAT32 and times:  # what resizes images repeats pixels
        before, order = t.graph.source(t.value(x))
        at = axis if order is None else order[axis]
        scales = t.graph.constant([float(times) if i == at else 1.0 for i in range(x.ndim)], np.float32)
        options = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        repeated = t.graph.node("Resize", before, None, scales, **options)
        return repeated if order is None else t.graph.transposed(repeated, order)
    once = ops.expand_dims(x, axis + 1)
    counts = [times if i == axis + 1 else 1 for i in range(once.ndim)]
    many = t.graph.node("Tile", t.value(once), t.graph.integers(*counts))
    return t.reshaped(many, (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]), y.shape)


def _pad(t: Trace, y: Spec, x: Traced, pad_width: Any, mode: str, constant_values: float | None) -> Any:
    widths = np.broadcast_to(np.asarray(pad_width, np.int64), (x.ndim, 2))
    if mode == "symmetric":
        return _pad_symmetric(x, widths)
    before, order = t.graph.source(t.value(x))
    placed = widths if order is None else widths[np.argsort(order)]
    fill = t.graph.constant(constant_values or 0, y.dtype) if mode == "constant" else None
    padded = t.graph.node("Pad", before, t.graph.integers(*placed.T.ravel().tolist()), fill, mode=mode)
    return padded if order is None else t.graph.transposed(padded, order)


def _pad_symmetric(x: Any, widths: Any) -> Any:
    for axis, (before, after) in enumerate(widths.tolist()):
        if before or after:
            x = ops.take(x, np.pad(np.arange(x.shape[axis]), (before, after), mode="symmetric"), axis)
    return x


def _roll(x: Any, shift: Any, axis: Any) -> Any:
    if axis is None:
        return ops.reshape(ops.roll(ops.ravel(x), shift, 0), x.shape)
    axes = integers(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, (int, np.integer)) else tuple(shift)
    for by, along in zip(shifts, axes, strict=True):
        i, n = along % x.ndim, x.shape[along]
        cut = n - by % n
        whole = (slice(None),) * i
        x = ops.concatenate([x[(*whole, slice(cut, None))], x[(*whole, slice(None, cut))]], i)
    return x


# Indexing


def _getitem(t: Trace, y: Spec, x: Traced, index: Any) -> Any:
    """Slices first, then single positions from the last axis on, an array of positions, and new axes."""
    listed = list(index) if isinstance(index, tuple) else [index]
    kept = len([i for i in listed if i is not None and i is not Ellipsis])
    at = next((k for k, i in enumerate(listed) if i is Ellipsis), len(listed))
    listed[at : at + 1] = [slice(None)] * (x.ndim - kept)
    parts = [i for i in listed if i is not None]
    value = _slices(t, x, parts)
    for axis, i in reversed(list(enumerate(parts))):
        if not isinstance(i, slice):
            value = t.graph.node("Gather", value, _positions(t, i), axis=axis)
    new = _new_axes(listed)
    return t.graph.node("Unsqueeze", value, t.graph.integers(*new)) if new else value


def _slices(t: Trace, x: Traced, parts: Sequence[Any]) -> Value:
    cut = [(axis, i) for axis, i in enumerate(parts) if isinstance(i, slice) and i != slice(None)]
    if not cut:
        return t.value(x)
    steps = [1 if i.step is None else int(i.step) for _, i in cut]
    starts = [
        (0 if step > 0 else _END) if i.start is None else i.start for (_, i), step in zip(cut, steps, strict=True)
    ]
    ends = [
        (_END if step > 0 else -_END) if i.stop is None else i.stop for (_, i), step in zip(cut, steps, strict=True)
    ]
    by = None if set(steps) == {1} else t.graph.integers(*steps)
    return t.graph.sliced(t.value(x), [axis for axis, _ in cut], t.vector(starts), t.vector(ends), by)


def _new_axes(listed: Sequence[Any]) -> list[int]:
    """Where new axes stand in the result."""
    places, at = [], 0
    for i in listed:
        if i is None:
            places.append(at)
        at += 1 if i is None or isinstance(i, slice) else np.ndim(i) if not isinstance(i, Tensor) else i.ndim
    return places


def _take(t: Trace, y: Spec, x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        return ops.take(ops.ravel(x), indices, 0)
    return t.graph.node("Gather", t.value(x), _positions(t, indices), axis=axis % np.ndim(x))


def _positions(t: Trace, indices: Any) -> Value:
    """In a dtype that ONNX takes."""
    if isinstance(indices, Size):
        return t.value(indices)
    if isinstance(indices, Tensor):
        return t.value(indices, None if indices.dtype in (INT32, INT64) else INT32)
    return t.value(np.asarray(indices, np.int64))


def _take_along_axis(t: Trace, y: Spec, x: Any, indices: Any, axis: int | None) -> Any:
    if axis is None:
        return ops.take_along_axis(ops.ravel(x), indices, 0)
    return t.graph.node("GatherElements", t.value(x), _positions(t, indices), axis=axis % len(y.shape))


def _one_hot(x: Any, num_classes: int, axis: int, dtype: Any) -> Any:
    axis = axis_of("one_hot", axis, x.ndim + 1, x.shape)
    classes = np.arange(num_classes, dtype=INT32 if x.dtype.itemsize == 1 else x.dtype)
    hits = ops.equal(ops.expand_dims(x, axis), classes.reshape(-1, *(1,) * (x.ndim - axis)))
    return ops.cast(hits, FLOAT32 if dtype is None else dtype)


def _class_counts(x: Any, num_classes: int, weights: Any, dtype: Any) -> Any:
    hits = ops.one_hot(x, num_classes, dtype=dtype)
    return ops.sum(hits if weights is None else hits * ops.expand_dims(weights, -1), axis=-2)


def _slice(inputs: Any, start_indices: Sequence[Any], shape: Sequence[Any]) -> Any:
    return inputs[tuple(slice(start, start + n) for start, n in zip(start_indices, shape, strict=True))]


def _embedding(t: Trace, y: Spec, indices: Any, table: Any) -> Value:
    return t.graph.node("Gather", t.value(table, y.dtype), _positions(t, indices), axis=0)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "broadcast_to": _broadcast_to,
    "check_class_numbers": composed(lambda x, num_classes: None),  # an ONNX file cannot raise errors of its own
    "class_counts": composed(_class_counts),
    "concatenate": _concatenate,
    "copy": composed(lambda x: x),
    "embedding": _embedding,
    "expand_dims": _expand_dims,
    "flip": _flip,
    "getitem": _getitem,
    "one_hot": composed(_one_hot),
    "pad": _pad,
    "repeat": _repeat,
    "reshape": _reshape,
    "roll": composed(_roll),
    "slice": composed(_slice),
    "split": _split,
    "squeeze": _squeeze,
    "stack": composed(_stack),
    "take": _take,
    "take_along_axis": _take_along_axis,
    "tile": _tile,
    "transpose": _transpose,
    "unstack": composed(_unstack),
}
