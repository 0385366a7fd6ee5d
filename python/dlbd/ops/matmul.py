"""Matrix products."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import twin
from dlbd.ops.epilogue import LINEAR, before_activation, fused_activation
from dlbd.ops.join import broadcast_to
from dlbd.ops.promotion import floats
from dlbd.ops.reduce import sum_to
from dlbd.tensor import Tensor, as_float

Shape = tuple[int, ...]


@lru_cache(maxsize=4096)
def _gemm_shape(*key: Any) -> Any:
    return _cpu.GemmShape(*key)


class _Product(NamedTuple):
    """What one product needs to know: its sizes, checked once."""

    shape: Any
    y_shape: Shape
    sizes: tuple[int, int, int, int]  # batch, M, N, K
    shared: bool  # one matrix of x1 for the whole batch
    key: tuple[Any, str]  # dtype and path
    # An operand with a part of the batch's dimensions is repeated to this shape first.
    repeat: tuple[Shape | None, Shape | None] | None


@lru_cache(maxsize=4096)
def _product(a: Shape, b: Shape, dtype: Any, path: str) -> _Product:
    if not a or not b or a[-1] != b[-2:][0]:
        raise ValueError(f"[matmul] x1 (..., M, K) and x2 (..., K, N) do not fit; received {a} and {b}")
    m, k, n = 1 if len(a) == 1 else a[-2], a[-1], 1 if len(b) == 1 else b[-1]
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise ValueError(f"[matmul] the batch dimensions of {a} and {b} do not broadcast together") from None
    y_shape = (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))
    count = prod(batch)
    one_a, one_b = prod(a[:-2]) == 1, prod(b[:-2]) == 1
    key = backend.DTYPE[dtype], path
    whole_a = a if one_a or prod(a[:-2]) == count else (*batch, *a[-2:])
    whole_b = b if one_b or prod(b[:-2]) == count else (*batch, *b[-2:])
    if whole_a != a or whole_b != b:
        repeat = (None if whole_a == a else whole_a), (None if whole_b == b else whole_b)
        return _Product(None, y_shape, (count, m, n, k), False, key, repeat)
    if one_b:  # one product of all rows
        m, count = m * count, 1
    shared = one_a and count != 1
    shape = _gemm_shape(count, m, n, k, False, False, shared, False, *key)
    return _Product(shape, y_shape, (count, m, n, k), shared, key, None)


def matmul(x1: Any, x2: Any) -> Tensor:
    """Matrix product of the last two dimensions, with NumPy's broadcasting of the others.

    Args:
        x1: (..., M, K) or (K,); float, integers are taken as float32.
        x2: (..., K, N) or (K,).

    Returns:
        (..., M, N), without M or N where an operand has one dimension; float64 if either is.

    Raises:
        ValueError: the two K differ, an operand is a scalar, or the leading dimensions do not broadcast together.

    Example:
        >>> dlbd.ops.matmul([[1, 2], [3, 4]], [[0, 1], [1, 0]]).numpy()
        array([[2., 1.],
               [4., 3.]], dtype=float32)
        >>> dlbd.ops.matmul(np.ones((5, 1, 2, 3)), np.ones((4, 3, 1))).shape
        (5, 4, 2, 1)
    """
    a, b = as_float(x1), as_float(x2)
    left, right = a.array, b.array
    dtype = left.dtype
    if dtype != right.dtype:
        return matmul(*floats(x1, x2))
    product = _product(left.shape, right.shape, dtype, backend.path.get("gemm", "auto"))
    if product.repeat:
        whole_a, whole_b = product.repeat
        return matmul(broadcast_to(a, whole_a) if whole_a else a, broadcast_to(b, whole_b) if whole_b else b)
    y = Tensor(backend.empty(product.y_shape, dtype, left))
    twin(left).gemm(product.shape, left, right, None, y.array, LINEAR, False)
    if autograd.recording():
        autograd.note((a, b), (y,), lambda grads: _matmul_gradient(grads, product, a, b, y))
    return y


def _matmul_gradient(grads: Gradients, product: _Product, a: Tensor, b: Tensor, y: Tensor) -> None:
    """dA = dY B^T, dB = A^T dY."""
    batch, m, n, k = product.sizes
    dy = grads.of(y)
    assert dy is not None
    gemm = twin(dy).gemm
    if grads.wants(a):
        shape = _gemm_shape(batch, m, k, n, False, True, False, False, *product.key)
        if product.shared:  # its gradient is the sum over the batch
            each = backend.empty(
                (*product.y_shape[: y.ndim - (b.ndim > 1) - (a.ndim > 1)], *a.shape[-2:]), dy.dtype, dy
            )
            gemm(shape, dy, b.array, None, each, LINEAR, False)
            sum_to(grads, a, each)
        else:
            da, accumulate = grads.into(a)
            gemm(shape, dy, b.array, None, da, LINEAR, accumulate)
    db, accumulate = grads.into(b)
    if db is not None:
        shape = _gemm_shape(batch, k, n, m, True, False, product.shared, False, *product.key)
        gemm(shape, a.array, dy, None, db, LINEAR, accumulate)


@lru_cache(maxsize=4096)
def _dense_product(x: Shape, kernel: Shape, bias: Shape | None, dtype: Any, path: str) -> _Product:
    if not x or len(kernel) != 2 or x[-1] != kernel[0]:
        raise ValueError(f"[dense] x (..., K) and kernel (K, N) do not fit; received {x} and {kernel}")
    if bias is not None and bias != kernel[1:]:
        raise ValueError(f"[dense] bias must have shape {kernel[1:]}, that of the kernel's columns; received {bias}")
    sizes = 1, prod(x[:-1]), kernel[1], kernel[0]
    key = backend.DTYPE[dtype], path
    shape = _gemm_shape(*sizes, False, False, False, False, *key)
    return _Product(shape, (*x[:-1], kernel[1]), sizes, False, key, None)


def dense(x: Any, kernel: Any, bias: Any = None, activation: Any = None) -> Tensor:
    """``activation(x @ kernel + bias)`` in one launch.

    Args:
        x: (..., K), float; integers are taken as float32. All three meet in float64 if one is a float64 tensor.
        kernel: (K, N).
        bias: (N,) or None.
        activation: None, "linear", "relu", "leaky_relu" (slope 0.2), "sigmoid", "tanh", "elu" or "softplus".

    Returns:
        (..., N).

    Raises:
        ValueError: shapes do not fit, or another activation.
        TypeError: ``x``, ``kernel`` and ``bias`` differ in dtype.

    Example:
        >>> dlbd.ops.dense([[1.0, -2.0]], [[1.0, 0.0], [1.0, 1.0]], bias=[4.0, 0.5], activation="relu").numpy()
        array([[3., 0.]], dtype=float32)
    """
    act = fused_activation("dense", activation)
    t, w = as_float(x), as_float(kernel)
    b = None if bias is None else as_float(bias)
    array, weights = t.array, w.array
    dtype = array.dtype
    if dtype != weights.dtype or (b is not None and dtype != b.array.dtype):
        t, w, b = floats(x, kernel, bias)
        return dense(t, w, b, activation)
    path = backend.path.get("gemm", "auto")
    product = _dense_product(array.shape, weights.shape, None if b is None else b.array.shape, dtype, path)
    y = Tensor(backend.empty(product.y_shape, dtype, array))
    twin(array).gemm(product.shape, array, weights, None if b is None else b.array, y.array, act, False)
    if autograd.recording():
        inputs = (t, w) if b is None else (t, w, b)
        autograd.note(inputs, (y,), lambda grads: _dense_gradient(grads, product, t, w, b, y, act))
    return y


def _dense_gradient(
    grads: Gradients, product: _Product, x: Tensor, w: Tensor, b: Tensor | None, y: Tensor, act: Any
) -> None:
    """dZ = dY act'(Y), db = sum of dZ, dX = dZ W^T, dW = X^T dZ."""
    batch, m, n, k = product.sizes
    dz = before_activation(grads, b, y, act)
    gemm = twin(dz).gemm
    dw, accumulate = grads.into(w)
    if dw is not None:
        shape = _gemm_shape(batch, k, n, m, True, False, False, False, *product.key)
        gemm(shape, x.array, dz, None, dw, LINEAR, accumulate)
    dx, accumulate = grads.into(x)
    if dx is not None:
        shape = _gemm_shape(batch, m, k, n, False, True, False, False, *product.key)
        gemm(shape, dz, w.array, None, dx, LINEAR, accumulate)
