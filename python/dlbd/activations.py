"""Activations by name, as in Keras. The functions are those of :mod:`dlbd.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd import ops
from dlbd.ops import (
    celu,
    elu,
    exponential,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)
from dlbd.saving import objects as _objects

Activation = Callable[..., Any]


def linear(x: Any) -> Any:
    """The identity: returns ``x`` as it came.

    Example:
        >>> dlbd.activations.linear([-1.0, 2.0])
        [-1.0, 2.0]
    """
    return x


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x P(X <= x)`` for a standard normal X: :func:`dlbd.ops.gelu`, but by the error function unless ``approximate``.

    Example:
        >>> dlbd.activations.gelu([-2.0, 0.0, 2.0]).numpy().round(4)
        array([-0.0455,  0.    ,  1.9545], dtype=float32)
    """
    return ops.gelu(x, approximate)


swish = silu
hard_swish = hard_silu

_NAMED: dict[str, Activation] = {
    "celu": celu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "squareplus": squareplus,
    "swish": silu,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
    "threshold": threshold,
}

# What rides in the epilogue of dense and conv. Not sigmoid: a cross-entropy after it wants the logits, which the
# fused form does not keep.
_FUSED: dict[Activation, str] = {relu: "relu", tanh: "tanh"}


def get(identifier: Any) -> Activation:
    """The activation called ``identifier``.

    Args:
        identifier: a name ("relu", "gelu", ..., or a registered one), None for linear, or a function, which is
            returned as it is; also what :func:`dlbd.saving.serialize_keras_object` made of one.

    Raises:
        ValueError: there is no activation of that name; the message lists them all.

    Example:
        >>> dlbd.activations.get("relu") is dlbd.ops.relu
        True
        >>> dlbd.activations.get(None).__name__
        'linear'
    """
    if identifier is None:
        return linear
    identifier = _objects.registered(identifier)
    if isinstance(identifier, str) and identifier in _NAMED:
        return _NAMED[identifier]
    if isinstance(identifier, dict):
        identifier = _objects.deserialize_keras_object(identifier)
    if callable(identifier):
        return identifier  # type: ignore[no-any-return]
    raise ValueError(f"unknown activation {identifier!r}; expected a function, None or one of {sorted(_NAMED)}")


def serialize(activation: Activation) -> str | None:
    """The name under which :func:`get` finds ``activation``; the ``__name__`` of a function that it does not know.

    Example:
        >>> dlbd.activations.serialize(dlbd.activations.silu)
        'silu'
    """
    for name, function in _NAMED.items():
        if function is activation:
            return name
    return getattr(activation, "__name__", None)


deserialize = get


def split(activation: Activation) -> tuple[str | None, Activation | None]:
    """An activation as what a kernel can apply itself, and what remains to be done after it.

    Only relu and tanh ride along: sigmoid is left for afterwards, since a cross-entropy wants its logits.

    Returns:
        The ``activation`` argument for :func:`dlbd.ops.dense` and :func:`dlbd.ops.conv`, and the function to call on
        their result. One of them, or for linear both, is None.

    Example:
        >>> dlbd.activations.split(dlbd.activations.tanh)
        ('tanh', None)
        >>> name, after = dlbd.activations.split(dlbd.activations.sigmoid)
        >>> name, after.__name__
        (None, 'sigmoid')
    """
    if activation is linear:
        return None, None
    fused = _FUSED.get(activation)
    return (fused, None) if fused else (None, activation)


__all__ = ["deserialize", "get", "linear", "ops", "serialize", "swish", *sorted(_NAMED)]
