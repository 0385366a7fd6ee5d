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
    _loss, _name = losses.MeanSquaredError, "mean_squared_error"


class RootMeanSquaredError(_LossMetric):
    _loss, _name = losses.MeanSquaredError, "root_mean_squared_error"

    def result(self) -> Tensor:
        return Tensor(np.array(math.sqrt(float(super().result())), FLOAT32))


class MeanAbsoluteError(_LossMetric):
    _loss, _name = losses.MeanAbsoluteError, "mean_absolute_error"


class MeanAbsolutePercentageError(_LossMetric):
    _loss, _name = losses.MeanAbsolutePercentageError, "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(_LossMetric):
    _loss, _name = losses.MeanSquaredLogarithmicError, "mean_squared_logarithmic_error"


class LogCoshError(_LossMetric):
    _loss, _name = losses.LogCosh, "logcosh"


class KLDivergence(_LossMetric):
    _loss, _name = losses.KLDivergence, "kl_divergence"


class Poisson(_LossMetric):
    _loss, _name = losses.Poisson, "poisson"


class Hinge(_LossMetric):
    _loss, _name = losses.Hinge, "hinge"


class SquaredHinge(_LossMetric):
    _loss, _name = losses.SquaredHinge, "squared_hinge"


class BinaryCrossentropy(_LossMetric):
    _loss, _name = losses.BinaryCrossentropy, "binary_crossentropy"


class CategoricalCrossentropy(_LossMetric):
    _loss, _name = losses.CategoricalCrossentropy, "categorical_crossentropy"


class SparseCategoricalCrossentropy(_LossMetric):
    _loss, _name = losses.SparseCategoricalCrossentropy, "sparse_categorical_crossentropy"
