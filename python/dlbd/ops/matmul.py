"""Matrix products."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.tensor import Tensor, as_tensor

_linear = _cpu.Activation("linear")


@lru_cache(maxsize=4096)
def _gemm_shape(*key: Any) -> Any:
    return _cpu.GemmShape(*key)


def matmul(x1: Any, x2: Any) -> Tensor:
    """Matrix product of the last two dimensions.

    Args:
        x1: (..., M, K), float.
        x2: (K, N) or (..., K, N) with the batch dimensions of ``x1``.

    Returns:
        (..., M, N).
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2] or (b.ndim > 2 and a.shape[:-2] != b.shape[:-2]):
        raise ValueError(f"[matmul] x1 (..., M, K) and x2 (..., K, N) do not fit; received {a.shape} and {b.shape}")
    if a.dtype != b.dtype:
        raise TypeError(f"[matmul] operands must share a dtype; received {a.dtype} and {b.dtype}")
    k, n = b.shape[-2:]
    m = a.shape[-2]
    batch = 1
    for d in a.shape[:-2]:
        batch *= d
    if b.ndim == 2:  # one big product
        m, batch = m * batch, 1
    dtype = backend.DTYPE[a.dtype]
    path = backend.path.get("gemm", "auto")
    shape = _gemm_shape(batch, m, n, k, False, False, False, False, dtype, path)
    y = Tensor(backend.empty((*a.shape[:-1], n), a.dtype, a.array))
    backend.twin(a.array).gemm(shape, a.array, b.array, None, y.array, _linear, False)
    if autograd.recording():
        sizes = batch, m, n, k, dtype, path
        autograd.note((a, b), (y,), lambda grads: _matmul_gradient(grads, sizes, a, b, y))
    return y


def _matmul_gradient(grads: Gradients, sizes: Any, a: Tensor, b: Tensor, y: Tensor) -> None:
    """dA = dY B^T, dB = A^T dY."""
    batch, m, n, k, dtype, path = sizes
    dy = grads.of(y)
    assert dy is not None
    gemm = backend.twin(dy).gemm
    da, accumulate = grads.into(a)
    if da is not None:
        shape = _gemm_shape(batch, m, k, n, False, True, False, False, dtype, path)
        gemm(shape, dy, b.array, None, da, _linear, accumulate)
    db, accumulate = grads.into(b)
    if db is not None:
        shape = _gemm_shape(batch, k, n, m, True, False, False, False, dtype, path)
        gemm(shape, a.array, dy, None, db, _linear, accumulate)
