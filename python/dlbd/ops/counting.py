"""How often values occur, whether they do, and where a flat position lies."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from math import prod
from typing import Any

from dlbd.backend import FLOAT64, INT64
from dlbd.ops.compare import equal, isnan, less, logical_not, logical_or, where
from dlbd.ops.creation import linspace
from dlbd.ops.elementwise import cast, floor_divide, minimum, mod, subtract
from dlbd.ops.encoding import class_counts
from dlbd.ops.indexing import take
from dlbd.ops.join import broadcast_to
from dlbd.ops.reduce import max, min
from dlbd.ops.shape import reshape
from dlbd.ops.sorting import searchsorted, sort
from dlbd.tensor import Tensor, as_float, as_tensor


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Tensor:
    """How often each number from 0 occurs along the last axis.

    Args:
        x: integers (..., n); negative ones do not count.
        weights: (..., n): what each counts instead of 1.
        minlength: the result has at least so many numbers; the largest of ``x``, read on the host, makes it longer.
        sparse: there are no sparse tensors: False.

    Returns:
        (..., numbers): int64, or the float dtype of ``weights``. There is no gradient.

    Raises:
        ValueError: ``sparse``, or a single number.
        TypeError: numbers that are no integers.

    Example:
        >>> dlbd.ops.bincount([1, 1, 3]).numpy()
        array([0, 2, 0, 1])
    """
    if sparse:
        raise ValueError("[bincount] there are no sparse tensors; expected sparse=False")
    numbers = as_tensor(x)
    length = int(minlength)
    if numbers.size:
        length = builtins.max(length, int(max(numbers)) + 1)
    if weights is None:
        return cast(class_counts(numbers, length, dtype=FLOAT64), INT64)
    given = as_float(weights)
    return class_counts(numbers, length, given, given.dtype)


def histogram(x: Any, bins: int = 10, range: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
    """How many values lie in each of equally wide bins.

    Args:
        x: numbers of any shape; what lies outside of the bins, and NaN, does not count.
        bins: how many.
        range: where the first begins and the last ends, which is part of it; the smallest and the largest of ``x``
            unless given, which are read on the host.

    Returns:
        The counts (bins,), int64, and the edges (bins + 1,), float32.

    Raises:
        ValueError: no bin, or a range that ends before it begins.

    Example:
        >>> counts, edges = dlbd.ops.histogram([1.0, 2.0, 2.5, 4.0], bins=3)
        >>> counts.numpy().tolist(), edges.numpy().tolist()
        ([1, 2, 1], [1.0, 2.0, 3.0, 4.0])
    """
    values = reshape(as_float(x), (-1,))
    if range is None:
        range = (float(min(values)), float(max(values))) if values.size else (0.0, 1.0)
    low, high = (float(v) for v in range)
    if bins < 1 or not low <= high:
        raise ValueError(f"[histogram] expected at least one bin and an ascending range; received {bins} and {range}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = linspace(low, high, bins + 1, dtype=values.dtype)
    number = subtract(searchsorted(edges, values, "right"), 1)
    last = equal(values, take(edges, -1))
    outside = logical_or(isnan(values), less(high, values))
    number = where(last, bins - 1, where(outside, -1, number))
    return cast(class_counts(number, bins, dtype=FLOAT64), INT64), edges


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element of ``x1`` occurs in ``x2``, by sorting ``x2``; NaN occurs nowhere.

    Args:
        x1: any shape.
        x2: any shape.
        assume_unique: taken for Keras's sake.
        invert: whether each does not occur.

    Example:
        >>> dlbd.ops.isin([[1, 2], [3, 4]], [2, 4, 6]).numpy().tolist()
        [[False, True], [False, True]]
    """
    a, b = as_tensor(x1), as_tensor(x2)
    if not b.size:
        return broadcast_to(as_tensor(invert), a.shape)
    known = sort(b, None)
    place = minimum(searchsorted(known, a), known.size - 1)
    found = equal(take(known, place), a)
    return logical_not(found) if invert else found


def unravel_index(indices: Any, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """The position along each axis of an array of this shape that a flat position has.

    Example:
        >>> [i.numpy().tolist() for i in dlbd.ops.unravel_index([5, 2], (2, 3))]
        [[1, 0], [2, 2]]
    """
    flat = as_tensor(indices)
    sizes = [int(n) for n in shape]
    steps = [prod(sizes[i + 1 :]) for i, _ in enumerate(sizes)]
    return tuple(mod(floor_divide(flat, step), n) for step, n in zip(steps, sizes, strict=True))
