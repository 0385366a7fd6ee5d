"""True and false positives and negatives at many thresholds, counted in one pass over the predictions.

A table holds how often a prediction exceeded k of the sorted thresholds, apart for labels that are true and false: what
lies above a threshold, and what does not, are sums over parts of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT32, FLOAT64, INT32, Array
from dlbd.losses.operands import of_one_shape
from dlbd.metrics.metric import Metric
from dlbd.ops import metrics as launches
from dlbd.ops.losses import Rows, per_sample
from dlbd.tensor import Tensor, as_tensor


class Counts(NamedTuple):
    """Weights of the samples, by threshold, or by threshold and label."""

    true_positives: Array
    false_positives: Array
    true_negatives: Array
    false_negatives: Array


class ThresholdMetric(Metric):
    """A metric made of :class:`Counts`. A label is true if it is not 0, a prediction is if it is above a threshold.

    Args:
        thresholds: in any order.
        even: whether they are 0, 1 / (n - 1), 2 / (n - 1), ..., 1.
        labels: of how many labels, along the last axis, counts are kept apart; None for those of the first batch.
        top_k: only a sample's k largest predictions can be true; None for all.
        class_id: the one position along the last axis that counts; None for all.
        name, dtype: as for any metric.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        even: bool = False,
        labels: int | None = 1,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if top_k is not None and top_k < 1:
            raise ValueError(f"[{self.name}] top_k must be at least 1; received {top_k}")
        if class_id is not None and class_id < 0:
            raise ValueError(f"[{self.name}] class_id must be 0 or more; received {class_id}")
        self.top_k, self.class_id = top_k, class_id
        given = np.asarray(thresholds, FLOAT32)
        self._even, self._count = even, given.size
        self._ranks = np.argsort(np.argsort(given, kind="stable"), kind="stable")  # the place of each among the sorted
        self._sorted = ops.convert_to_tensor(np.sort(given))
        self._table: Any = None
        if labels is not None:
            self._make_table(labels)

    def _make_table(self, labels: int) -> None:
        columns = self._count + 2  # 0 to all thresholds exceeded, or a NaN
        self._table = self.add_variable((labels, 2, columns), dtype=FLOAT64, name="counts")
        self._offsets = ops.arange(labels, dtype=INT32) * (2 * columns)

    def _exceeded(self, pred: Tensor) -> Tensor:
        """How many thresholds lie below each prediction, int32."""
        if self._even:
            return ops.cast(ops.ceil(ops.clip(pred, 0, 1) * (self._count - 1)), INT32)
        if self._count == 1:
            return ops.cast(ops.greater(pred, self._sorted), INT32)
        return ops.sum(ops.greater(ops.expand_dims(pred, -1), self._sorted), axis=-1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        self._add(y_true, y_pred, sample_weight, y_pred.mask if isinstance(y_pred, Tensor) else None)

    def _add(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any, factor: Tensor | None = None) -> None:
        """Count a batch. ``factor``: of the weights; it broadcasts to the predictions."""
        true, pred = of_one_shape(self.name, y_true, y_pred)
        if self._table is None:
            self._make_table(pred.shape[-1])
        pred = ops.cast(pred, FLOAT32)
        chosen = None if self.top_k is None else top(self.name, pred, self.top_k)
        if self.class_id is not None:
            one = _slice_of_class(self.name, self.class_id, pred)
            true, pred, chosen = true[one], pred[one], None if chosen is None else chosen[one]
        exceeded = self._exceeded(pred)
        if chosen is not None:
            exceeded = exceeded * chosen
        exceeded = ops.where(ops.isnan(pred), self._count + 1, exceeded)
        cells = exceeded + ops.cast(ops.not_equal(true, 0), INT32) * (self._count + 2)
        if self._table.shape[0] > 1:
            cells = cells + self._offsets
        weights = weights_of(self.name, pred.shape, sample_weight, mask)
        if factor is not None:
            weights = ops.broadcast_to(factor, pred.shape) if weights is None else weights * factor
        launches.count(cells, self._table.array, weights)

    def _counts(self) -> Counts:
        """Read on the host: arrays (thresholds,), or (thresholds, labels) if there are several labels."""
        table = np.zeros((1, 2, self._count + 2)) if self._table is None else self._table.numpy()
        table = np.where(table[..., -1:] != 0, np.nan, table[..., :-1])  # of a NaN nobody knows where it belongs
        above = np.flip(np.flip(table, -1).cumsum(-1), -1)[..., 1:]
        below = table.cumsum(-1)[..., :-1]

        def by_threshold(part: Array) -> Array:
            part = part[:, self._ranks].T
            return part[:, 0] if part.shape[1] == 1 else part

        return Counts(
            *(by_threshold(part[:, truth]) for part, truth in ((above, 1), (above, 0), (below, 0), (below, 1)))
        )


def _slice_of_class(op: str, class_id: int, pred: Tensor) -> Any:
    if pred.ndim < 2 or class_id >= pred.shape[-1]:
        raise ValueError(
            f"[{op}] class_id={class_id} needs predictions (..., classes) that have it; received shape {pred.shape}"
        )
    return (..., slice(class_id, class_id + 1))


def top(op: str, pred: Tensor, k: int) -> Tensor:
    """int32, 1 where a prediction is among the ``k`` largest along the last axis; the first ones of equals."""
    if pred.ndim == 0 or k > pred.shape[-1]:
        raise ValueError(f"[{op}] top_k={k} needs at least as many predictions per sample; received shape {pred.shape}")
    found = ops.zeros_like(pred, INT32)
    for _ in range(k):
        rest = ops.where(found, -np.inf, pred)
        found = ops.maximum(found, ops.one_hot(ops.argmax(rest, axis=-1), pred.shape[-1], dtype=INT32))
    return found


def weights_of(op: str, shape: tuple[int, ...], sample_weight: Any, mask: Any) -> Tensor | None:
    """The weight of each value of an array of this shape, float64; None if all are 1.

    Args:
        op: what errors call it.
        shape: of the values.
        sample_weight, mask: one for each value, or for each run of them along the first axes; None for 1.

    Raises:
        ValueError: their shape is not that of the first axes.
    """
    values = Rows(int(np.prod(shape)), 1, shape)
    weights = None
    for name, given in (("sample_weight", sample_weight), ("mask", mask)):
        if given is None:
            continue
        factor = as_tensor(given)
        count = per_sample(op, name, factor.shape, values)
        if count == 0:
            continue
        factor = ops.cast(ops.reshape(factor, (count, 1)), FLOAT64)
        factor = ops.reshape(ops.broadcast_to(factor, (count, values.rows // count)), shape)
        weights = factor if weights is None else weights * factor
    return weights
