"""Losses as metrics: their mean over everything seen, weighted by the samples' weights."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from dlbd import losses
from dlbd.backend import FLOAT32
from dlbd.metrics.metric import MeanState
from dlbd.ops import losses as loss_launches
from dlbd.ops import metrics as launches
from dlbd.tensor import Tensor


class _LossMetric(MeanState):
    _loss: ClassVar[type[losses.Loss]]
    _name: ClassVar[str]

    def __init__(self, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name or self._name, dtype)
        self._options = options
        self._function = self._loss(**options)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        kind, true, pred, options = self._function._terms(y_true, y_pred)
        values = loss_launches.each(kind, true, pred, mask=mask, **options)
        launches.add("value", None, values, self.state, sample_weight=sample_weight, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options}


class MeanSquaredError(_LossMetric):
    """The mean of the squared error.

    Args:
        name: "mean_squared_error" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.MeanSquaredError` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.MeanSquaredError()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.25
    """

    _loss, _name = losses.MeanSquaredError, "mean_squared_error"


class RootMeanSquaredError(_LossMetric):
    """The root of the mean of the squared error.

    Args:
        name: "root_mean_squared_error" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.MeanSquaredError` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.RootMeanSquaredError()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.5
    """

    _loss, _name = losses.MeanSquaredError, "root_mean_squared_error"

    def result(self) -> Tensor:
        """The root of the mean so far: a float32 scalar."""
        return Tensor(np.array(math.sqrt(float(super().result())), FLOAT32))


class MeanAbsoluteError(_LossMetric):
    """The mean of the absolute error.

    Args:
        name: "mean_absolute_error" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.MeanAbsoluteError` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.MeanAbsoluteError()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.5
    """

    _loss, _name = losses.MeanAbsoluteError, "mean_absolute_error"


class MeanAbsolutePercentageError(_LossMetric):
    """The mean of the absolute error in percent of the label.

    Args:
        name: "mean_absolute_percentage_error" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.MeanAbsolutePercentageError` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.MeanAbsolutePercentageError()
        >>> metric.update_state([[1.0, 2.0]], [[1.5, 2.0]])
        >>> round(float(metric.result()), 4)
        25.0
    """

    _loss, _name = losses.MeanAbsolutePercentageError, "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(_LossMetric):
    """The mean of the squared difference of ``log(1 + y)``.

    Args:
        name: "mean_squared_logarithmic_error" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.MeanSquaredLogarithmicError` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.MeanSquaredLogarithmicError()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.1236
    """

    _loss, _name = losses.MeanSquaredLogarithmicError, "mean_squared_logarithmic_error"


class LogCoshError(_LossMetric):
    """The mean of ``log(cosh(y_pred - y_true))``.

    Args:
        name: "logcosh" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.LogCosh` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.LogCoshError()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.1201
    """

    _loss, _name = losses.LogCosh, "logcosh"


class KLDivergence(_LossMetric):
    """The mean Kullback-Leibler divergence of the predictions from the labels.

    Args:
        name: "kl_divergence" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.KLDivergence` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.KLDivergence()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.KLDivergence, "kl_divergence"


class Poisson(_LossMetric):
    """The mean of ``y_pred - y_true log(y_pred)``.

    Args:
        name: "poisson" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.Poisson` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.Poisson()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.8466
    """

    _loss, _name = losses.Poisson, "poisson"


class Hinge(_LossMetric):
    """The mean of ``max(1 - y_true y_pred, 0)``.

    Args:
        name: "hinge" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.Hinge` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.Hinge()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        1.0
    """

    _loss, _name = losses.Hinge, "hinge"


class SquaredHinge(_LossMetric):
    """The mean of ``max(1 - y_true y_pred, 0)^2``.

    Args:
        name: "squared_hinge" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.SquaredHinge` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.SquaredHinge()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        1.25
    """

    _loss, _name = losses.SquaredHinge, "squared_hinge"


class BinaryCrossentropy(_LossMetric):
    """The mean cross-entropy of yes-or-no labels.

    Args:
        options: ``from_logits``, ``label_smoothing`` and ``axis``, as for the loss.
        name: "binary_crossentropy" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.BinaryCrossentropy` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.BinaryCrossentropy()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.BinaryCrossentropy, "binary_crossentropy"


class CategoricalCrossentropy(_LossMetric):
    """The mean cross-entropy over classes, from one-hot labels.

    Args:
        options: ``from_logits``, ``label_smoothing`` and ``axis``, as for the loss.
        name: "categorical_crossentropy" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.CategoricalCrossentropy` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.CategoricalCrossentropy()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.CategoricalCrossentropy, "categorical_crossentropy"


class SparseCategoricalCrossentropy(_LossMetric):
    """The mean cross-entropy over classes, from class numbers.

    Args:
        options: ``from_logits``, ``ignore_class`` and ``axis``, as for the loss.
        name: "sparse_categorical_crossentropy" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.SparseCategoricalCrossentropy` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.SparseCategoricalCrossentropy()
        >>> metric.update_state([1], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.SparseCategoricalCrossentropy, "sparse_categorical_crossentropy"
