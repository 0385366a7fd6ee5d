"""The best of one share of right answers where another one is at least a given value."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dlbd.backend import Array
from dlbd.metrics.metric import as_result, ratio
from dlbd.metrics.thresholds import Counts, ThresholdMetric
from dlbd.naming import snake_case
from dlbd.tensor import Tensor


class _Best(ThresholdMetric):
    _given: ClassVar[str]  # the argument: the name of the share that must be reached

    def __init__(
        self, least: float, num_thresholds: int = 200, class_id: int | None = None, name: Any = None, dtype: Any = None
    ) -> None:
        op = snake_case(type(self).__name__)
        if not 0 <= least <= 1:
            raise ValueError(f"[{op}] {self._given} must lie in [0, 1]; received {least}")
        if num_thresholds < 1:
            raise ValueError(f"[{op}] num_thresholds must be at least 1; received {num_thresholds}")
        self.value, self.num_thresholds = least, num_thresholds
        self.thresholds = [0.5] if num_thresholds == 1 else np.linspace(0, 1, num_thresholds).tolist()
        super().__init__(self.thresholds, even=num_thresholds > 1, class_id=class_id, name=name, dtype=dtype)

    def _shares(self, counts: Counts) -> tuple[Array, Array]:
        """The share that must be reached, and the one that is to be large."""
        raise NotImplementedError

    def result(self) -> Tensor:
        """The best value so far; 0 where no threshold reaches what is asked for."""
        reached, wanted = self._shares(self._counts())
        return as_result(np.max(wanted, initial=0.0, where=reached >= self.value))

    def get_config(self) -> dict[str, Any]:
        own = {"num_thresholds": self.num_thresholds, self._given: self.value, "class_id": self.class_id}
        return {**super().get_config(), **own}


def _sensitivity(counts: Counts) -> Any:
    return ratio(counts.true_positives, counts.true_positives + counts.false_negatives)


def _specificity(counts: Counts) -> Any:
    return ratio(counts.true_negatives, counts.true_negatives + counts.false_positives)


def _precision(counts: Counts) -> Any:
    return ratio(counts.true_positives, counts.true_positives + counts.false_positives)


class SensitivityAtSpecificity(_Best):
    """The best sensitivity, TP / (TP + FN), at a threshold where the specificity, TN / (TN + FP), is high enough.

    Args:
        specificity: what must be reached, in [0, 1].
        num_thresholds: how many, evenly from 0 to 1, are tried; 200 by default.
        class_id: the one class, a position along the last axis, that counts; all by default.
        name: "sensitivity_at_specificity" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (0 or 1) and predictions, from 0 to 1, of the same
    shape.

    Raises:
        ValueError: ``specificity`` lies outside [0, 1], ``num_thresholds`` is less than 1, or (at the update) the
            shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.SensitivityAtSpecificity(0.5)
        >>> metric.update_state([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        >>> float(metric.result())
        0.5
    """

    _given = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _shares(self, counts: Counts) -> tuple[Array, Array]:
        return _specificity(counts), _sensitivity(counts)


class SpecificityAtSensitivity(_Best):
    """The best specificity, TN / (TN + FP), at a threshold where the sensitivity, TP / (TP + FN), is high enough.

    Args:
        sensitivity: what must be reached, in [0, 1].
        num_thresholds, class_id, name, dtype: as for :class:`SensitivityAtSpecificity`.

    Example:
        >>> metric = dlbd.metrics.SpecificityAtSensitivity(0.5)
        >>> metric.update_state([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        >>> round(float(metric.result()), 4)
        0.6667
    """

    _given = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _shares(self, counts: Counts) -> tuple[Array, Array]:
        return _sensitivity(counts), _specificity(counts)


class PrecisionAtRecall(_Best):
    """The best precision, TP / (TP + FP), at a threshold where the recall, TP / (TP + FN), is high enough.

    Args:
        recall: what must be reached, in [0, 1].
        num_thresholds, class_id, name, dtype: as for :class:`SensitivityAtSpecificity`.

    Example:
        >>> metric = dlbd.metrics.PrecisionAtRecall(0.5)
        >>> metric.update_state([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8])
        >>> float(metric.result())
        0.5
    """

    _given = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _shares(self, counts: Counts) -> tuple[Array, Array]:
        return _sensitivity(counts), _precision(counts)


class RecallAtPrecision(_Best):
    """The best recall, TP / (TP + FN), at a threshold where the precision, TP / (TP + FP), is high enough.

    Args:
        precision: what must be reached, in [0, 1].
        num_thresholds, class_id, name, dtype: as for :class:`SensitivityAtSpecificity`.

    Example:
        >>> metric = dlbd.metrics.RecallAtPrecision(0.8)
        >>> metric.update_state([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9])
        >>> float(metric.result())
        0.5
    """

    _given = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _shares(self, counts: Counts) -> tuple[Array, Array]:
        return _precision(counts), _sensitivity(counts)
