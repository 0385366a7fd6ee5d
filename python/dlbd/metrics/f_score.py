"""F scores: precision and recall as one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT32, FLOAT64
from dlbd.losses.operands import of_one_shape
from dlbd.metrics.metric import Metric, as_result
from dlbd.metrics.thresholds import weights_of
from dlbd.tensor import Tensor

_EPSILON = 1e-7  # added to what divides, as in Keras
_AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall) of each class, or an average over the classes.

    Args:
        average: None (the default): one value per class; "micro": of all classes counted together; "macro": the mean;
            "weighted": the mean weighted by how often a class is true.
        beta: above 0, how many times as much recall counts as precision; 1 by default.
        threshold: in (0, 1]: a prediction above it says that the class is true; by default it is the largest of the
            sample's predictions that does.
        name: "fbeta_score" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (0 or 1: one-hot, or several ones) and
    predictions, both (batch, classes), and one weight per sample.

    Raises:
        ValueError: an argument is out of range, or (at the update) the shapes are others.

    Example:
        >>> metric = dlbd.metrics.FBetaScore(beta=2.0, threshold=0.5)
        >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
        >>> metric.result().numpy().round(4)
        array([0.3846, 0.9091, 0.8333], dtype=float32)
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if average not in _AVERAGES:
            raise ValueError(f"[{name}] average must be one of {list(_AVERAGES)}; received {average!r}")
        if not beta > 0:
            raise ValueError(f"[{name}] beta must be above 0; received {beta}")
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(f"[{name}] threshold must lie in (0, 1]; received {threshold}")
        self.average, self.beta, self.threshold = average, float(beta), threshold
        self._table: Any = None  # (true positives, predicted as true, true) by class

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        true, pred = of_one_shape(self.name, y_true, y_pred, classes=True)
        if pred.ndim != 2:
            raise ValueError(f"[{self.name}] predictions must be (batch, classes); received shape {pred.shape}")
        if self._table is None:
            self._table = self.add_variable((3, pred.shape[1]), dtype=FLOAT64, name="counts")
        if self.threshold is None:
            largest = ops.greater_equal(pred, ops.max(pred, axis=-1, keepdims=True))
            said = ops.logical_and(largest, ops.greater(ops.absolute(pred), 1e-9))  # as in Keras: zeros say nothing
        else:
            said = ops.greater(ops.cast(pred, FLOAT32), self.threshold)
        true, said = ops.cast(true, FLOAT64), ops.cast(said, FLOAT64)
        counted = ops.stack([true * said, said, true])
        weights = weights_of(self.name, pred.shape, sample_weight, y_pred.mask if isinstance(y_pred, Tensor) else None)
        if weights is not None:
            counted = counted * weights
        self._table.assign_add(ops.sum(counted, axis=1))

    def result(self) -> Tensor:
        """The score so far: a scalar, or without ``average`` one for each class."""
        if self._table is None:
            return as_result(0.0)
        table = self._table.numpy()
        both, said, true = table.sum(1) if self.average == "micro" else table
        precision, recall = both / (said + _EPSILON), both / (true + _EPSILON)
        score = (1 + self.beta**2) * precision * recall / (self.beta**2 * precision + recall + _EPSILON)
        if self.average == "weighted":
            return as_result((score * true).sum() / (true.sum() + _EPSILON))
        return as_result(score if self.average is None else np.mean(score))

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """2 precision recall / (precision + recall) of each class, or an average over the classes.

    Args:
        average, threshold, dtype: as for :class:`FBetaScore`.
        name: "f1_score" by default.

    Raises:
        ValueError: as for :class:`FBetaScore`.

    Example:
        >>> metric = dlbd.metrics.F1Score(average="macro")
        >>> metric.update_state([[1, 0], [0, 1], [0, 1]], [[0.75, 0.25], [0.75, 0.25], [0.25, 0.75]])
        >>> round(float(metric.result()), 4)
        0.6667
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str = "f1_score", dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
