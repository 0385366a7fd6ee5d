"""Diagonals, triangles, grids and stacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.backend import FLOAT32, place
from dlbd.ops.elementwise import multiply
from dlbd.ops.indexing import getitem
from dlbd.ops.join import broadcast_to, concatenate, pad
from dlbd.ops.reduce import sum
from dlbd.ops.shape import expand_dims, moveaxis, reshape
from dlbd.tensor import Tensor, as_tensor


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """(N, M): ones on the k-th diagonal and below, zeros above. ``M`` is ``N`` by default, ``dtype`` float32.

    Example:
        >>> dlbd.ops.tri(2, 3).numpy().tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    return Tensor(place(np.tri(N, M, k, dtype=np.dtype(dtype or FLOAT32))))


def tril(x: Any, k: int = 0) -> Tensor:
    """The lower triangles of matrices (..., M, N): zero above the k-th diagonal.

    Example:
        >>> dlbd.ops.tril([[1, 2], [3, 4]]).numpy().tolist()
        [[1, 0], [3, 4]]
    """
    a = _matrix("tril", x)
    m, n = a.shape[-2:]
    return multiply(a, tri(m, n, k, a.dtype))


def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangles of matrices (..., M, N): zero below the k-th diagonal.

    Example:
        >>> dlbd.ops.triu([[1, 2], [3, 4]]).numpy().tolist()
        [[1, 2], [0, 4]]
    """
    a = _matrix("triu", x)
    m, n = a.shape[-2:]
    above = 1 - np.tri(m, n, k - 1)
    return multiply(a, Tensor(place(above.astype(a.dtype))))


def _matrix(op: str, x: Any) -> Tensor:
    a = as_tensor(x)
    if a.ndim < 2:
        raise ValueError(f"[{op}] expected matrices (..., M, N); received shape {a.shape}")
    return a


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonals of matrices that lie along two axes: the other axes, then the diagonal.

    Example:
        >>> dlbd.ops.diagonal([[1, 2], [3, 4]]).numpy().tolist()
        [1, 4]
    """
    a = moveaxis(_matrix("diagonal", x), (axis1, axis2), (-2, -1))
    m, n = a.shape[-2:]
    if offset < 0:
        a, m = getitem(a, (..., slice(-offset, None), slice(None))), m + offset
    elif offset > 0:
        a, n = getitem(a, (..., slice(None), slice(offset, None))), n - offset
    size = max(min(m, n), 0)
    if not size:
        return getitem(reshape(a, (*a.shape[:-2], -1)), (..., slice(0, 0)))
    flat = reshape(getitem(a, (..., slice(0, size), slice(0, size))), (*a.shape[:-2], size * size))
    longer = pad(flat, [(0, 0)] * (flat.ndim - 1) + [(0, size)])
    return getitem(reshape(longer, (*a.shape[:-2], size, size + 1)), (..., 0))  # steps of a row and one more


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of :func:`diagonal`.

    Example:
        >>> int(dlbd.ops.trace([[1, 2], [3, 4]]))
        5
    """
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)


def diag(x: Any, k: int = 0) -> Tensor:
    """A matrix with the vector on its k-th diagonal; of a matrix, its k-th diagonal.

    Example:
        >>> dlbd.ops.diag([1, 2]).numpy().tolist()
        [[1, 0], [0, 2]]
    """
    a = as_tensor(x)
    if a.ndim == 2:
        return diagonal(a, k)
    if a.ndim != 1:
        raise ValueError(f"[diag] expected a vector or a matrix; received shape {a.shape}")
    square = multiply(expand_dims(a, 1), Tensor(place(np.eye(len(a), dtype=a.dtype))))
    return pad(square, [(max(-k, 0), max(k, 0)), (max(k, 0), max(-k, 0))])


def meshgrid(*x: Any, indexing: str = "xy") -> list[Tensor]:
    """Grids of coordinates from vectors of them, as NumPy's.

    Args:
        x: vectors.
        indexing: "xy" (the first two axes swapped, the default) or "ij".

    Example:
        >>> [g.numpy().tolist() for g in dlbd.ops.meshgrid([1, 2], [3, 4, 5], indexing="ij")]
        [[[1, 1, 1], [2, 2, 2]], [[3, 4, 5], [3, 4, 5]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f'[meshgrid] indexing must be "xy" or "ij"; received {indexing!r}')
    vectors = [reshape(as_tensor(v), (-1,)) for v in x]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    shape = [0] * len(vectors)
    for axis, v in zip(order, vectors, strict=True):
        shape[axis] = len(v)
    grids = []
    for axis, v in zip(order, vectors, strict=True):
        own = [1] * len(shape)
        own[axis] = len(v)
        grids.append(broadcast_to(reshape(v, own), shape))
    return grids


def vstack(xs: Sequence[Any]) -> Tensor:
    """Rows below each other.

    Example:
        >>> dlbd.ops.vstack([[1, 2], [3, 4]]).shape
        (2, 2)
    """
    tensors = [as_tensor(x) for x in xs]
    return concatenate([reshape(t, (1, -1)) if t.ndim < 2 else t for t in tensors], axis=0)


def hstack(xs: Sequence[Any]) -> Tensor:
    """Columns side by side; vectors one after the other.

    Example:
        >>> dlbd.ops.hstack([[1, 2], [3, 4]]).shape
        (4,)
    """
    tensors = [reshape(t, (1,)) if not t.ndim else t for t in map(as_tensor, xs)]
    return concatenate(tensors, axis=0 if tensors[0].ndim == 1 else 1)


def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """``x2`` after ``x1`` along an axis; both flat without one.

    Example:
        >>> dlbd.ops.append([1, 2], [[3]]).numpy().tolist()
        [1, 2, 3]
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if axis is None:
        return concatenate([reshape(a, (-1,)), reshape(b, (-1,))], axis=0)
    return concatenate([a, b], axis=axis)
