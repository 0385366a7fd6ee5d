"""Medians and other quantiles, by sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from dlbd.backend import FLOAT64, INT32
from dlbd.ops.compare import equal, isnan, logical_not, where
from dlbd.ops.elementwise import add, cast, ceil, floor, maximum, multiply, round, subtract
from dlbd.ops.indexing import getitem, take_along_axis
from dlbd.ops.join import stack
from dlbd.ops.reduce import Axis, normalized, sum
from dlbd.ops.shape import reshape, transpose
from dlbd.ops.sorting import sort
from dlbd.tensor import Tensor, as_float

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The value below which a part ``q`` of the values along axes lies.

    Args:
        x: numbers; integers become float32.
        q: a number from 0 to 1, or several of them.
        axis: one axis, several, or None for all.
        method: how a place between two values is read: "linear" between them, "lower", "higher" or "nearest" of them,
            or their "midpoint".
        keepdims: whether the axes stay, with size 1.

    Returns:
        ``x`` without the axes, float; several ``q`` make a new first axis. NaN where a value is NaN. Gradients go to
        the values that were read.

    Raises:
        ValueError: a ``q`` out of range, another method, no such axis, or nothing to choose from.

    Example:
        >>> dlbd.ops.quantile([1.0, 2.0, 4.0, 8.0], [0.5, 1.0]).numpy()
        array([3., 8.], dtype=float32)
    """
    return _quantile("quantile", x, q, 1.0, axis, method, keepdims, ignored=False)


def percentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """As :func:`quantile`, with ``q`` from 0 to 100.

    Example:
        >>> float(dlbd.ops.percentile([1.0, 2.0, 4.0, 8.0], 50))
        3.0
    """
    return _quantile("percentile", x, q, 100.0, axis, method, keepdims, ignored=False)


def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The value in the middle, or the mean of both there. Arguments as :func:`quantile`.

    Example:
        >>> dlbd.ops.median([[1.0, 9.0, 2.0], [4.0, np.nan, 5.0]], axis=1).numpy()
        array([ 2., nan], dtype=float32)
    """
    return _quantile("median", x, 0.5, 1.0, axis, "linear", keepdims, ignored=False)


def nanquantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """As :func:`quantile` of what is not NaN; NaN where there is nothing else.

    Example:
        >>> float(dlbd.ops.nanquantile([1.0, np.nan, 3.0], 0.5))
        2.0
    """
    return _quantile("nanquantile", x, q, 1.0, axis, method, keepdims, ignored=True)


def nanpercentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """As :func:`percentile` of what is not NaN; NaN where there is nothing else.

    Example:
        >>> float(dlbd.ops.nanpercentile([1.0, np.nan, 3.0], 50))
        2.0
    """
    return _quantile("nanpercentile", x, q, 100.0, axis, method, keepdims, ignored=True)


def nanmedian(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """As :func:`median` of what is not NaN; NaN where there is nothing else.

    Example:
        >>> float(dlbd.ops.nanmedian([1.0, np.nan, 9.0, 2.0]))
        2.0
    """
    return _quantile("nanmedian", x, 0.5, 1.0, axis, "linear", keepdims, ignored=True)


def _quantile(op: str, x: Any, q: Any, whole: float, axis: Axis, method: str, keepdims: bool, ignored: bool) -> Tensor:
    a = as_float(x)
    parts = np.asarray(q, np.float64) / whole
    if not ((parts >= 0) & (parts <= 1)).all():
        raise ValueError(f"[{op}] q must lie between 0 and {whole:g}; received {q}")
    if method not in _METHODS:
        raise ValueError(f"[{op}] method must be one of {', '.join(_METHODS)}; received {method!r}")
    axes = normalized(op, a.shape, axis)
    kept = [i for i in range(a.ndim) if i not in axes]
    n = prod(a.shape[i] for i in axes)
    if not n:
        raise ValueError(f"[{op}] no elements to choose from; received x of shape {a.shape}")
    outer = tuple(a.shape[i] for i in kept)
    rows = sort(reshape(transpose(a, [*kept, *axes]), (prod(outer), n)))
    count = sum(logical_not(isnan(rows)), axis=1, keepdims=True)  # NaN come last
    found = [_read(rows, count, float(part), method) for part in parts.reshape(-1)]
    missing = equal(count, 0) if ignored else isnan(getitem(rows, (slice(None), slice(n - 1, None))))
    sizes = tuple(1 if i in axes else d for i, d in enumerate(a.shape)) if keepdims else outer
    y = stack([where(missing, math.nan, column) for column in found])
    return reshape(y, (*parts.shape, *sizes))


def _read(rows: Tensor, count: Tensor, part: float, method: str) -> Tensor:
    """What stands at a part of the way through the first ``count`` values of each sorted row."""
    place = maximum(multiply(subtract(cast(count, FLOAT64), 1.0), part), 0.0)
    below, above = (take_along_axis(rows, cast(edge(place), INT32), 1) for edge in _edges(method))
    if method == "midpoint":
        weight: Any = 0.5
    else:
        weight = cast(subtract(place, floor(place)), rows.dtype)
    return where(equal(below, above), below, add(below, multiply(subtract(above, below), weight)))


def _edges(method: str) -> Sequence[Any]:
    if method in ("linear", "midpoint"):
        return floor, ceil
    only = {"lower": floor, "higher": ceil, "nearest": round}[method]
    return only, only
