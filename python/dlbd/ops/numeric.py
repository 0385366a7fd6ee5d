"""Small functions that others are made of: norms, moments, comparisons within a tolerance, hyperbolic functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.ops.compare import equal, isfinite, isnan, less_equal, logical_and, logical_or, not_equal, where
from dlbd.ops.elementwise import (
    absolute,
    add,
    cast,
    divide,
    exp,
    expm1,
    log1p,
    maximum,
    multiply,
    negative,
    power,
    sqrt,
    square,
    subtract,
)
from dlbd.ops.reduce import max, mean, min, sum, var
from dlbd.ops.shape import expand_dims
from dlbd.tensor import Tensor, as_float, as_tensor

Axis = int | Sequence[int] | None


def stop_gradient(variable: Any) -> Tensor:
    """The same numbers, through which no gradient goes back.

    Example:
        >>> x = dlbd.Variable([3.0])
        >>> with dlbd.GradientTape() as tape:
        ...     y = x * dlbd.ops.stop_gradient(x)
        >>> tape.gradient(y, x).numpy().tolist()
        [3.0]
    """
    x = as_tensor(variable)
    y = Tensor(x.array)
    y.mask = x.mask
    return y


def divide_no_nan(x1: Any, x2: Any) -> Tensor:
    """``x1 / x2``, and 0 where ``x2`` is 0.

    Example:
        >>> dlbd.ops.divide_no_nan([1.0, 2.0], [0.0, 4.0]).numpy()
        array([0. , 0.5], dtype=float32)
    """
    divisor = as_tensor(x2)
    nothing = equal(divisor, 0)
    return where(nothing, 0.0, divide(x1, where(nothing, 1, divisor)))


def average(x: Any, axis: Axis = None, weights: Any = None) -> Tensor:
    """The mean, weighted.

    Args:
        x: float; integers are taken as float32.
        axis: which axes go; all by default.
        weights: of the shape of ``x``, or a vector along one ``axis``; 1 by default.

    Example:
        >>> float(dlbd.ops.average([1.0, 2.0], weights=[3.0, 1.0]))
        1.25
    """
    a = as_float(x)
    if weights is None:
        return mean(a, axis)
    w = as_float(weights)
    if w.shape != a.shape:
        if not isinstance(axis, int) or w.shape != (a.shape[axis],):
            raise ValueError(f"[average] weights of shape {w.shape} do not fit {a.shape} along axis {axis}")
        for _ in range(a.ndim - 1 - axis % a.ndim):
            w = expand_dims(w, -1)
        w = multiply(w, add(multiply(a, 0.0), 1.0))
    return divide(sum(multiply(a, w), axis), sum(w, axis))


def moments(x: Any, axes: Axis, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance along ``axes``.

    Example:
        >>> [float(m) for m in dlbd.ops.moments([1.0, 3.0], axes=0)]
        [2.0, 1.0]
    """
    a = as_float(x)
    return mean(a, axes, keepdims), var(a, axes, keepdims)


def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors, or the Frobenius norm.

    Args:
        x: float; integers are taken as float32.
        ord: None or 2 (Euclidean, or with several axes Frobenius: "fro"), 1, another number, ``np.inf``, ``-np.inf``.
        axis: which axes go; all by default.
        keepdims: keep them with size 1.

    Raises:
        ValueError: ``ord`` is none of these; norms of operators are not there.

    Example:
        >>> float(dlbd.ops.norm([3.0, 4.0]))
        5.0
    """
    a = as_float(x)
    several = (a.ndim if axis is None else 1 if isinstance(axis, int) else len(axis)) > 1
    if ord is None or (ord == "fro" and several) or (ord == 2 and not several):
        return sqrt(sum(square(a), axis, keepdims))
    if several or isinstance(ord, str):
        raise ValueError(f"[norm] ord={ord!r} along several axes is not there; expected None or 'fro'")
    if ord == np.inf:
        return max(absolute(a), axis, keepdims)
    if ord == -np.inf:
        return min(absolute(a), axis, keepdims)
    if ord == 0:
        return sum(cast(not_equal(a, 0), a.dtype), axis, keepdims)
    if ord == 1:
        return sum(absolute(a), axis, keepdims)
    return power(sum(power(absolute(a), ord), axis, keepdims), 1.0 / ord)


def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Tensor:
    """``x`` divided by its norm along ``axis``, which counts as at least ``epsilon``, 1e-7 by default.

    Example:
        >>> dlbd.ops.normalize([[3.0, 4.0]]).numpy()
        array([[0.6, 0.8]], dtype=float32)
    """
    a = as_float(x)
    return divide(a, maximum(norm(a, order, axis, keepdims=True), 1e-7 if epsilon is None else epsilon))


def count_nonzero(x: Any, axis: Axis = None) -> Tensor:
    """How many elements are not zero: int64.

    Example:
        >>> int(dlbd.ops.count_nonzero([0, 2, 3]))
        2
    """
    return sum(cast(not_equal(x, 0), "int64"), axis)


def ptp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Maximum minus minimum.

    Example:
        >>> int(dlbd.ops.ptp([5, 2, 9]))
        7
    """
    a = as_tensor(x)
    return subtract(max(a, axis, keepdims), min(a, axis, keepdims))


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether ``|x1 - x2| <= atol + rtol |x2|``; infinities are close to themselves.

    Example:
        >>> dlbd.ops.isclose([1.0, 2.0], [1.0, 2.1]).numpy().tolist()
        [True, False]
    """
    a, b = as_float(x1), as_float(x2)
    near = less_equal(absolute(subtract(a, b)), add(multiply(absolute(b), rtol), atol))
    found = logical_or(logical_and(near, isfinite(b)), equal(a, b))
    return logical_or(found, logical_and(isnan(a), isnan(b))) if equal_nan else found


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Numbers in place of NaN and infinities: the largest and smallest of the dtype by default.

    Example:
        >>> dlbd.ops.nan_to_num([np.nan, 1.0, np.inf], posinf=9.0).numpy()
        array([0., 1., 9.], dtype=float32)
    """
    a = as_float(x)
    limits = np.finfo(a.dtype)
    y = where(isnan(a), nan, a)
    y = where(equal(a, np.inf), float(limits.max) if posinf is None else posinf, y)
    return where(equal(a, -np.inf), float(limits.min) if neginf is None else neginf, y)


def logaddexp(x1: Any, x2: Any) -> Tensor:
    """``log(exp(x1) + exp(x2))``, without overflow.

    Example:
        >>> float(dlbd.ops.logaddexp(1000.0, -1000.0))
        1000.0
    """
    a, b = as_float(x1), as_float(x2)
    return add(maximum(a, b), log1p(exp(negative(absolute(subtract(a, b))))))


def sinh(x: Any) -> Tensor:
    """The hyperbolic sine; exact to rounding near 0, too.

    Example:
        >>> float(dlbd.ops.sinh(0.0))
        0.0
    """
    a = as_float(x)
    e = expm1(absolute(a))
    y = multiply(add(e, divide(e, add(e, 1.0))), 0.5)
    return where(less_equal(0.0, a), y, negative(y))


def cosh(x: Any) -> Tensor:
    """The hyperbolic cosine.

    Example:
        >>> float(dlbd.ops.cosh(0.0))
        1.0
    """
    e = exp(absolute(as_float(x)))
    return multiply(add(e, divide(1.0, e)), 0.5)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Tensor:
    """The choice of the first condition that is true, element by element.

    Example:
        >>> dlbd.ops.select([[True, False], [True, True]], [[1, 1], [2, 2]]).numpy().tolist()
        [1, 2]
    """
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"[select] {len(condlist)} conditions for {len(choicelist)} choices")
    y: Any = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = where(condition, choice, y)
    return as_tensor(y)
