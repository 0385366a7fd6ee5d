"""How many predictions of yes or no are right and wrong, and the shares that follow: precision and recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from dlbd.metrics.metric import as_result, ratio
from dlbd.metrics.thresholds import Counts, ThresholdMetric
from dlbd.naming import snake_case
from dlbd.tensor import Tensor

Thresholds = float | Sequence[float] | None


class _AtThresholds(ThresholdMetric):
    def __init__(
        self,
        thresholds: Thresholds,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        given = 0.5 if top_k is None else -math.inf
        self.thresholds = [given] if thresholds is None else _listed(snake_case(type(self).__name__), thresholds)
        self._given = thresholds
        super().__init__(self.thresholds, top_k=top_k, class_id=class_id, name=name, dtype=dtype)

    def _value(self, counts: Counts) -> Any:
        raise NotImplementedError

    def result(self) -> Tensor:
        """The value so far: a scalar, or one for each of several thresholds."""
        value = self._value(self._counts())
        return as_result(value[0] if self._count == 1 else value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self._given}


def _listed(op: str, thresholds: float | Sequence[float]) -> list[float]:
    listed: list[Any] = np.ravel(thresholds).tolist()
    if not listed or not all(isinstance(t, (int, float)) and 0 <= t <= 1 for t in listed):
        raise ValueError(f"[{op}] thresholds must lie in [0, 1]; received {thresholds!r}")
    return listed


class _Count(_AtThresholds):
    _part: ClassVar[str]

    def __init__(self, thresholds: Thresholds = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, name=name, dtype=dtype)

    def _value(self, counts: Counts) -> Any:
        return getattr(counts, self._part)


class TruePositives(_Count):
    """The weight of what is true and predicted as true.

    Args:
        thresholds: in [0, 1]; 0.5 by default: a prediction above it says that the label is true. Of several, each has a
            result.
        name: "true_positives" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (0 or 1) and predictions of the same shape.

    Raises:
        ValueError: a threshold lies outside [0, 1], or (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.TruePositives()
        >>> metric.update_state([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
        >>> float(metric.result())
        2.0
    """

    _part = "true_positives"


class TrueNegatives(_Count):
    """The weight of what is false and predicted as false.

    Args:
        thresholds, name, dtype: as for :class:`TruePositives`.

    Example:
        >>> metric = dlbd.metrics.TrueNegatives()
        >>> metric.update_state([0, 1, 0, 0], [1.0, 1.0, 0.0, 0.0])
        >>> float(metric.result())
        2.0
    """

    _part = "true_negatives"


class FalsePositives(_Count):
    """The weight of what is false but predicted as true.

    Args:
        thresholds, name, dtype: as for :class:`TruePositives`.

    Example:
        >>> metric = dlbd.metrics.FalsePositives(thresholds=[0.25, 0.75])
        >>> metric.update_state([0, 1, 0, 0], [0.0, 0.0, 0.5, 1.0])
        >>> metric.result().numpy().tolist()
        [2.0, 1.0]
    """

    _part = "false_positives"


class FalseNegatives(_Count):
    """The weight of what is true but predicted as false.

    Args:
        thresholds, name, dtype: as for :class:`TruePositives`.

    Example:
        >>> metric = dlbd.metrics.FalseNegatives()
        >>> metric.update_state([0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0], sample_weight=[0, 0, 1, 0])
        >>> float(metric.result())
        1.0
    """

    _part = "false_negatives"


class _Share(_AtThresholds):
    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "top_k": self.top_k, "class_id": self.class_id}


class Precision(_Share):
    """The share of true ones among what is predicted as true: TP / (TP + FP); 0 if nothing is.

    Args:
        thresholds: in [0, 1]: a prediction above it says that the label is true; 0.5 by default, or none with
            ``top_k``. Of several, each has a result.
        top_k: only a sample's ``top_k`` largest predictions count as true; of equals the first. All may by default.
        class_id: the one class, a position along the last axis, that counts; all by default.
        name: "precision" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (0 or 1) and predictions of the same shape,
    (..., C) with ``top_k`` or ``class_id``. Weights have that shape too, or that of its first axes.

    Raises:
        ValueError: a threshold lies outside [0, 1], ``top_k`` is less than 1, ``class_id`` is negative, or (at the
            update) the shapes do not fit or have no such class.

    Example:
        >>> metric = dlbd.metrics.Precision()
        >>> metric.update_state([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])
        >>> round(float(metric.result()), 4)
        0.6667
    """

    def _value(self, counts: Counts) -> Any:
        return ratio(counts.true_positives, counts.true_positives + counts.false_positives)


class Recall(_Share):
    """The share of what is predicted as true among the true ones: TP / (TP + FN); 0 if there are none.

    Args:
        thresholds, top_k, class_id, name, dtype: as for :class:`Precision`; the name is "recall" by default.

    Raises:
        ValueError: as for :class:`Precision`.

    Example:
        >>> metric = dlbd.metrics.Recall(top_k=1)
        >>> metric.update_state([[0, 1, 1], [1, 0, 0]], [[0.2, 0.3, 0.5], [0.5, 0.1, 0.4]])
        >>> round(float(metric.result()), 4)
        0.6667
    """

    def _value(self, counts: Counts) -> Any:
        return ratio(counts.true_positives, counts.true_positives + counts.false_negatives)
