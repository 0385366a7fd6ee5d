"""As much of CuPy as dlbd uses, over host memory: for the module that is built with DLBD_CUDA_EMULATION only.

Arrays are not NumPy's and refuse to become them silently, as CuPy's do, so that arithmetic that was left on the host
shows as an error. New memory is filled with 0xFF bytes: NaN for a float that nobody wrote.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from . import cuda

__version__ = "14.0.emulated"


class ndarray:
    __slots__ = ("__weakref__", "_host", "base", "data")
    __array_priority__ = 100

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None) -> None:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = np.dtype(dtype)
        bytes_wanted = math.prod(shape) * dtype.itemsize
        self.data = cuda.alloc(bytes_wanted) if memptr is None else memptr
        raw = (ctypes.c_char * bytes_wanted).from_address(self.data.ptr) if bytes_wanted else bytearray()
        self._host = np.frombuffer(raw, dtype).reshape(shape)
        self.base = None

    @classmethod
    def _view(cls, host: np.ndarray, base: ndarray) -> ndarray:
        made = cls.__new__(cls)
        made._host = host
        made.data = base.data + (host.ctypes.data - base.data.ptr) if host.size else base.data
        made.base = base
        return made

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct one.")

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    device = property(lambda self: cuda.Device(self.data.device_id))
    _c_contiguous = property(lambda self: self._host.flags.c_contiguous)
    T = property(lambda self: ndarray._view(self._host.T, self))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.data.ptr, False),
            "version": 3,
            "strides": None if self._c_contiguous else self.strides,
            "stream": 1,
        }

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        if out is None:
            return np.array(self._host, order="C")
        out[...] = self._host
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError(f"only numpy.ndarray can be set to cupy.ndarray; received {type(arr).__name__}")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        self._host[...] = arr

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        return ndarray._view(self._host.reshape(wanted), self)

    def ravel(self) -> ndarray:
        return self.reshape(-1)

    def transpose(self, *axes: Any) -> ndarray:
        return ndarray._view(self._host.transpose(*axes), self)

    def view(self, dtype: Any = None) -> ndarray:
        return ndarray._view(self._host.view() if dtype is None else self._host.view(dtype), self)

    def copy(self, order: str = "C") -> ndarray:
        made = ndarray(self.shape, self.dtype)
        made._host[...] = self._host
        return made

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        if not copy and self.dtype == dtype:
            return self
        made = ndarray(self.shape, dtype)
        made._host[...] = self._host.astype(dtype)
        return made

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    __copy__ = copy

    def __reduce__(self) -> Any:
        return array, (self.get(),)

    def fill(self, value: Any) -> None:
        self._host.fill(value)

    def item(self) -> Any:
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    def __len__(self) -> int:
        return len(self._host)

    def __getitem__(self, key: Any) -> ndarray:
        found = self._host[key]
        if not isinstance(found, np.ndarray):  # CuPy gives 0-d arrays, not numbers
            found = self._host[(*key, None) if isinstance(key, tuple) else (key, None)].reshape(())
        return ndarray._view(found, self)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        self._host[key] = value._host if isinstance(value, ndarray) else value

    def __bool__(self) -> bool:
        return bool(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __str__(self) -> str:
        return str(self._host)


def asarray(a: Any, dtype: Any = None, order: Any = None) -> ndarray:
    if isinstance(a, ndarray):
        wanted = a.dtype if dtype is None else np.dtype(dtype)
        return a if wanted == a.dtype else a.astype(wanted)
    host = np.asarray(a, dtype)
    made = ndarray(host.shape, host.dtype.newbyteorder("="))
    made._host[...] = host
    return made


array = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    found = asarray(a, dtype)
    if not found.ndim:  # as CuPy's and NumPy's
        return found.reshape(1)
    return found if found._c_contiguous else found.copy()


def asnumpy(a: Any) -> np.ndarray:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def empty(shape: Any, dtype: Any = float) -> ndarray:
    return ndarray(shape, dtype)


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    made = ndarray(shape, dtype)
    made._host[...] = 0
    return made


_default_pool = cuda.MemoryPool()


def get_default_memory_pool() -> cuda.MemoryPool:
    return _default_pool
