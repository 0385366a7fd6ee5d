"""What metrics are made of: launches that add to a sum and a weight (two float64 in an array)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dlbd import _cpu, backend
from dlbd.backend import BOOL, Array
from dlbd.ops.losses import Rows, per_sample, rows_of
from dlbd.tensor import Tensor, as_tensor

_SPARSE = frozenset(("sparse_accuracy", "sparse_top_k"))
_OVER_CLASSES = _SPARSE | {"categorical_accuracy", "categorical_top_k"}


@lru_cache(maxsize=4096)
def _metric_shape(*key: Any) -> Any:
    return _cpu.MetricShape(*key)


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
    pred = as_tensor(y_pred)
    true = None if y_true is None else as_tensor(y_true)
    if true is None:
        rows = Rows(pred.size, 1, pred.shape)
    else:
        rows = rows_of(kind, true, pred, classes=kind in _OVER_CLASSES, sparse=kind in _SPARSE, vector=False)
    weights = per_sample(kind, "sample_weight", sample_weight, rows)
    masks = per_sample(kind, "mask", None if mask is None else as_tensor(mask, BOOL), rows)
    if rows.rows == 0:
        return
    dtype = backend.DTYPE[pred.dtype]
    shape = _metric_shape(
        kind,
        rows.rows,
        rows.columns,
        dtype,
        dtype if true is None else backend.DTYPE[true.dtype],
        dtype if weights is None else backend.DTYPE[weights.dtype],
        0 if weights is None else weights.size,
        0 if masks is None else masks.size,
        threshold,
        k,
    )
    labels = None if true is None else true.array
    backend.twin(pred.array).metric_update(shape, labels, pred.array, weights, masks, state)


def add_loss(total: Tensor, count: Tensor, batch: int, state: Array) -> None:
    """``state`` += (batch * total / count, batch): a mean of batch losses, weighted by batch size, as in Keras."""
    backend.twin(total.array).metric_add_loss(total.array, count.array, float(batch), state)
