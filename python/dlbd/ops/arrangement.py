"""Turning, cutting and joining arrays; differences, products of vectors and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.ops.compare import not_equal
from dlbd.ops.elementwise import add, divide, multiply, power, subtract
from dlbd.ops.indexing import getitem, take
from dlbd.ops.join import concatenate, split
from dlbd.ops.matmul import matmul
from dlbd.ops.matrices import diag
from dlbd.ops.reduce import mean, sum
from dlbd.ops.shape import axis_of, expand_dims, flip, moveaxis, reshape, transpose
from dlbd.tensor import Tensor, as_float, as_tensor


def fliplr(x: Any) -> Tensor:
    """``x`` backwards along its second axis.

    Example:
        >>> dlbd.ops.fliplr([[1, 2], [3, 4]]).numpy().tolist()
        [[2, 1], [4, 3]]
    """
    return flip(x, 1)


def flipud(x: Any) -> Tensor:
    """``x`` backwards along its first axis.

    Example:
        >>> dlbd.ops.flipud([[1, 2], [3, 4]]).numpy().tolist()
        [[3, 4], [1, 2]]
    """
    return flip(x, 0)


def rot90(array: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """Turned ``k`` times by 90 degrees, from the first of both axes towards the second.

    Raises:
        ValueError: not two different axes.

    Example:
        >>> dlbd.ops.rot90([[1, 2], [3, 4]]).numpy().tolist()
        [[2, 4], [1, 3]]
    """
    x = as_tensor(array)
    listed = [axis_of("rot90", axis, x.ndim, x.shape) for axis in axes]
    if len(set(listed)) != 2 or len(listed) != 2:
        raise ValueError(f"[rot90] expected two different axes; received {tuple(axes)}")
    first, second = listed
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return flip(x, listed)
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    return transpose(flip(x, second), order) if k % 4 == 1 else flip(transpose(x, order), second)


def array_split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """As :func:`split`; an axis that does not divide gives its first parts one element more.

    Example:
        >>> [part.numpy().tolist() for part in dlbd.ops.array_split([1, 2, 3, 4, 5], 2)]
        [[1, 2, 3], [4, 5]]
    """
    if not isinstance(indices_or_sections, (int, np.integer)):
        return split(x, indices_or_sections, axis)
    a, sections = as_tensor(x), int(indices_or_sections)
    if sections < 1:
        raise ValueError(f"[array_split] expected at least one part; received {sections}")
    size, more = divmod(a.shape[axis_of("array_split", axis, a.ndim, a.shape)], sections)
    return split(a, [size * i + min(i, more) for i in range(1, sections)], axis)


def hsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """Parts along the second axis; along the only one of a vector.

    Example:
        >>> [part.numpy().tolist() for part in dlbd.ops.hsplit([[1, 2], [3, 4]], 2)]
        [[[1], [3]], [[2], [4]]]
    """
    a = as_tensor(x)
    return split(a, indices_or_sections, 0 if a.ndim == 1 else 1)


def vsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """Parts along the first axis.

    Example:
        >>> [part.numpy().tolist() for part in dlbd.ops.vsplit([[1, 2], [3, 4]], 2)]
        [[[1, 2]], [[3, 4]]]
    """
    return split(x, indices_or_sections, 0)


def dsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Tensor]:
    """Parts along the third axis.

    Example:
        >>> [part.shape for part in dlbd.ops.dsplit(np.zeros((2, 3, 4)), 2)]
        [(2, 3, 2), (2, 3, 2)]
    """
    return split(x, indices_or_sections, 2)


def dstack(xs: Sequence[Any]) -> Tensor:
    """Joined along the third axis; vectors are rows, rows and columns get a third axis of size 1.

    Example:
        >>> dlbd.ops.dstack([[1, 2], [3, 4]]).numpy().tolist()
        [[[1, 3], [2, 4]]]
    """
    tensors = []
    for x in map(as_tensor, xs):
        sizes = x.shape if x.ndim > 1 else (1, x.size)
        tensors.append(reshape(x, (*sizes, 1)) if len(sizes) == 2 else x)
    return concatenate(tensors, axis=2)


def diagflat(x: Any, k: int = 0) -> Tensor:
    """A matrix with the elements of ``x`` on its k-th diagonal.

    Example:
        >>> dlbd.ops.diagflat([[1, 2]]).numpy().tolist()
        [[1, 0], [0, 2]]
    """
    return diag(reshape(as_tensor(x), (-1,)), k)


def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Each element less the one before it along an axis, ``n`` times. Of booleans, whether they differ.

    Raises:
        ValueError: a negative ``n``, or no such axis.

    Example:
        >>> dlbd.ops.diff([1, 4, 9, 16], n=2).numpy().tolist()
        [2, 2]
    """
    x = as_tensor(a)
    axis = axis_of("diff", axis, x.ndim, x.shape)
    if n < 0:
        raise ValueError(f"[diff] n must not be negative; received {n}")
    before = (slice(None),) * axis
    difference = not_equal if x.dtype.kind == "b" else subtract
    for _ in range(n):
        x = difference(getitem(x, (*before, slice(1, None))), getitem(x, (*before, slice(None, -1))))
    return x


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The area under values by the trapezoidal rule.

    Args:
        y: the values; integers become float32.
        x: where they stand, (n,) or as ``y``; ``dx`` apart unless given.
        dx: the distance.
        axis: along which they stand.

    Example:
        >>> float(dlbd.ops.trapezoid([1.0, 2.0, 3.0], dx=2.0))
        8.0
    """
    values = moveaxis(as_float(y), axis, -1)
    between = multiply(add(getitem(values, (..., slice(1, None))), getitem(values, (..., slice(None, -1)))), 0.5)
    if x is None:
        return multiply(sum(between, -1), dx)
    places = as_float(x)
    return sum(multiply(between, diff(moveaxis(places, axis, -1) if places.ndim > 1 else places)), -1)


def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The vector product of vectors with 2 or 3 elements, a missing third one being 0.

    Args:
        x1, x2: numbers; all axes but that of the vectors broadcast.
        axisa, axisb: where the vectors lie in ``x1`` and ``x2``.
        axisc: where they lie in the result; if both have 2 elements, the result is the third one alone.
        axis: instead of all three.

    Raises:
        ValueError: vectors of another size.

    Example:
        >>> dlbd.ops.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).numpy()
        array([0., 0., 1.], dtype=float32)
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(f"[cross] vectors have 2 or 3 elements; received {a.shape} and {b.shape}, vectors last")
    p, q = ([getitem(v, (..., i)) for i in range(v.shape[-1])] for v in (a, b))
    third = subtract(multiply(p[0], q[1]), multiply(p[1], q[0]))
    if len(p) == len(q) == 2:
        return third
    zero = multiply(third, 0)
    (a1, a2, a3), (b1, b2, b3) = (v if len(v) == 3 else [*v, zero] for v in (p, q))
    first = subtract(multiply(a2, b3), multiply(a3, b2))
    second = subtract(multiply(a3, b1), multiply(a1, b3))
    return moveaxis(concatenate([expand_dims(v, -1) for v in (first, second, third)], axis=-1), -1, axisc)


def kron(x1: Any, x2: Any) -> Tensor:
    """Kronecker's product: each element of ``x1`` times all of ``x2``, as blocks.

    Example:
        >>> dlbd.ops.kron([1, 10], [[1, 2]]).numpy().tolist()
        [[1, 2, 10, 20]]
    """
    a, b = as_tensor(x1), as_tensor(x2)
    ndim = max(a.ndim, b.ndim)
    first, second = ((1,) * (ndim - v.ndim) + v.shape for v in (a, b))
    left = reshape(a, [n for size in first for n in (size, 1)])
    right = reshape(b, [n for size in second for n in (1, size)])
    return reshape(multiply(left, right), [m * n for m, n in zip(first, second, strict=True)])


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """(n, N): the powers of the elements of a vector, the highest first unless ``increasing``; N is n by default.

    Example:
        >>> dlbd.ops.vander([2.0, 3.0], 3).numpy().tolist()
        [[4.0, 2.0, 1.0], [9.0, 3.0, 1.0]]
    """
    a = as_tensor(x)
    if a.ndim != 1:
        raise ValueError(f"[vander] expected a vector; received shape {a.shape}")
    powers = np.arange(a.shape[0] if N is None else N)
    return power(expand_dims(a, 1), (powers if increasing else powers[::-1]).astype(a.dtype))


def corrcoef(x: Any) -> Tensor:
    """The correlations of the rows of a matrix with each other.

    Example:
        >>> dlbd.ops.corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).numpy().round(4).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    a = as_float(x)
    rows = reshape(a, (1, -1)) if a.ndim == 1 else a
    rows = subtract(rows, mean(rows, axis=1, keepdims=True))
    products = matmul(rows, transpose(rows))
    deviation = power(take(reshape(products, (-1,)), np.arange(len(rows)) * (len(rows) + 1)), 0.5)
    y = divide(products, multiply(expand_dims(deviation, 1), expand_dims(deviation, 0)))
    return reshape(y, ()) if a.ndim == 1 else y


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Tensor:
    """Windows of the last axis (..., n): (..., windows, sequence_length), each ``sequence_stride`` behind the last.

    Raises:
        ValueError: a window that does not fit, or a stride below 1.

    Example:
        >>> dlbd.ops.extract_sequences([1, 2, 3, 4, 5], 3, 2).numpy().tolist()
        [[1, 2, 3], [3, 4, 5]]
    """
    a = as_tensor(x)
    if sequence_stride < 1 or not 1 <= sequence_length <= a.shape[-1]:
        raise ValueError(
            f"[extract_sequences] windows of {sequence_length}, {sequence_stride} apart, do not fit into {a.shape}"
        )
    starts = np.arange(0, a.shape[-1] - sequence_length + 1, sequence_stride, dtype=np.int32)
    return take(a, starts[:, None] + np.arange(sequence_length, dtype=np.int32), axis=-1)


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Channels spread over blocks of pixels: (N, H, W, b b C) becomes (N, b H, b W, C).

    Raises:
        ValueError: channels that do not divide by ``block_size`` squared.

    Example:
        >>> dlbd.ops.depth_to_space(np.arange(4).reshape(1, 1, 1, 4), 2).numpy()[0, :, :, 0].tolist()
        [[0, 1], [2, 3]]
    """
    a = _image("depth_to_space", x, data_format)
    n, h, w, c = a.shape
    b = block_size
    if b < 1 or c % (b * b):
        raise ValueError(f"[depth_to_space] {c} channels do not divide by {b} * {b}")
    blocks = transpose(reshape(a, (n, h, w, b, b, c // (b * b))), (0, 1, 3, 2, 4, 5))
    return _laid_out(reshape(blocks, (n, h * b, w * b, c // (b * b))), data_format)


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Blocks of pixels gathered into channels: (N, b H, b W, C) becomes (N, H, W, b b C).

    Raises:
        ValueError: a height or width that does not divide by ``block_size``.

    Example:
        >>> dlbd.ops.space_to_depth(np.arange(4).reshape(1, 2, 2, 1), 2).numpy().tolist()
        [[[[0, 1, 2, 3]]]]
    """
    a = _image("space_to_depth", x, data_format)
    n, h, w, c = a.shape
    b = block_size
    if b < 1 or h % b or w % b:
        raise ValueError(f"[space_to_depth] {h} x {w} does not divide into blocks of {b} x {b}")
    blocks = transpose(reshape(a, (n, h // b, b, w // b, b, c)), (0, 1, 3, 2, 4, 5))
    return _laid_out(reshape(blocks, (n, h // b, w // b, b * b * c)), data_format)


def _image(op: str, x: Any, data_format: str) -> Tensor:
    a = as_tensor(x)
    if a.ndim != 4 or data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"[{op}] expected images (N, H, W, C) or channels_first; received {a.shape}, {data_format!r}")
    return transpose(a, (0, 2, 3, 1)) if data_format == "channels_first" else a


def _laid_out(x: Tensor, data_format: str) -> Tensor:
    return transpose(x, (0, 3, 1, 2)) if data_format == "channels_first" else x
