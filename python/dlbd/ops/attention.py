"""Softmax attention without the matrix of scores in memory."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL, Array
from dlbd.ops.promotion import cast_to, floats
from dlbd.ops.reduce import sum_to
from dlbd.tensor import Tensor, as_tensor


@lru_cache(maxsize=4096)
def _attention_shape(*key: Any) -> Any:
    return _cpu.AttentionShape(*key)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
) -> Tensor:
    """``softmax(scale * query @ key^T + bias, where mask) @ value``, head by head (Vaswani et al. 2017).

    The scores are computed block by block and never stored, so the memory grows with the lengths, not their product.
    A query that may see no key gives zeros, and zero gradients.

    Args:
        query: (B, Tq, heads, D), float; integers are taken as float32.
        key: (B, Tk, heads, D).
        value: (B, Tk, heads, Dv).
        bias: added to the scores; broadcasts to (B, heads, Tq, Tk).
        mask: True (or not 0) where a query sees a key; broadcasts to (B, heads, Tq, Tk).
        scale: of the products; 1 / sqrt(D) by default.
        is_causal: query i sees the keys 0 to i only.

    Returns:
        (B, Tq, heads, Dv).

    Raises:
        ValueError: shapes do not fit, or ``bias`` or ``mask`` does not broadcast.
        TypeError: query, key, value and bias differ in dtype, or the mask is float.

    Example:
        Equal scores give the mean of the values that a query sees:

        >>> zeros, value = np.zeros((1, 3, 1, 4)), np.array([1.0, 3.0, 8.0]).reshape(1, 3, 1, 1)
        >>> dlbd.ops.dot_product_attention(zeros, zeros, value, is_causal=True).numpy().ravel().round(4)
        array([1., 2., 4.], dtype=float32)
        >>> dlbd.ops.dot_product_attention(zeros, zeros, value, mask=[True, True, False]).numpy().ravel().round(4)
        array([2., 2., 2.], dtype=float32)
    """
    q, k, v, bias = floats(query, key, value, bias)
    shape = _shape(q, k, v, is_causal)
    full = q.shape[0], q.shape[2], q.shape[1], k.shape[1]
    bias_array = None if bias is None else _table(bias, full, "bias")
    mask_array = None
    if mask is not None:
        mask = as_tensor(mask)
        if mask.dtype.kind == "f":
            raise TypeError(f"[dot_product_attention] mask must be boolean or integer; received {mask.dtype}")
        mask_array = _table(cast_to(mask, BOOL), full, "mask")
    if scale is None:
        scale = 1.0 / sqrt(max(1, q.shape[-1]))
    y = Tensor(backend.empty((*q.shape[:3], v.shape[3]), q.dtype, q.array))
    noting = autograd.recording()
    lse = backend.empty(full[:3], q.dtype, q.array) if noting else None
    tables = mask_array, bias_array, scale
    backend.twin(q.array).attention_forward(shape, q.array, k.array, v.array, *tables, y.array, lse)
    if noting:
        inputs = (q, k, v) if bias is None else (q, k, v, bias)
        autograd.note(inputs, (y,), lambda grads: _attention_gradient(grads, shape, q, k, v, bias, tables, y, lse))
    return y


def _attention_gradient(
    grads: Gradients,
    shape: Any,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    tables: tuple[Array | None, Array | None, float],
    y: Tensor,
    lse: Any,
) -> None:
    """With P the softmax: dV = P^T dY, dS = P (dY V^T - rowsum(dY Y)) = dbias, dQ = scale dS K, dK = scale dS^T Q."""
    dy = grads.of(y)
    assert dy is not None
    ds = None
    if bias is not None and grads.wants(bias):
        ds = backend.zeros((q.shape[0], q.shape[2], q.shape[1], k.shape[1]), q.dtype, dy)
    # The kernel finishes dQ last, so it is asked for last: where one tensor is several of them, the others add to it.
    dk, dv = grads.into(k), grads.into(v)
    outputs = (*grads.into(q), *dk, *dv, ds)
    arrays = shape, q.array, k.array, v.array
    backend.twin(dy).attention_backward(*arrays, *tables, y.array, lse, dy, *outputs)
    if bias is not None and ds is not None:
        sum_to(grads, bias, ds)


def _shape(q: Tensor, k: Tensor, v: Tensor, is_causal: bool) -> Any:
    fits = q.ndim == k.ndim == v.ndim == 4
    fits = fits and q.shape[0] == k.shape[0] == v.shape[0] and q.shape[2] == k.shape[2] == v.shape[2]
    if not fits or k.shape[1] != v.shape[1] or q.shape[3] != k.shape[3]:
        raise ValueError(
            "[dot_product_attention] query (B, Tq, heads, D), key (B, Tk, heads, D) and value (B, Tk, heads, Dv) "
            f"do not fit; received {q.shape}, {k.shape} and {v.shape}"
        )
    b, tq, heads, d = q.shape
    return _attention_shape(b, heads, tq, k.shape[1], d, v.shape[3], bool(is_causal), backend.DTYPE[q.dtype])


def _table(x: Tensor, full: tuple[int, ...], name: str) -> Array:
    """The array with as many leading ones as (B, heads, Tq, Tk) needs, checked to broadcast to it."""
    if x.ndim > 4 or any(n not in (1, m) for n, m in zip(x.shape[::-1], full[::-1], strict=False)):
        raise ValueError(
            f"[dot_product_attention] {name} must broadcast to (B, heads, Tq, Tk) = {full}; received {x.shape}"
        )
    return x.array.reshape((1,) * (4 - x.ndim) + x.shape)
