"""Arithmetic that is made of other operations: remainders, powers of two, degrees, signs, steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlbd.ops.compare import equal, isinf, isnan, less, logical_and, logical_or, where
from dlbd.ops.elementwise import (
    absolute,
    add,
    cast,
    clip,
    divide,
    floor,
    log1p,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    power,
    reciprocal,
    sign,
    sin,
    sqrt,
    square,
    subtract,
)
from dlbd.ops.numeric import divide_no_nan, isclose
from dlbd.ops.reduce import all
from dlbd.tensor import Tensor, as_float, as_tensor


def trunc(x: Any) -> Tensor:
    """The next integer towards zero, as a float; the gradient is zero. Integers stay as they are.

    Example:
        >>> dlbd.ops.trunc([-1.75, 1.75]).numpy()
        array([-1.,  1.], dtype=float32)
    """
    a = as_tensor(x)
    return multiply(sign(a), floor(absolute(a))) if a.dtype.kind == "f" else a


def fmod(x1: Any, x2: Any) -> Tensor:
    """The remainder of a division that is rounded towards zero: it has the sign of ``x1``. Compare :func:`mod`.

    Example:
        >>> dlbd.ops.fmod([-7.0, 7.0], [3.0, -3.0]).numpy()
        array([-1.,  1.], dtype=float32)
    """
    return multiply(sign(x1), mod(absolute(x1), absolute(x2)))


def fmax(x1: Any, x2: Any) -> Tensor:
    """The larger of both; where one is NaN, the other one.

    Example:
        >>> dlbd.ops.fmax([1.0, np.nan], [0.5, 2.0]).numpy()
        array([1., 2.], dtype=float32)
    """
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


def fmin(x1: Any, x2: Any) -> Tensor:
    """The smaller of both; where one is NaN, the other one.

    Example:
        >>> dlbd.ops.fmin([1.0, np.nan], [0.5, 2.0]).numpy()
        array([0.5, 2. ], dtype=float32)
    """
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


def fabs(x: Any) -> Tensor:
    """``|x|`` as a float.

    Example:
        >>> dlbd.ops.fabs([-2, 3]).numpy()
        array([2., 3.], dtype=float32)
    """
    return absolute(as_float(x))


def hypot(x1: Any, x2: Any) -> Tensor:
    """``sqrt(x1^2 + x2^2)``, without overflow; integers become float32.

    Example:
        >>> dlbd.ops.hypot([3.0, 3e30], [4.0, 4e30]).numpy()
        array([5.e+00, 5.e+30], dtype=float32)
    """
    a, b = absolute(as_float(x1)), absolute(as_float(x2))
    longer = maximum(a, b)
    y = multiply(longer, sqrt(add(square(divide_no_nan(minimum(a, b), longer)), 1.0)))
    return where(logical_or(isinf(a), isinf(b)), math.inf, y)


def heaviside(x1: Any, x2: Any) -> Tensor:
    """0 for negative ``x1``, 1 for positive, and ``x2`` where it is zero; NaN stays.

    Example:
        >>> dlbd.ops.heaviside([-1.5, 0.0, 2.0], 0.5).numpy()
        array([0. , 0.5, 1. ], dtype=float32)
    """
    a = as_tensor(x1)
    return where(equal(a, 0), x2, where(isnan(a), a, cast(less(0, a), a.dtype)))


def exp2(x: Any) -> Tensor:
    """2 to the power of ``x``; integers become float32.

    Example:
        >>> dlbd.ops.exp2([3, -1]).numpy()
        array([8. , 0.5], dtype=float32)
    """
    return power(2.0, as_float(x))


def ldexp(x1: Any, x2: Any) -> Tensor:
    """``x1 * 2 ** x2`` for whole numbers ``x2``.

    Example:
        >>> dlbd.ops.ldexp([0.75, 1.0], [2, -1]).numpy()
        array([3. , 0.5], dtype=float32)
    """
    a, exponent = as_float(x1), as_float(x2)
    half = floor(multiply(exponent, 0.5))  # in two steps: 2 ** x2 itself may be too large or too small for a float
    return multiply(multiply(a, exp2(half)), exp2(subtract(exponent, half)))


def logaddexp2(x1: Any, x2: Any) -> Tensor:
    """``log2(2^x1 + 2^x2)``, without overflow.

    Example:
        >>> float(dlbd.ops.logaddexp2(1000.0, 1000.0))
        1001.0
    """
    a, b = as_float(x1), as_float(x2)
    rest = log1p(exp2(negative(absolute(subtract(a, b)))))
    return add(maximum(a, b), multiply(rest, 1 / math.log(2)))


def sinc(x: Any) -> Tensor:
    """``sin(pi x) / (pi x)``, 1 at zero.

    Example:
        >>> dlbd.ops.sinc([0.0, 0.5]).numpy().round(4)
        array([1.    , 0.6366], dtype=float32)
    """
    angle = multiply(as_float(x), math.pi)
    nothing = equal(angle, 0)
    apart = where(nothing, 1.0, angle)
    return where(nothing, 1.0, divide(sin(apart), apart))


def deg2rad(x: Any) -> Tensor:
    """Degrees as radians.

    Example:
        >>> float(dlbd.ops.deg2rad(180.0)) == float(np.float32(np.pi))
        True
    """
    return multiply(as_float(x), math.pi / 180)


def rad2deg(x: Any) -> Tensor:
    """Radians as degrees.

    Example:
        >>> dlbd.ops.rad2deg([0.0, np.pi / 2]).numpy().round(4)
        array([ 0., 90.], dtype=float32)
    """
    return multiply(as_float(x), 180 / math.pi)


def signbit(x: Any) -> Tensor:
    """Whether ``x`` is less than zero, or the negative zero.

    Example:
        >>> dlbd.ops.signbit([-1.0, -0.0, 0.0]).numpy()
        array([ True,  True, False])
    """
    a = as_tensor(x)
    below = less(a, 0)
    return logical_or(below, logical_and(equal(a, 0), less(reciprocal(a), 0))) if a.dtype.kind == "f" else below


def isposinf(x: Any) -> Tensor:
    """Whether ``x`` is positive infinity.

    Example:
        >>> dlbd.ops.isposinf([np.inf, -np.inf]).numpy()
        array([ True, False])
    """
    return equal(x, math.inf)


def isneginf(x: Any) -> Tensor:
    """Whether ``x`` is negative infinity.

    Example:
        >>> dlbd.ops.isneginf([np.inf, -np.inf]).numpy()
        array([False,  True])
    """
    return equal(x, -math.inf)


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all elements are close, as :func:`isclose` says.

    Example:
        >>> bool(dlbd.ops.allclose([1.0, 2.0], [1.0, 2.1]))
        False
    """
    return all(isclose(x1, x2, rtol, atol, equal_nan))


def saturate_cast(x: Any, dtype: Any) -> Tensor:
    """``x`` in another dtype; what lies beyond its range takes the nearest value of it. Compare :func:`cast`.

    Example:
        >>> dlbd.ops.saturate_cast([-5, 300], "uint8").numpy()
        array([  0, 255], dtype=uint8)
    """
    kind, a = np.dtype(dtype), as_tensor(x)
    if kind.kind in "iu" and a.dtype.kind in "iu":
        limits = np.iinfo(kind)
        a = clip(a, int(limits.min), int(limits.max))
    return cast(a, kind)
