"""Sets of class numbers as vectors: which of them are there, and how often."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import BOOL, FLOAT32, INT32, INT64
from dlbd.ops.compare import greater_equal, where
from dlbd.ops.elementwise import maximum, minimum
from dlbd.ops.embedding import embedding
from dlbd.ops.promotion import cast_to
from dlbd.symbolic import takes_symbols
from dlbd.tensor import Tensor, as_tensor


def multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> Tensor:
    """1 for every class that is named along the last axis of ``inputs``, 0 for the others.

    Args:
        inputs: class numbers, (..., n); negative ones name no class.
        num_classes: how many classes there are.
        axis: of the classes in the result: the last one, -1.
        dtype: float32 unless given, or float64.

    Returns:
        (..., num_classes). There is no gradient.

    Raises:
        ValueError: a class number that is too large, another axis, or a single number.
        TypeError: class numbers that are no integers.

    Example:
        >>> dlbd.ops.multi_hot([[0, 2, 2], [1, -1, -1]], 3).numpy()
        array([[1., 0., 1.],
               [0., 1., 0.]], dtype=float32)
    """
    if axis not in (-1, as_tensor(inputs).ndim - 1):
        raise ValueError(f"[multi_hot] the classes take the last axis, -1; received axis={axis}")
    return minimum(class_counts(inputs, num_classes, dtype=dtype), 1.0)


def class_counts(x: Any, num_classes: int, weights: Any = None, dtype: Any = None) -> Tensor:
    """How often each class is named along the last axis of ``x``: (..., n) becomes (..., num_classes).

    Args:
        x: class numbers; negative ones name no class.
        num_classes: how many classes there are.
        weights: of the shape of ``x``: what each counts instead of 1.
        dtype: float32 unless given, or float64.

    Raises:
        ValueError: a class number that is too large, or a single number.
        TypeError: class numbers that are no integers.
    """
    index = _class_numbers(x)
    if index.ndim == 0:
        raise ValueError("[multi_hot] class numbers have at least one axis; received a single number")
    kind = FLOAT32 if dtype is None else np.dtype(dtype)
    named = greater_equal(index, 0)
    count = cast_to(named, kind) if weights is None else where(named, as_tensor(weights, kind, index.array), 0.0)
    *outer, n = index.shape
    y = backend.empty((*outer, num_classes), kind, index.array)
    if n == 0 or y.size == 0:
        backend.twin(y).fill(0.0, y)
        return Tensor(y)
    # the gradient of taking: each count is added where the class number says
    backend.twin(y).gather_backward(prod(outer), num_classes, 1, True, count.array, maximum(index, 0).array, y, False)
    return Tensor(y)


def check_class_numbers(x: Any, num_classes: int) -> None:
    """A launch that notes the first class number outside of [0, num_classes), as a ValueError in time."""
    index = _class_numbers(x)
    embedding(index, Tensor(backend.zeros((num_classes, 1), FLOAT32, index.array)))


def _class_numbers(x: Any) -> Tensor:
    index = as_tensor(x)
    if index.dtype.kind not in "iu" or index.dtype == BOOL:
        raise TypeError(f"[multi_hot] class numbers must be integers; received {index.dtype}")
    return index if index.dtype in (INT32, INT64) else cast_to(index, INT32)


# Layers call them, too, though they are no operations of :mod:`dlbd.ops`.
class_counts = takes_symbols(class_counts, __name__)
check_class_numbers = takes_symbols(check_class_numbers, __name__)
