"""New arrays, and conversion from and to NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import FLOAT32
from dlbd.ops.promotion import cast_to
from dlbd.tensor import Tensor, as_array, as_tensor

_host = np.zeros(0, FLOAT32)


def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None) -> Tensor:
    """A new array of one value, float32 unless ``dtype`` says otherwise."""
    sizes = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    y = backend.empty(sizes, FLOAT32 if dtype is None else np.dtype(dtype), _host)
    backend.twin(y).fill(float(fill_value), y)
    return Tensor(y)


def zeros(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A new array of zeros."""
    return full(shape, 0.0, dtype)


def ones(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A new array of ones."""
    return full(shape, 1.0, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A new array of one value with the shape of ``x``, and its dtype unless given."""
    a = as_tensor(x).array
    y = backend.empty(a.shape, a.dtype if dtype is None else np.dtype(dtype), a)
    backend.twin(y).fill(float(fill_value), y)
    return Tensor(y)


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros with the shape of ``x``."""
    return full_like(x, 0.0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones with the shape of ``x``."""
    return full_like(x, 1.0, dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers from ``start`` (0 when only one bound is given) up to, not including, ``stop``.

    int32 when all of them are integers, else float32, unless ``dtype`` says otherwise.
    """
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if dtype is None:
        dtype = FLOAT32 if any(isinstance(v, float) for v in (start, stop, step)) else backend.INT32
    return Tensor(as_array(np.arange(start, stop, step), dtype))


def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Tensor:
    """``num`` numbers at equal distances."""
    return Tensor(as_array(np.linspace(start, stop, num, endpoint), FLOAT32 if dtype is None else dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on the k-th diagonal of an N x M matrix, zeros elsewhere."""
    return Tensor(as_array(np.eye(N, M, k), FLOAT32 if dtype is None else dtype))


identity = eye


def convert_to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """``x`` as a tensor, of this dtype if given; not copied unless it must be."""
    if isinstance(x, Tensor):
        return x if dtype is None else cast_to(x, np.dtype(dtype))
    return as_tensor(x, dtype)


def convert_to_numpy(x: Any) -> Any:
    """``x`` as a NumPy array; of a tensor, a read-only view."""
    return np.asarray(x)


def shape(x: Any) -> tuple[int, ...]:
    """The sizes of ``x``."""
    return as_tensor(x).shape


def ndim(x: Any) -> int:
    """The number of dimensions of ``x``."""
    return as_tensor(x).ndim


def size(x: Any) -> int:
    """The number of elements of ``x``."""
    return as_tensor(x).size
