"""What metrics are made of: launches that add to a sum and a weight, or to a table of counts, in float64."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from dlbd import _cpu, backend
from dlbd.backend import BOOL, FLOAT64, Array
from dlbd.ops.losses import Rows, Signature, per_sample, rows_of
from dlbd.tensor import Tensor, as_tensor

_SPARSE = frozenset(("sparse_accuracy", "sparse_top_k"))
_OVER_CLASSES = _SPARSE | {"categorical_accuracy", "categorical_top_k"}


@lru_cache(maxsize=4096)
def _plan(
    kind: str,
    pred: Signature,
    true: Signature | None,
    weight: Signature | None,
    mask: tuple[int, ...] | None,
    threshold: float,
    k: int,
) -> Any:
    """The kernels' MetricShape, None where there is nothing to count."""
    if true is None:
        rows = Rows(math.prod(pred[0]), 1, pred[0])
    else:
        rows = rows_of(kind, true[0], pred[0], classes=kind in _OVER_CLASSES, sparse=kind in _SPARSE, vector=False)
    weights = 0 if weight is None else per_sample(kind, "sample_weight", weight[0], rows)
    masks = 0 if mask is None else per_sample(kind, "mask", mask, rows)
    if rows.rows == 0:
        return None
    dtype = backend.DTYPE[pred[1]]
    return _cpu.MetricShape(
        kind,
        rows.rows,
        rows.columns,
        dtype,
        dtype if true is None else backend.DTYPE[true[1]],
        dtype if weight is None else backend.DTYPE[weight[1]],
        weights,
        masks,
        threshold,
        k,
    )


def add(
    kind: str,
    y_true: Any,
    y_pred: Any,
    state: Array,
    *,
    sample_weight: Any = None,
    mask: Any = None,
    threshold: float = 0.5,
    k: int = 5,
) -> None:
    """``state`` += (sum of weight * value, sum of weights) over the samples.

    Args:
        kind: a name of ``MetricKind`` (csrc/shapes/metrics.h).
        y_true: labels; None for "value", which takes ``y_pred`` itself.
        y_pred: predictions.
        state: float64, (2,).
        sample_weight, mask: one for each value or for each run of them.
        threshold: of "binary_accuracy": what counts as yes is above it.
        k: of the "top_k" kinds.
    """
    predictions = as_tensor(y_pred).array
    labels = None if y_true is None else as_tensor(y_true, like=predictions).array
    weights = None if sample_weight is None else as_tensor(sample_weight, like=predictions).array
    masks = None if mask is None else as_tensor(mask, BOOL, predictions).array
    shape = _plan(
        kind,
        (predictions.shape, predictions.dtype),
        None if labels is None else (labels.shape, labels.dtype),
        None if weights is None else (weights.shape, weights.dtype),
        None if masks is None else masks.shape,
        threshold,
        k,
    )
    if shape is not None:
        backend.twin(predictions).metric_update(shape, labels, predictions, weights, masks, state)


def add_loss(total: Tensor, count: Tensor, batch: int, state: Array) -> None:
    """``state`` += (batch * total / count, batch): a mean of batch losses, weighted by batch size, as in Keras."""
    backend.twin(total.array).metric_add_loss(total.array, count.array, float(batch), state)


def count(cells: Tensor, state: Array, weights: Tensor | None = None) -> None:
    """``state[cell] += weight`` for every one of ``cells``, in their order.

    Args:
        cells: int32, positions in the flattened state; none may lie outside.
        state: float64.
        weights: float64, one for each of the cells; 1 unless given.
    """
    twin = backend.twin(state)
    if weights is None:
        added = backend.empty(cells.shape, FLOAT64, state)
        twin.fill(1.0, added)
    else:
        added = weights.array
    twin.gather_backward(1, state.size, 1, False, added, cells.array, state, True)
