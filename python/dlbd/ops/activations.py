"""Activations, with the definitions and defaults of Keras 3."""

from __future__ import annotations

from typing import Any

from dlbd.ops.compare import where
from dlbd.ops.elementwise import add, exp, minimum, multiply, sqrt, square, unary
from dlbd.ops.join import split
from dlbd.tensor import Tensor, as_float, as_tensor


def linear(x: Any) -> Tensor:
    """``x`` itself, as a tensor.

    Example:
        >>> dlbd.ops.activations.linear([-1, 2]).numpy().tolist()
        [-1, 2]
    """
    return as_tensor(x)


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """``max(x, 0)``; NaN stays NaN, the gradient at zero is zero.

    Args:
        x: any shape. int32 and int64 stay while the other arguments have their defaults; else integers become float32.
        negative_slope: ``negative_slope * (x - threshold)`` below the threshold.
        max_value: the largest result; no limit by default.
        threshold: what is not above it counts as negative.

    Returns:
        The shape of ``x``.

    Example:
        >>> dlbd.ops.relu([-2.0, 0.5, 9.0]).numpy()
        array([0. , 0.5, 9. ], dtype=float32)
        >>> dlbd.ops.relu([-2.0, 0.5, 9.0], negative_slope=0.25, max_value=6, threshold=1).numpy()
        array([-0.75 , -0.125,  6.   ], dtype=float32)
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
    """``x`` above zero, ``negative_slope * x`` below (Maas et al. 2013).

    Args:
        x: any shape; integers become float32.
        negative_slope: also the gradient at zero; 0.2 by default, where the layer ``LeakyReLU`` has 0.3, as in Keras.

    Returns:
        The shape of ``x``, float.

    Example:
        >>> dlbd.ops.leaky_relu([-4.0, 3.0], negative_slope=0.25).numpy()
        array([-1.,  3.], dtype=float32)
    """
    return unary("leaky_relu", as_float(x), negative_slope)


def relu6(x: Any) -> Tensor:
    """``min(max(x, 0), 6)`` (Howard et al. 2017), of any shape; integers become float32.

    The gradient is 1 inside of (0, 6), 0 elsewhere and at both ends.

    Example:
        >>> dlbd.ops.relu6([-1, 2.5, 8]).numpy()
        array([0. , 2.5, 6. ], dtype=float32)
    """
    return unary("relu6", as_float(x))


def sigmoid(x: Any) -> Tensor:
    """``1 / (1 + exp(-x))``, of any shape; integers become float32. Exact at both ends: nothing overflows.

    The result remembers ``x``, so that a cross-entropy of it is computed from the logits and loses no digits.

    Example:
        >>> dlbd.ops.sigmoid([-1000.0, 0.0, 1.0]).numpy().round(4)
        array([0.    , 0.5   , 0.7311], dtype=float32)
    """
    x = as_float(x)
    y = unary("sigmoid", x)
    y.logits = x
    return y


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent, ``(exp(2 x) - 1) / (exp(2 x) + 1)``, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.tanh([0.0, 1.0, 50.0]).numpy().round(4)
        array([0.    , 0.7616, 1.    ], dtype=float32)
    """
    return unary("tanh", as_float(x))


def gelu(x: Any, approximate: bool = True) -> Tensor:
    """``x P(X <= x)`` for a standard normal X (Hendrycks and Gimpel 2016).

    Args:
        x: any shape; integers become float32.
        approximate: by ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))``, as in ``keras.ops``; False: by the
            error function, the default of :func:`dlbd.activations.gelu`.

    Returns:
        The shape of ``x``, float.

    Example:
        >>> dlbd.ops.gelu([-2.0, 0.0, 2.0]).numpy().round(4)
        array([-0.0454,  0.    ,  1.9546], dtype=float32)
        >>> dlbd.ops.gelu([-2.0, 0.0, 2.0], approximate=False).numpy().round(4)
        array([-0.0455,  0.    ,  1.9545], dtype=float32)
    """
    return unary("gelu_tanh" if approximate else "gelu", as_float(x))


def silu(x: Any) -> Tensor:
    """``x * sigmoid(x)``, also called swish (Ramachandran et al. 2017), of any shape; integers become float32.

    Example:
        >>> dlbd.ops.silu([-1.0, 0.0, 1.0]).numpy().round(4)
        array([-0.2689,  0.    ,  0.7311], dtype=float32)
    """
    return unary("silu", as_float(x))


swish = silu


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below (Clevert et al. 2016).

    Args:
        x: any shape; integers become float32.
        alpha: minus the limit far below zero.

    Returns:
        The shape of ``x``, float.

    Example:
        >>> dlbd.ops.elu([-1.0, 2.0], alpha=0.5).numpy().round(4)
        array([-0.3161,  2.    ], dtype=float32)
    """
    return unary("elu", as_float(x), alpha)


def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` above zero, ``alpha * (exp(x / alpha) - 1)`` below (Barron 2017).

    Unlike :func:`elu` its slope is continuous at zero for every ``alpha``.

    Args:
        x: any shape; integers become float32.
        alpha: minus the limit far below zero.

    Returns:
        The shape of ``x``, float.

    Example:
        >>> dlbd.ops.celu([-1.0, 2.0], alpha=0.5).numpy().round(4)
        array([-0.4323,  2.    ], dtype=float32)
    """
    return unary("celu", as_float(x), alpha)


def selu(x: Any) -> Tensor:
    """1.0507 times :func:`elu` with alpha 1.6733 (Klambauer et al. 2017), of any shape; integers become float32.

    With these constants a deep network keeps the mean 0 and variance 1 of its values.

    Example:
        >>> dlbd.ops.selu([-1.0, 0.0, 1.0]).numpy().round(4)
        array([-1.1113,  0.    ,  1.0507], dtype=float32)
    """
    return unary("selu", as_float(x))


def softplus(x: Any) -> Tensor:
    """``log(1 + exp(x))``, a smooth :func:`relu`, of any shape; integers become float32. Nothing overflows.

    Example:
        >>> dlbd.ops.softplus([-100.0, 0.0, 100.0]).numpy().round(4)
        array([  0.    ,   0.6931, 100.    ], dtype=float32)
    """
    return unary("softplus", as_float(x))


def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.softsign([-1.0, 0.0, 3.0]).numpy()
        array([-0.5 ,  0.  ,  0.75], dtype=float32)
    """
    return unary("softsign", as_float(x))


def hard_sigmoid(x: Any) -> Tensor:
    """``relu6(x + 3) / 6``, of any shape; integers become float32. The gradient at -3 and 3 is zero.

    Example:
        >>> dlbd.ops.hard_sigmoid([-4.0, 0.0, 1.5]).numpy().round(4)
        array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return unary("hard_sigmoid", as_float(x))


def hard_silu(x: Any) -> Tensor:
    """``x * hard_sigmoid(x)``, also called hard swish (Howard et al. 2019), of any shape; integers become float32.

    Example:
        >>> dlbd.ops.hard_silu([-1.5, 1.5, 4.0]).numpy().round(4)
        array([-0.375,  1.125,  4.   ], dtype=float32)
    """
    return unary("hard_silu", as_float(x))


hard_swish = hard_silu


def hard_tanh(x: Any) -> Tensor:
    """``x`` limited to [-1, 1], of any shape; integers become float32. The gradient at -1 and 1 is 1, beyond it 0.

    Example:
        >>> dlbd.ops.hard_tanh([-2.5, 0.25, 7.0]).numpy()
        array([-1.  ,  0.25,  1.  ], dtype=float32)
    """
    return unary("hard_tanh", as_float(x))


def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """``x`` where ``|x| > threshold``, else 0, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.hard_shrink([-1.0, 0.25, 0.5, 2.0]).numpy()
        array([-1.,  0.,  0.,  2.], dtype=float32)
    """
    return unary("hard_shrink", as_float(x), threshold)


def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """``x`` moved towards zero by ``threshold``, 0 between, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.soft_shrink([-1.0, 0.25, 0.5, 2.0]).numpy()
        array([-0.5,  0. ,  0. ,  1.5], dtype=float32)
    """
    return unary("soft_shrink", as_float(x), threshold)


def tanh_shrink(x: Any) -> Tensor:
    """``x - tanh(x)``, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.tanh_shrink([-1.0, 0.0, 3.0]).numpy().round(4)
        array([-0.2384,  0.    ,  2.0049], dtype=float32)
    """
    return unary("tanh_shrink", as_float(x))


def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """``x`` where it is above ``threshold``, else ``default_value``, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.threshold([0.5, 1.0, 2.0], threshold=1.0, default_value=-3.0).numpy()
        array([-3., -3.,  2.], dtype=float32)
    """
    return unary("threshold", as_float(x), threshold, default_value)


def log_sigmoid(x: Any) -> Tensor:
    """``log(sigmoid(x))``, exact at both ends, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.log_sigmoid([-100.0, 0.0, 3.0]).numpy().round(4)
        array([-1.000e+02, -6.931e-01, -4.860e-02], dtype=float32)
    """
    return unary("log_sigmoid", as_float(x))


def mish(x: Any) -> Tensor:
    """``x * tanh(softplus(x))`` (Misra 2019), of any shape; integers become float32.

    Example:
        >>> dlbd.ops.mish([-1.0, 0.0, 2.0]).numpy().round(4)
        array([-0.3034,  0.    ,  1.944 ], dtype=float32)
    """
    return unary("mish", as_float(x))


def squareplus(x: Any, b: float = 4) -> Tensor:
    """``(x + sqrt(x^2 + b)) / 2``, a :func:`softplus` without exponentials (Barron 2021).

    Args:
        x: any shape; integers become float32.
        b: how round the corner at zero is; 0 gives ``relu``.

    Returns:
        The shape of ``x``, float.

    Example:
        >>> dlbd.ops.squareplus([-1.5, 0.0, 1.5]).numpy()
        array([0.5, 1. , 2. ], dtype=float32)
    """
    x = as_float(x)
    return multiply(add(x, sqrt(add(square(x), b))), 0.5)


def sparse_plus(x: Any) -> Tensor:
    """0 up to -1, ``(x + 1)^2 / 4`` to 1, ``x`` above: a :func:`softplus` with zeros, of any shape.

    Integers become float32.

    Example:
        >>> dlbd.ops.sparse_plus([-2.0, 0.0, 3.0]).numpy()
        array([0.  , 0.25, 3.  ], dtype=float32)
    """
    x = as_float(x)
    bend = unary("clip", x, -1.0, 1.0)
    return add(unary("relu", add(x, -1.0)), multiply(square(add(bend, 1.0)), 0.25))


def sparse_sigmoid(x: Any) -> Tensor:
    """``(x + 1) / 2`` limited to [0, 1]: the derivative of :func:`sparse_plus`, of any shape; integers become float32.

    Example:
        >>> dlbd.ops.sparse_sigmoid([-2.0, 0.0, 0.5]).numpy()
        array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return unary("clip", multiply(add(as_float(x), 1.0), 0.5), 0.0, 1.0)


def glu(x: Any, axis: int = -1) -> Tensor:
    """Gated linear unit (Dauphin et al. 2017): the first half of ``x`` along an axis times the sigmoid of the second.

    Args:
        x: of even size along ``axis``; integers become float32.
        axis: the last by default.

    Returns:
        The shape of ``x`` with ``axis`` halved.

    Raises:
        ValueError: the axis does not exist or has an odd size.

    Example:
        >>> dlbd.ops.glu([[4.0, 8.0, 0.0, 100.0]]).numpy()
        array([[2., 8.]], dtype=float32)
    """
    first, second = split(as_float(x), 2, axis)
    return multiply(first, unary("sigmoid", second))


def exponential(x: Any) -> Tensor:
    """``exp(x)``: :func:`exp` under the name that activations use.

    Example:
        >>> dlbd.ops.exponential([0.0, 1.0]).numpy().round(4)
        array([1.    , 2.7183], dtype=float32)
    """
    return exp(x)
