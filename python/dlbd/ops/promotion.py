"""Which dtype an operation of several operands computes in.

The rule: float64 if any tensor is float64; else float32 if any is a float; else the widest of int64, int32, uint8 and
bool.
A Python number takes the dtype of the other operand, except that a float makes integers float32, and an integer makes
booleans int32. A NumPy array enters as :func:`dlbd.tensor.as_array` says, or as float64 beside a float64 tensor.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from dlbd import autograd, backend, devices
from dlbd.autograd import Gradients
from dlbd.backend import BOOL, FLOAT32, FLOAT64, INT32, INT64, UINT8, Array
from dlbd.tensor import Tensor, as_array, as_tensor, lies_on_gpu

_ORDER = (BOOL, UINT8, INT32, INT64, FLOAT32, FLOAT64)
_WIDER = {(a, b): _ORDER[max(i, j)] for i, a in enumerate(_ORDER) for j, b in enumerate(_ORDER)}


def wider(first: np.dtype[Any], *others: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that tensors of these dtypes meet in."""
    for dtype in others:
        first = _WIDER[first, dtype]
    return first


def cast_to(x: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """``x`` in another dtype; differentiable between floats."""
    a = x.array
    if a.dtype == dtype:
        return x
    y = Tensor(backend.empty(a.shape, dtype, a))
    backend.twin(a).cast(a, y.array)
    if autograd.recording() and a.dtype.kind == "f" and dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _cast_gradient(grads, x, y))
    return y


def _cast_gradient(grads: Gradients, x: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    if dy is not None and grads.wants(x):
        dx = backend.empty(x.array.shape, x.array.dtype, dy)
        backend.twin(dy).cast(dy, dx)
        grads.give(x, dx)


@lru_cache(maxsize=1024)
def _constant(value: Any, negative_zero: bool, dtype: np.dtype[Any]) -> Tensor:
    return Tensor(np.array(value, dtype))


@lru_cache(maxsize=1024)
def _device_constant(value: Any, negative_zero: bool, dtype: np.dtype[Any], gpu: int) -> Tensor:
    with devices.device(f"cuda:{gpu}"):
        return Tensor(backend.place(np.array(value, dtype)))


def constant(value: float, like: Array, dtype: np.dtype[Any] | None = None) -> Tensor:
    """A Python number as a tensor without dimensions, where ``like`` is; the same object each time."""
    dtype = like.dtype if dtype is None else dtype
    negative_zero = value == 0 and math.copysign(1.0, value) < 0
    if isinstance(like, np.ndarray):
        return _constant(value, negative_zero, dtype)
    return _device_constant(value, negative_zero, dtype, like.device.id)


def _beside(value: float, like: Array) -> Tensor:
    """A Python number beside a tensor on ``like``."""
    dtype = like.dtype
    if dtype.kind != "f":
        if isinstance(value, float):
            dtype = FLOAT32
        elif dtype == BOOL and not isinstance(value, bool):
            dtype = INT32
        try:
            return constant(value, like, dtype)
        except OverflowError:  # 300 beside uint8
            dtype = INT64
    return constant(value, like, dtype)


def _enter(x: Any, like: Array) -> Tensor:
    """Something that is not a tensor beside a tensor on ``like``."""
    if isinstance(x, (int, float)):
        return _beside(x, like)
    a = x if lies_on_gpu(x) else np.asarray(x)
    return Tensor(as_array(a, FLOAT64 if a.dtype.kind == "f" and like.dtype == FLOAT64 else None, like))


def operands(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors of one dtype."""
    if isinstance(x1, Tensor):
        if not isinstance(x2, Tensor):
            x2 = _enter(x2, x1.array)
    elif isinstance(x2, Tensor):
        x1 = _enter(x1, x2.array)
    elif isinstance(x1, (int, float)):
        x2 = Tensor(as_array(x2))
        x1 = _enter(x1, x2.array)
    else:
        x1 = Tensor(as_array(x1))
        x2 = _enter(x2, x1.array)
    d1, d2 = x1.array.dtype, x2.array.dtype
    if d1 is d2 or d1 == d2:
        return x1, x2
    dtype = _WIDER[d1, d2]
    return cast_to(x1, dtype), cast_to(x2, dtype)


def floats(*values: Any) -> tuple[Any, ...]:
    """The operands of a float operation as tensors of one dtype: float64 if any tensor is, else float32. None stays."""
    arrays = [v.array for v in values if isinstance(v, Tensor)]
    dtype = FLOAT64 if any(a.dtype == FLOAT64 for a in arrays) else FLOAT32
    like = arrays[0] if arrays else None
    return tuple(
        v if v is None else cast_to(v, dtype) if isinstance(v, Tensor) else as_tensor(v, dtype, like) for v in values
    )
