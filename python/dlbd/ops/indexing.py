"""Choosing elements: ``x[...]``, slices, positions along an axis, one-hot vectors."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from dlbd import autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL, INT32, INT64, UINT8
from dlbd.ops.promotion import cast_to
from dlbd.ops.shape import Region, axis_of, moved, region_of, strides_of, view
from dlbd.tensor import Tensor, Variable, as_array, as_tensor


def getitem(x: Tensor, index: Any) -> Tensor:
    """``x[index]`` with integers, slices of any step, None, Ellipsis, and at most one array of integers.

    A part that is contiguous in memory shares it, unless ``x`` is a variable.
    """
    listed = index if isinstance(index, tuple) else (index,)
    chosen = [i for i in listed if isinstance(i, (Tensor, np.ndarray, list))]
    if chosen:
        return _with_array(x, listed, chosen)
    if builtins.any(isinstance(i, (bool, np.bool_)) for i in listed):
        raise TypeError("[getitem] booleans do not index a tensor; see ops.where")
    a = x.array
    key = tuple(
        (i.start, i.stop, i.step)
        if type(i) is builtins.slice
        else i
        if i is None or i is Ellipsis
        else _whole_number(i)
        for i in listed
    )
    region, contiguous = _part(a.shape, key)
    if contiguous and not isinstance(x, Variable) and (prod(region.size) == a.size or not autograd.recording()):
        # With an Ellipsis NumPy gives a view even of a single element.
        return view(x, a[listed if Ellipsis in key else (*listed, Ellipsis)])
    return moved(x, region, region.size)


def get_item(x: Any, key: Any) -> Tensor:
    """``x[key]``: integers, slices of any step, None, Ellipsis, and at most one array of integers.

    Example:
        >>> dlbd.ops.get_item([[1, 2], [3, 4]], (slice(None), 0)).numpy().tolist()
        [1, 3]
    """
    return getitem(as_tensor(x), key)


def _whole_number(i: Any) -> int:
    try:
        return int(i.__index__())
    except AttributeError:
        raise TypeError(
            f"[getitem] a tensor is indexed by integers, slices, None, Ellipsis and arrays; received {i!r}"
        ) from None


@lru_cache(maxsize=4096)
def _part(shape: tuple[int, ...], key: tuple[Any, ...]) -> tuple[Region, bool]:
    """The region that an index names, found by indexing an array that occupies no memory."""
    listed = tuple(slice_(*i) if isinstance(i, tuple) else i for i in key)
    base = np.zeros(1, np.int8)
    whole = np.lib.stride_tricks.as_strided(base, shape, strides_of(shape))  # one byte per element: never read
    part = whole[listed if Ellipsis in listed else (*listed, Ellipsis)]
    start = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0] if part.size else 0
    return region_of(part.shape, part.strides, start, prod(shape)), part.flags.c_contiguous


def _with_array(x: Tensor, listed: tuple[Any, ...], chosen: list[Any]) -> Tensor:
    """Slices first, then positions along the axis where the array stood."""
    if len(chosen) > 1:
        raise TypeError("[getitem] one array of integers at most; received " + str(len(chosen)))
    if builtins.any(isinstance(i, (int, np.integer)) for i in listed):
        raise TypeError("[getitem] an array of integers beside a single integer is not supported; use ops.take")
    at = next(k for k, i in enumerate(listed) if i is chosen[0])
    before = listed[:at]
    if Ellipsis in before:
        axis = -1 - builtins.sum(i is not None for i in listed[at + 1 :])
        axis -= builtins.sum(i is None for i in listed[at + 1 :])
    else:
        axis = len(before)
    rest = (*before, slice_(None), *listed[at + 1 :])
    part = x if builtins.all(isinstance(i, builtins.slice) and i == slice_(None) for i in rest) else getitem(x, rest)
    return take(part, chosen[0], axis)


slice_ = builtins.slice


def slice(inputs: Any, start_indices: Sequence[int], shape: Sequence[int]) -> Tensor:
    """The part of ``inputs`` that starts at these positions and has this shape: one number per axis in each.

    Raises:
        ValueError: the part does not lie inside of ``inputs``, or not every axis has its numbers.

    Example:
        >>> dlbd.ops.slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2)).numpy().tolist()
        [[2, 3], [5, 6]]
    """
    x = as_tensor(inputs)
    starts, sizes = [int(i) for i in start_indices], [int(n) for n in shape]
    if len(starts) != x.ndim or len(sizes) != x.ndim:
        raise ValueError(f"[slice] one start and one size per axis of {x.shape}; received {starts} and {sizes}")
    for i, (start, n, d) in enumerate(zip(starts, sizes, x.shape, strict=True)):
        if start < 0 or n < 0 or start + n > d:
            raise ValueError(f"[slice] {start}:{start + n} does not lie inside axis {i} of size {d}")
    return getitem(x, tuple(slice_(s, s + n) for s, n in zip(starts, sizes, strict=True)))


def _positions(op: str, indices: Any) -> Tensor:
    found = as_tensor(np.asarray(indices) if isinstance(indices, list) else indices)
    kind = found.dtype.kind
    if found.size == 0 and kind == "f":
        return Tensor(as_array(np.zeros(found.shape, np.int64)))
    if kind not in "iu" or found.dtype == BOOL:
        raise TypeError(f"[{op}] indices must be integers; received {found.dtype}")
    return found if found.dtype in (INT32, INT64) else cast_to(found, INT32)


def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The parts of ``x`` at these positions along an axis.

    Args:
        x: any dtype.
        indices: integers of any shape; -n to -1 count from the end.
        axis: where the positions count; in the flattened ``x`` unless given.

    Returns:
        The shape of ``x`` with that of ``indices`` in place of the axis. Positions taken twice add up in the gradient.

    Raises:
        ValueError: a position outside of [-n, n).
        TypeError: positions that are no integers.

    Example:
        >>> dlbd.ops.take([[1, 2], [3, 4], [5, 6]], [2, 0, -1], axis=0).numpy().tolist()
        [[5, 6], [1, 2], [5, 6]]
    """
    x = as_tensor(x)
    if axis is None:
        x, axis = view(x, x.array.reshape(-1)), 0
    shape = x.array.shape
    axis = axis_of("take", axis, len(shape), shape)
    chosen = _positions("take", indices)
    sizes = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    return _gathered(x, chosen, sizes, False, (*shape[:axis], *chosen.shape, *shape[axis + 1 :]))


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """``y[..., j, ...] = x[..., indices[..., j, ...], ...]``: positions of their own for every line along the axis.

    Args:
        x: any dtype.
        indices: integers; -n to -1 count from the end. The sizes of ``x``, except along the axis.
        axis: where the positions count; in the flattened ``x`` unless given.

    Returns:
        The shape of ``indices``.

    Raises:
        ValueError: a position outside of [-n, n), or sizes that do not agree.
        TypeError: positions that are no integers.

    Example:
        >>> x = np.array([[30, 10, 20], [4, 6, 5]])
        >>> dlbd.ops.take_along_axis(x, [[1, 0], [2, 2]], axis=1).numpy().tolist()
        [[10, 30], [5, 5]]
    """
    x = as_tensor(x)
    chosen = _positions("take_along_axis", indices)
    if axis is None:
        x, axis = view(x, x.array.reshape(-1)), 0
    shape, wanted = x.shape, chosen.shape
    axis = axis_of("take_along_axis", axis, len(shape), shape)
    if len(wanted) != len(shape) or wanted[:axis] + wanted[axis + 1 :] != shape[:axis] + shape[axis + 1 :]:
        raise ValueError(f"[take_along_axis] indices {wanted} and x {shape} must agree except along axis {axis}")
    sizes = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    return _gathered(x, chosen, sizes, True, wanted)


def _gathered(x: Tensor, chosen: Tensor, sizes: tuple[int, int, int], along: bool, shape: tuple[int, ...]) -> Tensor:
    a = x.array
    y = Tensor(backend.empty(shape, a.dtype, a))
    backend.twin(a).gather_forward(*sizes, along, a, chosen.array, y.array)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _gathered_gradient(grads, sizes, along, x, chosen, y))
    return y


def _gathered_gradient(
    grads: Gradients, sizes: tuple[int, int, int], along: bool, x: Tensor, chosen: Tensor, y: Tensor
) -> None:
    """Every dy is added at the position it came from, in order."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        backend.twin(dx).gather_backward(*sizes, along, dy, chosen.array, dx, accumulate)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> Tensor:
    """1 at the position that ``x`` names along a new axis, 0 elsewhere.

    Args:
        x: class numbers of any shape; one outside of [0, num_classes) gives zeros only.
        num_classes: the size of the new axis.
        axis: its position in the result.
        dtype: float32 unless given.

    Example:
        >>> dlbd.ops.one_hot([2, 0, -1], 3).numpy()
        array([[0., 0., 1.],
               [1., 0., 0.],
               [0., 0., 0.]], dtype=float32)
    """
    from dlbd.ops.compare import equal

    x = as_tensor(x)
    axis = axis_of("one_hot", axis, x.ndim + 1, x.shape)
    column = x.array.reshape((*x.shape[:axis], 1, *x.shape[axis:]))
    classes = np.arange(num_classes, dtype=INT32 if x.dtype in (BOOL, UINT8) else x.dtype)
    matches = equal(Tensor(column), classes.reshape(-1, *(1,) * (x.ndim - axis)))
    return cast_to(matches, np.dtype(np.float32 if dtype is None else dtype))
