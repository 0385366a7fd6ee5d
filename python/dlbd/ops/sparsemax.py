"""Sparsemax: like softmax, but most probabilities are exactly zero."""

from __future__ import annotations

from typing import Any

from dlbd.ops.compare import less, where
from dlbd.ops.creation import arange
from dlbd.ops.cumulative import cumsum
from dlbd.ops.elementwise import add, cast, divide, maximum, multiply, subtract
from dlbd.ops.reduce import sum
from dlbd.ops.shape import axis_of, moveaxis
from dlbd.ops.sorting import top_k
from dlbd.tensor import Tensor, as_float


def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The nearest probabilities to ``x`` along an axis (Martins and Astudillo 2016): ``max(x - t, 0)``, which sum to 1.

    Args:
        x: at least one dimension; integers are taken as float32.
        axis: the axis whose values sum to one.

    Raises:
        ValueError: the axis does not exist.

    Example:
        >>> dlbd.ops.sparsemax([1.0, 0.8, -1.0]).numpy().round(4)
        array([0.6, 0.4, 0. ], dtype=float32)
    """
    a = as_float(x)
    rows = moveaxis(a, axis_of("sparsemax", axis, a.ndim, a.shape), -1)
    largest, _ = top_k(rows, rows.shape[-1])
    ranks = cast(arange(1, rows.shape[-1] + 1), a.dtype)
    counted = less(cumsum(largest, -1), add(multiply(largest, ranks), 1.0))  # those that are more than zero
    total = sum(where(counted, largest, 0.0), -1, keepdims=True)
    threshold = divide(subtract(total, 1.0), cast(sum(counted, -1, keepdims=True), a.dtype))
    return moveaxis(maximum(subtract(rows, threshold), 0.0), -1, axis)
