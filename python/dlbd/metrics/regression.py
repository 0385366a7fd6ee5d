"""How much of what varies a regression explains, and how closely two curves go together."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT64
from dlbd.losses.operands import of_one_shape
from dlbd.metrics.metric import MeanMetricWrapper, Metric, as_result, ratio
from dlbd.metrics.thresholds import weights_of
from dlbd.tensor import Tensor

_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")
_EPSILON = 1e-7  # added to what divides, as in Keras
_ROUNDING = 1e-14  # of sums of squares: labels that vary by less are taken as all alike


class R2Score(Metric):
    """1 - sum((y_true - y_pred)^2) / sum((y_true - mean(y_true))^2): 1 is perfect, 0 as good as the mean.

    Args:
        class_aggregation: what is made of the scores of several outputs: their mean, "uniform_average" (the default);
            "variance_weighted_average"; None: one value for each.
        num_regressors: how many inputs the model has, for the adjusted score; 0, the default, for the plain one.
        name: "r2_score" by default.
        dtype: taken for Keras's sake: sums are float64, the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels and predictions, both (batch, outputs), and one
    weight per sample. An output whose labels are all alike scores 0, or 1 if it is predicted exactly.

    Raises:
        ValueError: an argument is out of range, or (at the update) the shapes are others.

    Example:
        >>> metric = dlbd.metrics.R2Score()
        >>> metric.update_state([[1], [4], [3]], [[2], [4], [4]])
        >>> round(float(metric.result()), 4)
        0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if class_aggregation not in _AGGREGATIONS:
            raise ValueError(
                f"[{name}] class_aggregation must be one of {list(_AGGREGATIONS)}; received {class_aggregation!r}"
            )
        if num_regressors < 0:
            raise ValueError(f"[{name}] num_regressors must be 0 or more; received {num_regressors}")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self._samples = self.add_variable((), dtype=FLOAT64, name="num_samples")
        self._sums: Any = None  # of (weights, labels, squared labels, squared errors), by output

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        true, pred = of_one_shape(self.name, y_true, y_pred)
        if pred.ndim != 2:
            raise ValueError(f"[{self.name}] predictions must be (batch, outputs); received shape {pred.shape}")
        if self._sums is None:
            self._sums = self.add_variable((4, pred.shape[1]), dtype=FLOAT64, name="sums")
        true, pred = ops.cast(true, FLOAT64), ops.cast(pred, FLOAT64)
        counted = ops.stack([ops.ones_like(true), true, ops.square(true), ops.square(true - pred)])
        weights = weights_of(self.name, pred.shape, sample_weight, y_pred.mask if isinstance(y_pred, Tensor) else None)
        if weights is not None:
            counted = counted * weights
        self._sums.assign_add(ops.sum(counted, axis=1))
        self._samples.assign_add(float(pred.shape[0]))

    def result(self) -> Tensor:
        """The score so far: a scalar, or without ``class_aggregation`` one for each output."""
        if self._sums is None:
            return as_result(0.0)
        weight, labels, squares, errors = self._sums.numpy()
        total = squares - ratio(labels**2, weight)
        total = np.where(total > _ROUNDING * squares, total, 0.0)
        exact = (errors == 0) & (weight > 0)
        scores = np.where(total > 0, 1 - ratio(errors, total), np.where(exact, 1.0, 0.0))
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation is not None:
            scores = ratio((total * scores).sum(), total.sum())
        return as_result(self._adjusted(scores) if self.num_regressors else scores)

    def _adjusted(self, scores: Any) -> Any:
        n = float(self._samples.numpy())
        freedom = n - self.num_regressors - 1
        if freedom > 0:
            return 1 - (1 - scores) * (n - 1) / freedom
        warnings.warn(
            f"[{self.name}] {n:.0f} samples are too few to adjust for {self.num_regressors} regressors: the score is "
            "the plain one",
            stacklevel=3,
        )
        return scores

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}


class PearsonCorrelation(MeanMetricWrapper):
    """The mean over the samples of Pearson's correlation of labels and predictions along an axis.

    Args:
        name: "pearson_correlation" by default.
        dtype: taken for Keras's sake: the result is float32.
        axis: along which labels and predictions are compared; the last by default.

    Example:
        >>> metric = dlbd.metrics.PearsonCorrelation()
        >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        >>> round(float(metric.result()), 4)
        0.9967
    """

    def __init__(self, name: str = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "axis": self.axis}


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean over the samples of the concordance (Lin, 1989) of labels and predictions along an axis.

    It is Pearson's correlation, made less where mean or spread differ.

    Args:
        name: "concordance_correlation" by default.
        dtype, axis: as for :class:`PearsonCorrelation`.

    Example:
        >>> metric = dlbd.metrics.ConcordanceCorrelation()
        >>> metric.update_state([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]])
        >>> round(float(metric.result()), 4)
        0.9816
    """

    def __init__(self, name: str = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "axis": self.axis}


def _centred(y_true: Any, y_pred: Any, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Labels and predictions less their means along the axis, and the distance of the means."""
    true, pred = of_one_shape("correlation", y_true, y_pred)
    means = ops.mean(true, axis=axis, keepdims=True), ops.mean(pred, axis=axis, keepdims=True)
    return true - means[0], pred - means[1], means[0] - means[1]


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Pearson's correlation of labels and predictions along an axis; NaN where one of them does not vary.

    Args:
        y_true, y_pred: of the same shape.
        axis: the last by default.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.metrics.pearson_correlation([[1.0, 2.0, 3.0]], [[2.0, 4.0, 6.0]]).numpy().round(4)
        array([1.], dtype=float32)
    """
    true, pred, _ = _centred(y_true, y_pred, axis)
    spread = ops.sum(ops.square(true), axis=axis) * ops.sum(ops.square(pred), axis=axis)
    return ops.divide(ops.sum(true * pred, axis=axis), ops.sqrt(spread))


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The concordance of labels and predictions along an axis; see :class:`ConcordanceCorrelation`.

    Args:
        y_true, y_pred: of the same shape.
        axis: the last by default.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.metrics.concordance_correlation([[1.0, 2.0, 3.0]], [[2.0, 3.0, 4.0]]).numpy().round(4)
        array([0.5714], dtype=float32)
    """
    true, pred, distance = _centred(y_true, y_pred, axis)
    both = ops.mean(true * pred, axis=axis)
    spread = ops.mean(ops.square(true), axis=axis) + ops.mean(ops.square(pred), axis=axis)
    return ops.divide(2 * both, spread + ops.squeeze(ops.square(distance), axis) + _EPSILON)
