"""Inverse functions, element by element: of sine, cosine, tangent, their hyperbolic kin, the cube and erf."""

from __future__ import annotations

from typing import Any

from dlbd.ops.elementwise import unary
from dlbd.tensor import Tensor, as_float


def arcsin(x: Any) -> Tensor:
    """The angle from -pi/2 to pi/2 with this sine; NaN beyond [-1, 1]. Integers become float32.

    Example:
        >>> dlbd.ops.arcsin([0.0, 0.5, 1.0]).numpy().round(4)
        array([0.    , 0.5236, 1.5708], dtype=float32)
    """
    return unary("arcsin", as_float(x))


def arccos(x: Any) -> Tensor:
    """The angle from 0 to pi with this cosine; NaN beyond [-1, 1]. Integers become float32.

    Example:
        >>> dlbd.ops.arccos([1.0, 0.5, -1.0]).numpy().round(4)
        array([0.    , 1.0472, 3.1416], dtype=float32)
    """
    return unary("arccos", as_float(x))


def arctan(x: Any) -> Tensor:
    """The angle from -pi/2 to pi/2 with this tangent. Integers become float32.

    Example:
        >>> dlbd.ops.arctan([0, 1, -np.inf]).numpy().round(4)
        array([ 0.    ,  0.7854, -1.5708], dtype=float32)
    """
    return unary("arctan", as_float(x))


def arcsinh(x: Any) -> Tensor:
    """``log(x + sqrt(x^2 + 1))``, the inverse of the hyperbolic sine. Integers become float32.

    Example:
        >>> dlbd.ops.arcsinh([0.0, 1.0, -1e30]).numpy().round(4)
        array([  0.    ,   0.8814, -69.7707], dtype=float32)
    """
    return unary("arcsinh", as_float(x))


def arccosh(x: Any) -> Tensor:
    """``log(x + sqrt(x^2 - 1))``, the inverse of the hyperbolic cosine; NaN below 1. Integers become float32.

    Example:
        >>> dlbd.ops.arccosh([1.0, 2.0, 0.5]).numpy().round(4)
        array([0.   , 1.317,   nan], dtype=float32)
    """
    return unary("arccosh", as_float(x))


def arctanh(x: Any) -> Tensor:
    """``log((1 + x) / (1 - x)) / 2``, the inverse of the hyperbolic tangent; NaN beyond [-1, 1]. Integers give float32.

    Example:
        >>> dlbd.ops.arctanh([0.0, 0.5, 1.0]).numpy().round(4)
        array([0.    , 0.5493,    inf], dtype=float32)
    """
    return unary("arctanh", as_float(x))


def cbrt(x: Any) -> Tensor:
    """The cube root, of negative numbers too; the gradient at zero is infinite. Integers become float32.

    Example:
        >>> dlbd.ops.cbrt([27, -8]).numpy()
        array([ 3., -2.], dtype=float32)
    """
    return unary("cbrt", as_float(x))


def erfinv(x: Any) -> Tensor:
    """The number whose :func:`erf` is ``x``; infinite at -1 and 1, NaN beyond. Integers become float32.

    Example:
        >>> dlbd.ops.erfinv([0.0, 0.5, -1.0]).numpy().round(4)
        array([0.    , 0.4769,   -inf], dtype=float32)
    """
    return unary("erfinv", as_float(x))
