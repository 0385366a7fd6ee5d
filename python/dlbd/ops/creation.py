"""New arrays, and conversion from and to NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import FLOAT32, INT32, INT64, Array
from dlbd.ops.join import broadcast_to
from dlbd.ops.promotion import cast_to
from dlbd.ops.shape import moved, region_of, strides_of
from dlbd.tensor import Tensor, as_array, as_tensor


def _filled(y: Array, value: Any) -> Tensor:
    if np.ndim(value):
        return broadcast_to(Tensor(as_array(np.array(value, order="C"), y.dtype, y)), y.shape)
    if y.dtype.kind in "iu":
        limits = np.iinfo(y.dtype)
        if not limits.min <= value <= limits.max:
            raise ValueError(f"[full] {y.dtype} holds {limits.min} to {limits.max}; received {value}")
        if int(float(value)) != int(value):  # a launch's scalars are doubles
            return broadcast_to(Tensor(as_array(np.asarray(value, y.dtype), like=y)), y.shape)
    backend.twin(y).fill(float(value), y)
    return Tensor(y)


def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None) -> Tensor:
    """A new array of one value.

    Args:
        shape: the sizes; an integer for one dimension, () for none.
        fill_value: a number, or an array that broadcasts to the shape.
        dtype: float32 unless given; an integer dtype truncates the value.

    Raises:
        ValueError: a size is negative, an integer dtype does not hold the value, or an array does not broadcast.
        TypeError: a dtype that the kernels do not take.

    Example:
        >>> dlbd.ops.full((2, 3), 0.5).numpy()
        array([[0.5, 0.5, 0.5],
               [0.5, 0.5, 0.5]], dtype=float32)
    """
    return _filled(backend.empty(_sizes(shape), FLOAT32 if dtype is None else np.dtype(dtype)), fill_value)


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)


def zeros(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A new array of zeros, float32 unless ``dtype`` says otherwise. ``shape`` is as in :func:`full`.

    Example:
        >>> dlbd.ops.zeros((2, 3)).numpy()
        array([[0., 0., 0.],
               [0., 0., 0.]], dtype=float32)
    """
    return full(shape, 0.0, dtype)


def ones(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A new array of ones, float32 unless ``dtype`` says otherwise. ``shape`` is as in :func:`full`.

    Example:
        >>> dlbd.ops.ones(3, "uint8").numpy()
        array([1, 1, 1], dtype=uint8)
    """
    return full(shape, 1.0, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A new array with the shape of ``x``, and its dtype unless given; ``fill_value`` is as in :func:`full`.

    Example:
        >>> dlbd.ops.full_like([[1.0, 2.0]], 7).numpy()
        array([[7., 7.]], dtype=float32)
    """
    a = as_tensor(x).array
    return _filled(backend.empty(a.shape, a.dtype if dtype is None else np.dtype(dtype), a), fill_value)


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros with the shape of ``x``, and its dtype unless given.

    Example:
        >>> dlbd.ops.zeros_like([True, True]).numpy()
        array([False, False])
    """
    return full_like(x, 0.0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones with the shape of ``x``, and its dtype unless given.

    Example:
        >>> dlbd.ops.ones_like([[5.0, 6.0]], dtype="uint8").numpy()
        array([[1, 1]], dtype=uint8)
    """
    return full_like(x, 1.0, dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers from ``start`` (0 when only one bound is given) up to, not including, ``stop``.

    Args:
        start, stop: the bounds.
        step: the distance, 1 unless given; may be negative.
        dtype: int32 when all of them are integers (int64 if a bound needs it), else float32, unless given.

    Raises:
        ZeroDivisionError: ``step`` is zero.

    Example:
        >>> dlbd.ops.arange(5, 0, -2).numpy().tolist()
        [5, 3, 1]
        >>> dlbd.ops.arange(0.0, 1.0, 0.25).numpy()
        array([0.  , 0.25, 0.5 , 0.75], dtype=float32)
    """
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if dtype is None:
        if any(np.asarray(v).dtype.kind == "f" for v in (start, stop, step)):
            dtype = FLOAT32
        else:
            dtype = INT32 if max(abs(int(start)), abs(int(stop))) < 2**31 else INT64
    return Tensor(as_array(np.arange(start, stop, step), dtype))


def linspace(start: float, stop: float, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Tensor:
    """``num`` numbers at equal distances from ``start`` to ``stop``.

    Args:
        start, stop: the bounds.
        num: how many numbers.
        endpoint: whether ``stop`` is the last of them, or the first that is left out.
        dtype: float32 unless given.

    Returns:
        (num,).

    Example:
        >>> dlbd.ops.linspace(0, 1, 5).numpy()
        array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
        >>> dlbd.ops.linspace(0, 1, 4, endpoint=False).numpy()
        array([0.  , 0.25, 0.5 , 0.75], dtype=float32)
    """
    return Tensor(as_array(np.linspace(start, stop, num, endpoint), FLOAT32 if dtype is None else dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on the k-th diagonal of an N x M matrix, zeros elsewhere.

    Args:
        N: rows.
        M: columns; N unless given.
        k: which diagonal: above the main one if positive, below if negative.
        dtype: float32 unless given.

    Example:
        >>> dlbd.ops.eye(2, 3, k=1).numpy()
        array([[0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    return Tensor(as_array(np.eye(N, M, k), FLOAT32 if dtype is None else dtype))


identity = eye


def convert_to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """``x`` as a tensor, of this dtype if given. A tensor of that dtype is returned itself.

    Without ``dtype`` floats become float32; int32, int64, uint8 and bool stay; other integers become int64. A NumPy
    array that needs no conversion is not copied: the tensor shares its memory.

    Args:
        x: a tensor, an array (NumPy, or anything with ``__dlpack__``), a number or nested lists of numbers.
        dtype: float32, float64, int32, int64, uint8 or bool.

    Raises:
        TypeError: complex numbers, text or objects, or a dtype that the kernels do not take.

    Example:
        >>> x = np.array([1.5, 2.5])
        >>> x.dtype, dlbd.ops.convert_to_tensor(x).dtype, dlbd.ops.convert_to_tensor(x, "float64").dtype
        (dtype('float64'), dtype('float32'), dtype('float64'))
    """
    if isinstance(x, Tensor):
        return x if dtype is None else cast_to(x, np.dtype(dtype))
    return as_tensor(x, dtype)


array = convert_to_tensor


def copy(x: Any) -> Tensor:
    """A new tensor with the values of ``x``, which gradients pass.

    Example:
        >>> x = dlbd.Variable([1.0])
        >>> y = dlbd.ops.copy(x)
        >>> x.assign([2.0]).numpy().tolist(), y.numpy().tolist()
        ([2.0], [1.0])
    """
    t = as_tensor(x)
    return moved(t, region_of(t.shape, strides_of(t.shape), 0, t.size), t.shape)


def empty(shape: int | Sequence[int], dtype: Any = None) -> Tensor:
    """A new array of whatever numbers the memory held, float32 unless ``dtype`` says otherwise.

    Example:
        >>> dlbd.ops.empty((2, 3)).shape
        (2, 3)
    """
    return Tensor(backend.empty(_sizes(shape), FLOAT32 if dtype is None else np.dtype(dtype)))


def empty_like(x: Any, dtype: Any = None) -> Tensor:
    """An array as :func:`empty` with the shape of ``x``, and its dtype unless given.

    Example:
        >>> dlbd.ops.empty_like([[1, 2]]).dtype
        dtype('int64')
    """
    a = as_tensor(x).array
    return Tensor(backend.empty(a.shape, a.dtype if dtype is None else np.dtype(dtype), a))


def convert_to_numpy(x: Any) -> Any:
    """``x`` as a NumPy array; of a tensor, a read-only view without a copy.

    Example:
        >>> dlbd.ops.convert_to_numpy(dlbd.ops.ones(2) / 2)
        array([0.5, 0.5], dtype=float32)
    """
    return np.asarray(x)


def shape(x: Any) -> tuple[int, ...]:
    """The sizes of ``x``, as a tuple of integers.

    Example:
        >>> dlbd.ops.shape([[1, 2, 3], [4, 5, 6]])
        (2, 3)
    """
    return as_tensor(x).shape


def ndim(x: Any) -> int:
    """The number of dimensions of ``x``.

    Example:
        >>> dlbd.ops.ndim([[1, 2, 3], [4, 5, 6]])
        2
    """
    return as_tensor(x).ndim


def size(x: Any) -> int:
    """The number of elements of ``x``.

    Example:
        >>> dlbd.ops.size([[1, 2, 3], [4, 5, 6]])
        6
    """
    return as_tensor(x).size


def dtype(x: Any) -> str:
    """The name of the dtype of ``x``.

    Example:
        >>> dlbd.ops.dtype([1.0, 2.0])
        'float32'
    """
    return str(x.dtype if hasattr(x, "dtype") else as_tensor(x).dtype)


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a tensor of ours; a NumPy array is none.

    Example:
        >>> dlbd.ops.is_tensor(dlbd.ops.ones(2)), dlbd.ops.is_tensor(np.ones(2))
        (True, False)
    """
    return isinstance(x, Tensor)
