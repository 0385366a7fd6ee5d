"""The order of values, the largest of them, and places in a sorted sequence."""

from __future__ import annotations

from math import prod
from typing import Any

from dlbd import backend
from dlbd.backend import INT32
from dlbd.ops.compare import isfinite, less, logical_and
from dlbd.ops.elementwise import cast
from dlbd.ops.indexing import take_along_axis
from dlbd.ops.promotion import operands
from dlbd.ops.reduce import sum
from dlbd.ops.shape import axis_of, expand_dims, moveaxis, reshape, squeeze
from dlbd.tensor import Tensor, as_tensor


def _order(x: Tensor, k: int, descending: bool = False) -> Tensor:
    """The positions (..., k) of the first ``k`` values along the last axis, equal ones in their order."""
    a = x.array
    *outer, n = a.shape
    order = backend.empty((*outer, k), INT32, a)
    backend.twin(a).sort_order(prod(outer), n, a, order, descending)
    return Tensor(order)


def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """The positions (int32) of the values along an axis in ascending order; equal values keep their order.

    Args:
        x: any dtype. NaN counts as the largest, as in NumPy.
        axis: the last one by default; None for the flattened ``x``.

    Returns:
        The shape of ``x``; one dimension for ``axis=None``.

    Raises:
        ValueError: an axis does not exist.

    Example:
        >>> dlbd.ops.argsort([[3.0, 1.0, 2.0], [5.0, np.nan, 5.0]]).numpy().tolist()
        [[1, 2, 0], [0, 2, 1]]
    """
    last, axis = _along_last("argsort", x, axis)
    return moveaxis(_order(last, last.shape[-1]), -1, axis)


def sort(x: Any, axis: int | None = -1) -> Tensor:
    """The values along an axis in ascending order. Arguments as :func:`argsort`; gradients go where values came from.

    Example:
        >>> dlbd.ops.sort([3.0, np.nan, 1.0, 2.0]).numpy()
        array([ 1.,  2.,  3., nan], dtype=float32)
    """
    last, axis = _along_last("sort", x, axis)
    return moveaxis(take_along_axis(last, _order(last, last.shape[-1]), -1), -1, axis)


def argpartition(x: Any, kth: int, axis: int | None = -1) -> Tensor:
    """Positions with that of the ``kth`` smallest value in its place, those of lesser ones before it: all sorted here.

    Example:
        >>> dlbd.ops.argpartition([30, 10, 20], 1).numpy().tolist()
        [1, 2, 0]
    """
    order = argsort(x, axis)
    n = order.shape[-1 if axis is None else axis]
    if not -n <= kth < n:
        raise ValueError(f"[argpartition] kth {kth} does not lie within an axis of size {n}")
    return order


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The ``k`` largest values along the last axis and their positions (int32), the largest first.

    Args:
        x: at least one dimension. NaN counts as the largest; of equal values the first ones are taken.
        k: how many.
        sorted: taken for Keras's sake: they are always in order.

    Returns:
        Two tensors (..., k). Gradients go where the values came from.

    Raises:
        ValueError: there are fewer than ``k``.

    Example:
        >>> values, positions = dlbd.ops.top_k([[1.0, 4.0, 2.0], [7.0, 5.0, 7.0]], 2)
        >>> values.numpy().tolist(), positions.numpy().tolist()
        ([[4.0, 2.0], [7.0, 7.0]], [[1, 2], [0, 2]])
    """
    x = as_tensor(x)
    if x.ndim == 0 or not 0 <= k <= x.shape[-1]:
        raise ValueError(f"[top_k] k={k} values along the last axis of {x.shape}")
    order = _order(x, int(k), descending=True)
    return take_along_axis(x, order, -1), order


def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    """Whether fewer than ``k`` predictions of a row exceed that of its class; False where that is not finite.

    Args:
        targets: class numbers (N,).
        predictions: (N, C).
        k: how many classes count.

    Returns:
        (N,), bool.

    Raises:
        ValueError: a class number out of range, or shapes that do not fit.

    Example:
        >>> dlbd.ops.in_top_k([2, 0], [[0.1, 0.7, 0.2], [0.1, 0.7, 0.2]], 2).numpy()
        array([ True, False])
    """
    scores, labels = as_tensor(predictions), as_tensor(targets)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"[in_top_k] expected (N,) and (N, C); received {labels.shape} and {scores.shape}")
    own = take_along_axis(scores, expand_dims(labels, 1), 1)
    above = sum(cast(less(own, scores), INT32), axis=1)
    return logical_and(less(above, k), isfinite(squeeze(own, 1)))


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Tensor:
    """Where values belong in a sorted sequence, so that it stays sorted: int32 positions from 0 to n.

    Args:
        sorted_sequence: (n,), ascending; NaN come last.
        values: any shape.
        side: "left": before equal ones; "right": behind them.

    Returns:
        The shape of ``values``.

    Raises:
        ValueError: the sequence has not one dimension, or another side.

    Example:
        >>> dlbd.ops.searchsorted([1.0, 2.0, 2.0, 3.0], [[2.0, 9.0]]).numpy().tolist()
        [[1, 4]]
        >>> dlbd.ops.searchsorted([1.0, 2.0, 2.0, 3.0], 2.0, side="right").numpy().tolist()
        3
    """
    if side not in ("left", "right"):
        raise ValueError(f'[searchsorted] side must be "left" or "right"; received {side!r}')
    sequence, wanted = operands(sorted_sequence, values)
    if sequence.ndim != 1:
        raise ValueError(f"[searchsorted] the sorted sequence has one dimension; received shape {sequence.shape}")
    places = backend.empty(wanted.shape, INT32, wanted.array)
    backend.twin(wanted.array).search_sorted(sequence.array, wanted.array, places, side == "right")
    return Tensor(places)


def digitize(x: Any, bins: Any) -> Tensor:
    """How many of the ascending ``bins`` are not greater than each value: the number of its bin (int32).

    Example:
        >>> dlbd.ops.digitize([0.2, 1.0, 7.0], [0.0, 1.0, 3.0]).numpy().tolist()
        [1, 2, 3]
    """
    return searchsorted(bins, x, side="right")


def _along_last(op: str, x: Any, axis: int | None) -> tuple[Tensor, int]:
    x = as_tensor(x)
    if axis is None:
        return reshape(x, (-1,)), -1
    return moveaxis(x, axis_of(op, axis, x.ndim, x.shape), -1), axis
