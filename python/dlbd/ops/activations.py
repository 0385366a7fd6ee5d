"""Activations, with the definitions and defaults of Keras 3."""

from __future__ import annotations

from typing import Any

from dlbd.ops.compare import where
from dlbd.ops.elementwise import add, exp, minimum, multiply, sqrt, square, unary
from dlbd.ops.join import split
from dlbd.tensor import Tensor, as_float, as_tensor


def linear(x: Any) -> Tensor:
    """``x`` itself."""
    return as_tensor(x)


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """``max(x, 0)``; NaN stays NaN, the gradient at zero is zero.

    Args:
        negative_slope: ``negative_slope * (x - threshold)`` below the threshold.
        max_value: the largest result.
        threshold: what is not above it counts as negative.
    """
    x = as_tensor(x)
    if threshold == 0.0 and max_value is None:
        if negative_slope:
            return unary("leaky_relu", as_float(x), negative_slope)
        return unary("relu", x if x.dtype.kind == "i" else as_float(x))
    if threshold == 0.0 and not negative_slope and max_value == 6.0:
        return unary("relu6", as_float(x))
    x = as_float(x)
    above = x if threshold == 0.0 else unary("threshold", x, threshold, 0.0)
    if threshold == 0.0:
        above = unary("relu", x)
    y = above if max_value is None else minimum(above, max_value)
    if negative_slope:
        y = where(x >= threshold, y, multiply(add(x, -threshold), negative_slope))
    return y


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """``x`` above zero, ``negative_slope * x`` below."""
    return unary("leaky_relu", as_float(x), negative_slope)


def relu6(x: Any) -> Tensor:
    """``min(max(x, 0), 6)``."""
    return unary("relu6", as_float(x))


def sigmoid(x: Any) -> Tensor:
    """``1 / (1 + exp(-x))``. The result remembers ``x``, so that a cross-entropy of it is exact."""
    x = as_float(x)
    y = unary("sigmoid", x)
    y.logits = x
    return y


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return unary("tanh", as_float(x))


def gelu(x: Any, approximate: bool = True) -> Tensor:
    """``x P(X <= x)`` for a standard normal X, or its approximation by tanh (Hendrycks and Gimpel 2016)."""
    return unary("gelu_tanh" if approximate else "gelu", as_float(x))


def silu(x: Any) -> Tensor:
    """``x * sigmoid(x)``."""
    return unary("silu", as_float(x))


swish = silu


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""
    return unary("elu", as_float(x), alpha)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` above zero, ``alpha * (exp(x / alpha) - 1)`` below."""
    return unary("celu", as_float(x), alpha)


def selu(x: Any) -> Tensor:
    """1.0507 times :func:`elu` with alpha 1.6733 (Klambauer et al. 2017)."""
    return unary("selu", as_float(x))


def softplus(x: Any) -> Tensor:
    """``log(1 + exp(x))``."""
    return unary("softplus", as_float(x))


def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``."""
    return unary("softsign", as_float(x))


def hard_sigmoid(x: Any) -> Tensor:
    """``relu6(x + 3) / 6``."""
    return unary("hard_sigmoid", as_float(x))


def hard_silu(x: Any) -> Tensor:
    """``x * hard_sigmoid(x)``."""
    return unary("hard_silu", as_float(x))


hard_swish = hard_silu


def hard_tanh(x: Any) -> Tensor:
    """``x`` limited to [-1, 1]."""
    return unary("hard_tanh", as_float(x))


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """``x`` where ``|x| > threshold``, else 0."""
    return unary("hard_shrink", as_float(x), threshold)


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """``x`` moved towards zero by ``threshold``, 0 between."""
    return unary("soft_shrink", as_float(x), threshold)


def tanh_shrink(x: Any) -> Tensor:
    """``x - tanh(x)``."""
    return unary("tanh_shrink", as_float(x))


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """``x`` where it is above the threshold, else ``default_value``."""
    return unary("threshold", as_float(x), threshold, default_value)


def log_sigmoid(x: Any) -> Tensor:
    """``log(sigmoid(x))``, exact at both ends."""
    return unary("log_sigmoid", as_float(x))


def mish(x: Any) -> Tensor:
    """``x * tanh(softplus(x))``."""
    return unary("mish", as_float(x))


def squareplus(x: Any, b: float = 4) -> Tensor:
    """``(x + sqrt(x^2 + b)) / 2``."""
    x = as_float(x)
    return multiply(add(x, sqrt(add(square(x), b))), 0.5)


def glu(x: Any, axis: int = -1) -> Tensor:
    """The first half of ``x`` along an axis times the sigmoid of the second."""
    first, second = split(as_float(x), 2, axis)
    return multiply(first, unary("sigmoid", second))


def exponential(x: Any) -> Tensor:
    """``exp(x)``."""
    return exp(x)
