"""Shapes, copies and indexing: every copy is one launch of the strided copy kernel."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import Array
from dlbd.tensor import Tensor, as_tensor

Sizes = tuple[int, ...]


@lru_cache(maxsize=4096)
def strides_of(shape: Sizes) -> Sizes:
    """Strides, in elements, of a contiguous array."""
    strides, step = [], 1
    for d in reversed(shape):
        strides.append(step)
        step *= d
    return tuple(reversed(strides))


class Region:
    """A strided part of an array of ``whole`` elements, and its copies out of that array and into it."""

    __slots__ = ("inward", "outward", "size")

    def __init__(self, size: Sizes, stride: Sizes, offset: int, whole: int) -> None:
        dense, count = strides_of(size), prod(size)
        self.size = size
        self.outward = _cpu.CopyShape(size, stride, dense, offset, 0, whole, count)
        # A part that repeats elements (stride zero) is only ever read.
        repeats = any(s == 0 and d > 1 for s, d in zip(stride, size, strict=True))
        self.inward = None if repeats else _cpu.CopyShape(size, dense, stride, 0, offset, count, whole)


@lru_cache(maxsize=4096)
def region_of(size: Sizes, stride: Sizes, offset: int, whole: int) -> Region:
    """The same object for the same part."""
    return Region(size, stride, offset, whole)


def moved(x: Tensor, region: Region, shape: Sizes) -> Tensor:
    """A tensor of ``shape`` made of a region of ``x`` in which no element occurs twice."""
    a = x.array
    y = Tensor(backend.empty(shape, a.dtype, a))
    backend.twin(a).copy(region.outward, a, y.array)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _moved_gradient(grads, region, x, y))
    return y


def _moved_gradient(grads: Gradients, region: Region, x: Tensor, y: Tensor) -> None:
    """dx is dy in the region, zero elsewhere."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is None or dy is None:
        return
    if not accumulate and dx.size > dy.size:
        backend.twin(dx).fill(0.0, dx)
    backend.twin(dx).copy(region.inward, dy, dx, accumulate)


def view(x: Tensor, array: Array) -> Tensor:
    """The same elements in the same order under another shape: nothing is copied."""
    y = Tensor(array)
    if autograd.recording() and array.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _view_gradient(grads, x, y))
    return y


def _view_gradient(grads: Gradients, x: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    assert dy is not None
    grads.give(x, dy.reshape(x.array.shape))


def integers(value: Any) -> Sizes:
    """One integer, or several, as a tuple; NumPy's integers are integers."""
    return (int(value),) if isinstance(value, (int, np.integer)) else tuple(value)


def axis_of(op: str, axis: int, ndim: int, shape: Sizes) -> int:
    """The axis counted from the front; ValueError unless there are that many."""
    i = int(axis.__index__())
    if not -ndim <= i < ndim:
        raise ValueError(f"[{op}] axis {i} does not exist in x of shape {shape}")
    return i % ndim


def reshape(x: Any, newshape: int | Sequence[int]) -> Tensor:
    """``x`` under another shape. No copy: the result shares the memory of ``x``.

    Args:
        x: any shape and dtype.
        newshape: the sizes, in row-major order; one of them may be -1 and follows from the others.

    Raises:
        ValueError: the number of elements differs.

    Example:
        >>> dlbd.ops.reshape([[1, 2, 3], [4, 5, 6]], (3, -1)).numpy().tolist()
        [[1, 2], [3, 4], [5, 6]]
    """
    x = as_tensor(x)
    wanted = integers(newshape)
    try:
        shaped = x.array.reshape(wanted)
    except ValueError:
        raise ValueError(f"[reshape] {x.shape} ({x.size} elements) cannot become {wanted}") from None
    return view(x, shaped)


def ravel(x: Any) -> Tensor:
    """``x`` with one dimension, in row-major order. No copy: the result shares the memory of ``x``.

    Example:
        >>> dlbd.ops.ravel([[1, 2], [3, 4]]).numpy().tolist()
        [1, 2, 3, 4]
    """
    return reshape(x, (-1,))


def expand_dims(x: Any, axis: int | Sequence[int]) -> Tensor:
    """``x`` with axes of size 1 inserted at these positions of the result. No copy.

    Raises:
        ValueError: an axis is given twice or does not exist in the result.

    Example:
        >>> dlbd.ops.expand_dims(np.zeros((3, 4)), (0, -1)).shape
        (1, 3, 4, 1)
    """
    x = as_tensor(x)
    listed = integers(axis)
    ndim = x.ndim + len(listed)
    places = {axis_of("expand_dims", a, ndim, x.shape) for a in listed}
    if len(places) != len(listed):
        raise ValueError(f"[expand_dims] an axis is given twice; received {listed}")
    sizes = iter(x.shape)
    return view(x, x.array.reshape(tuple(1 if i in places else next(sizes) for i in range(ndim))))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """``x`` without these axes of size 1, or without all of them. No copy.

    Raises:
        ValueError: an axis has another size, or does not exist.

    Example:
        >>> x = np.zeros((1, 3, 1))
        >>> dlbd.ops.squeeze(x).shape, dlbd.ops.squeeze(x, 0).shape
        ((3,), (3, 1))
    """
    x = as_tensor(x)
    if axis is None:
        return view(x, x.array.reshape(tuple(d for d in x.shape if d != 1)))
    listed = integers(axis)
    places = {axis_of("squeeze", a, x.ndim, x.shape) for a in listed}
    for i in places:
        if x.shape[i] != 1:
            raise ValueError(f"[squeeze] axis {i} has size {x.shape[i]}, not 1; received x of shape {x.shape}")
    return view(x, x.array.reshape(tuple(d for i, d in enumerate(x.shape) if i not in places)))


def transpose(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """``x`` with its axes in another order.

    Args:
        x: any shape and dtype.
        axes: for each axis of the result, that of ``x`` it comes from; reversed unless given.

    Returns:
        A copy, unless only axes of size 1 move.

    Raises:
        ValueError: ``axes`` does not name every axis once.

    Example:
        >>> dlbd.ops.transpose([[1, 2, 3], [4, 5, 6]]).numpy().tolist()
        [[1, 4], [2, 5], [3, 6]]
        >>> dlbd.ops.transpose(np.zeros((2, 3, 4)), (1, 2, 0)).shape
        (3, 4, 2)
    """
    x = as_tensor(x)
    shape = x.array.shape
    ndim = len(shape)
    if axes is None:
        order = tuple(range(ndim))[::-1]
    else:
        order = tuple(axis_of("transpose", a, ndim, shape) for a in axes)
        if sorted(order) != list(range(ndim)):
            raise ValueError(f"[transpose] axes must order all {ndim} axes of x {shape}; received {tuple(axes)}")
    size = tuple(shape[i] for i in order)
    moving = [i for i in order if shape[i] != 1]
    if moving == sorted(moving):  # memory stays as it is
        return view(x, x.array.reshape(size))
    strides = strides_of(shape)
    return moved(x, region_of(size, tuple(strides[i] for i in order), 0, x.array.size), size)


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """``x`` with axes moved to other places; the rest keep their order.

    Args:
        x: any shape and dtype.
        source: an axis or several.
        destination: as many places in the result.

    Raises:
        ValueError: they are not equally many different axes.

    Example:
        >>> dlbd.ops.moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    x = as_tensor(x)
    ndim = x.ndim
    given = [integers(a) for a in (source, destination)]
    froms, tos = ([axis_of("moveaxis", a, ndim, x.shape) for a in axes] for axes in given)
    if len(froms) != len(tos) or len(set(froms)) != len(froms) or len(set(tos)) != len(tos):
        raise ValueError(f"[moveaxis] source {source} and destination {destination} must be as many different axes")
    order = [i for i in range(ndim) if i not in froms]
    for to, source_axis in sorted(zip(tos, froms, strict=True)):
        order.insert(to, source_axis)
    return transpose(x, order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """``x`` with two axes exchanged.

    Raises:
        ValueError: an axis does not exist.

    Example:
        >>> dlbd.ops.swapaxes(np.zeros((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    x = as_tensor(x)
    i, j = axis_of("swapaxes", axis1, x.ndim, x.shape), axis_of("swapaxes", axis2, x.ndim, x.shape)
    order = list(range(x.ndim))
    order[i], order[j] = order[j], order[i]
    return transpose(x, order)


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Tensor:
    """``x`` backwards along these axes, or along all.

    Raises:
        ValueError: an axis does not exist.

    Example:
        >>> dlbd.ops.flip([[1, 2], [3, 4]]).numpy().tolist()
        [[4, 3], [2, 1]]
        >>> dlbd.ops.flip([[1, 2], [3, 4]], axis=1).numpy().tolist()
        [[2, 1], [4, 3]]
    """
    x = as_tensor(x)
    shape, strides = x.shape, list(strides_of(x.shape))
    listed = range(x.ndim) if axis is None else integers(axis)
    offset = 0
    for i in {axis_of("flip", a, x.ndim, shape) for a in listed}:
        offset += builtins.max(shape[i] - 1, 0) * strides[i]
        strides[i] = -strides[i]
    return moved(x, region_of(shape, tuple(strides), offset, x.array.size), shape)
