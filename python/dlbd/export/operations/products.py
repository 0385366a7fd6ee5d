"""Matrix products, attention, softmax and normalizations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT32
from dlbd.export.graph import Value
from dlbd.export.tracing import NotInOnnx, Spec, Trace, Traced, composed
from dlbd.layers.attention import masked_softmax

# Activations that ride along in dense and conv: an operator, and its attributes.
_FUSED: dict[str, tuple[str, dict[str, float]]] = {
    "elu": ("Elu", {"alpha": 1.0}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "softplus": ("Softplus", {}),
    "tanh": ("Tanh", {}),
}


def activated(t: Trace, value: Value, activation: Any) -> Value:
    if activation in (None, "linear"):
        return value
    if activation not in _FUSED:
        raise NotInOnnx(f"the activation {activation!r} has no name that ONNX export knows")
    op, attributes = _FUSED[activation]
    return t.graph.pointwise(op, value, **attributes)


def _dense(t: Trace, y: Spec, x: Any, kernel: Any, bias: Any, activation: Any) -> Value:
    operands = [t.value(each, y.dtype) for each in (x, kernel, bias) if each is not None]
    if len(y.shape) == 2 and bias is not None:
        product = t.graph.node("Gemm", *operands)
    else:
        product = t.graph.node("MatMul", *operands[:2])
        if bias is not None:
            product = t.graph.pointwise("Add", product, operands[2])
    return activated(t, product, activation)


def _matmul(t: Trace, y: Spec, x1: Any, x2: Any) -> Value:
    return t.graph.node("MatMul", t.value(x1, y.dtype), t.value(x2, y.dtype))


def _einsum(t: Trace, y: Spec, subscripts: str, operands: Sequence[Any]) -> Value:
    return t.graph.node("Einsum", *(t.value(x, y.dtype) for x in operands), equation=subscripts)


def _attention(query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: float | None, is_causal: bool) -> Any:
    """With the matrix of scores, head by head."""
    scale = 1.0 / math.sqrt(max(1, query.shape[-1])) if scale is None else scale
    scores = ops.matmul(ops.transpose(query, (0, 2, 1, 3)), ops.transpose(key, (0, 2, 3, 1)))
    scores = scores if scale == 1.0 else scores * scale
    weights = masked_softmax(scores if bias is None else scores + bias, mask, is_causal)
    return ops.transpose(ops.matmul(weights, ops.transpose(value, (0, 2, 1, 3))), (0, 2, 1, 3))


def _softmax(op: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def operation(t: Trace, y: Spec, x: Traced, axis: Any) -> Any:
        if isinstance(axis, (tuple, list)):
            return _over_several(x, [a % x.ndim for a in axis], function)
        return t.graph.along(op, t.value(x, y.dtype), axis % x.ndim)

    return operation


def _over_several(x: Traced, axes: Sequence[int], function: Callable[..., Any]) -> Any:
    """Moved to the end and taken as one."""
    order = [*(i for i in range(x.ndim) if i not in axes), *axes]
    moved = ops.transpose(x, order)
    flat = ops.reshape(moved, (*moved.shape[: x.ndim - len(axes)], math.prod(moved.shape[x.ndim - len(axes) :])))
    return ops.transpose(ops.reshape(function(flat), moved.shape), np.argsort(order).tolist())


def _batch_normalization(
    t: Trace,
    y: Spec,
    x: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Any,
    moving_variance: Any,
    axis: int,
    momentum: float,
    epsilon: float,
    training: bool,
    mask: Any,
) -> Any:
    """ONNX's node where the channels are its second axis, which it wants; otherwise as the formula says."""
    if training:
        raise NotInOnnx("[batch_normalization] training=True: an ONNX file only predicts")
    axis %= x.ndim
    before, order = t.graph.source(t.value(x, y.dtype))
    if (axis if order is None else order[axis]) == 1:
        channels = moving_mean.shape
        scale = t.value(np.ones(channels) if gamma is None else gamma, y.dtype)
        shift = t.value(np.zeros(channels) if beta is None else beta, y.dtype)
        moments = t.value(moving_mean), t.value(moving_variance)
        normal = t.graph.node("BatchNormalization", before, scale, shift, *moments, epsilon=epsilon)
        return normal if order is None else t.graph.transposed(normal, order)
    wide = (-1, *(1,) * (x.ndim - 1 - axis))
    factor = ops.rsqrt(moving_variance + epsilon)
    factor = factor if gamma is None else factor * gamma
    normal = (x - ops.reshape(moving_mean, wide)) * ops.reshape(factor, wide)
    return normal if beta is None else normal + ops.reshape(beta, wide)


def _layer_normalization(t: Trace, y: Spec, x: Traced, gamma: Any, beta: Any, axis: Any, epsilon: float) -> Any:
    axes = sorted(a % x.ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    first = x.ndim - len(axes)
    if axes[0] != first:  # not the last ones: they are moved there and back
        order = [*(i for i in range(x.ndim) if i not in axes), *axes]
        last = ops.layer_normalization(ops.transpose(x, order), gamma, beta, list(range(first, x.ndim)), epsilon)
        return ops.transpose(last, np.argsort(order).tolist())
    if gamma is not None and y.dtype == FLOAT32:
        operands = [t.value(each, y.dtype) for each in (x, gamma, beta) if each is not None]
        return t.graph.node("LayerNormalization", *operands, axis=first, epsilon=epsilon)
    apart = x - ops.mean(x, axes, keepdims=True)
    normal = apart * ops.rsqrt(ops.mean(apart * apart, axes, keepdims=True) + epsilon)
    normal = normal if gamma is None else normal * gamma
    return normal if beta is None else normal + beta


OPERATIONS: dict[str, Callable[..., Any]] = {
    "batch_normalization": _batch_normalization,
    "dense": _dense,
    "dot_product_attention": composed(_attention),
    "einsum": _einsum,
    "layer_normalization": _layer_normalization,
    "log_softmax": _softmax("LogSoftmax", ops.log_softmax),
    "matmul": _matmul,
    "softmax": _softmax("Softmax", ops.softmax),
}
