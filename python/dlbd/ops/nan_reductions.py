"""Reductions that leave NaN out."""

from __future__ import annotations

import math
from typing import Any

from dlbd.ops.compare import isnan, logical_not, where
from dlbd.ops.cumulative import cumprod, cumsum
from dlbd.ops.elementwise import cast, divide, sqrt, square, subtract
from dlbd.ops.reduce import Axis, all, argmax, argmin, max, min, prod, sum
from dlbd.tensor import Tensor, as_float, as_tensor


def _replaced(x: Any, value: float) -> Tensor:
    a = as_tensor(x)
    return where(isnan(a), value, a) if a.dtype.kind == "f" else a


def nansum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum of what is not NaN; 0 of nothing. Arguments as :func:`sum`.

    Example:
        >>> float(dlbd.ops.nansum([1.0, np.nan, 2.0]))
        3.0
    """
    return sum(_replaced(x, 0.0), axis, keepdims)


def nanprod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product of what is not NaN; 1 of nothing. Arguments as :func:`sum`.

    Example:
        >>> float(dlbd.ops.nanprod([3.0, np.nan, 2.0]))
        6.0
    """
    return prod(_replaced(x, 1.0), axis, keepdims)


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running sums in which NaN counts as 0. Arguments as :func:`cumsum`.

    Example:
        >>> dlbd.ops.nancumsum([1.0, np.nan, 2.0]).numpy()
        array([1., 1., 3.], dtype=float32)
    """
    return cumsum(_replaced(x, 0.0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running products in which NaN counts as 1. Arguments as :func:`cumsum`.

    Example:
        >>> dlbd.ops.nancumprod([3.0, np.nan, 2.0]).numpy()
        array([3., 3., 6.], dtype=float32)
    """
    return cumprod(_replaced(x, 1.0), axis, dtype)


def _count(a: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    return cast(sum(logical_not(isnan(a)), axis, keepdims), a.dtype)


def nanmean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean of what is not NaN; NaN of nothing. Arguments as :func:`sum`.

    Example:
        >>> float(dlbd.ops.nanmean([1.0, np.nan, 2.0]))
        1.5
    """
    a = as_float(x)
    return divide(nansum(a, axis, keepdims), _count(a, axis, keepdims))


def nanvar(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The variance of what is not NaN, divided by n; NaN of nothing. Arguments as :func:`sum`.

    Example:
        >>> float(dlbd.ops.nanvar([1.0, np.nan, 3.0]))
        1.0
    """
    a = as_float(x)
    return nanmean(square(subtract(a, nanmean(a, axis, keepdims=True))), axis, keepdims)


def nanstd(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The square root of :func:`nanvar`.

    Example:
        >>> float(dlbd.ops.nanstd([1.0, np.nan, 3.0]))
        1.0
    """
    return sqrt(nanvar(x, axis, keepdims))


def _extreme(reduction: Any, worst: float, x: Any, axis: Axis, keepdims: bool) -> Tensor:
    a = as_tensor(x)
    if a.dtype.kind != "f":
        return reduction(a, axis, keepdims)  # type: ignore[no-any-return]
    return where(all(isnan(a), axis, keepdims), math.nan, reduction(_replaced(a, worst), axis, keepdims))


def nanmax(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest of what is not NaN; NaN where there is nothing else. Arguments as :func:`max`.

    Example:
        >>> dlbd.ops.nanmax([[1.0, np.nan], [np.nan, np.nan]], axis=1).numpy()
        array([ 1., nan], dtype=float32)
    """
    return _extreme(max, -math.inf, x, axis, keepdims)


def nanmin(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest of what is not NaN; NaN where there is nothing else. Arguments as :func:`max`.

    Example:
        >>> float(dlbd.ops.nanmin([3.0, np.nan, 2.0]))
        2.0
    """
    return _extreme(min, math.inf, x, axis, keepdims)


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position (int32) of the first largest value that is not NaN; -1 where there is none.

    Example:
        >>> int(dlbd.ops.nanargmax([1.0, np.nan, 2.0]))
        2
    """
    return where(all(isnan(x), axis, keepdims), -1, argmax(_replaced(x, -math.inf), axis, keepdims))


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The position (int32) of the first smallest value that is not NaN; -1 where there is none.

    Example:
        >>> int(dlbd.ops.nanargmin([np.nan, 1.0, 2.0]))
        1
    """
    return where(all(isnan(x), axis, keepdims), -1, argmin(_replaced(x, math.inf), axis, keepdims))
