"""Bias and activation that ride in the epilogue of ``dense`` and ``conv``, and the way back through them."""

from __future__ import annotations

from typing import Any

from dlbd import _cpu, backend
from dlbd.autograd import Gradients
from dlbd.backend import Array
from dlbd.tensor import Tensor

LINEAR = _cpu.Activation("linear")
_LEAKY_SLOPE = 0.2  # Keras's default of the activation "leaky_relu"
_FUSED = {
    None: LINEAR,
    "linear": LINEAR,
    "relu": _cpu.Activation("relu"),
    "leaky_relu": _cpu.Activation("leaky_relu", _LEAKY_SLOPE),
    "sigmoid": _cpu.Activation("sigmoid"),
    "tanh": _cpu.Activation("tanh"),
    "elu": _cpu.Activation("elu", 1.0),
    "softplus": _cpu.Activation("softplus"),
}


def fused_activation(op: str, activation: Any) -> Any:
    """What a kernel takes for an activation's name (or for an ``_cpu.Activation`` with a slope of its own)."""
    try:
        return _FUSED[activation]
    except (KeyError, TypeError):
        if isinstance(activation, _cpu.Activation):
            return activation
        names = ", ".join(str(name) for name in _FUSED)
        raise ValueError(f"[{op}] activation must be one of {names}; received {activation!r}") from None


def before_activation(grads: Gradients, bias: Tensor | None, y: Tensor, act: Any) -> Array:
    """dz = dy act'(y); the bias's gradient, the sum of dz over all axes but the last, is written on the way."""
    dy = grads.of(y)
    assert dy is not None
    db, accumulate = grads.into(bias) if bias is not None else (None, False)
    linear = act is LINEAR
    if db is None and linear:
        return dy
    dz = dy if linear else backend.empty(dy.shape, dy.dtype, dy)
    backend.twin(dy).epilogue_backward(dy, None if linear else y.array, act, None if linear else dz, db, accumulate)
    return dz
