"""Losses as metrics: their mean over everything seen, weighted by the samples' weights."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from dlbd import losses, ops
from dlbd.metrics.metric import MeanState, as_result
from dlbd.ops import losses as loss_launches
from dlbd.ops import metrics as launches
from dlbd.tensor import Tensor


class LossMetric(MeanState):
    """The mean of any loss over the samples: what ``metrics=["huber"]`` means.

    Args:
        loss: a loss, or what :func:`dlbd.losses.get` makes one of; its reduction does not matter.
        name: the loss's by default.
        dtype: taken for Keras's sake: the result is float32.

    Example:
        >>> metric = dlbd.metrics.LossMetric(dlbd.losses.Huber(delta=2.0))
        >>> metric.update_state([[0.0, 0.0]], [[1.0, 4.0]])
        >>> float(metric.result())
        3.25
    """

    def __init__(self, loss: Any, name: str | None = None, dtype: Any = None) -> None:
        function: Any = losses.get(loss)
        super().__init__(name or function.name, dtype)
        self._function = function

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        kind, true, pred, options = self._function._terms(y_true, y_pred)
        values = loss_launches.launch(kind, true, pred, "none", "rows", None, mask, options)[0]
        if options.get("ignore_class") is not None:
            counts = ops.reshape(ops.not_equal(true, options["ignore_class"]), values.shape)
            mask = counts if mask is None else ops.logical_and(mask, counts)
        launches.add("value", None, values, self.state, sample_weight=sample_weight, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": losses.serialize(self._function)}


class _Named(LossMetric):
    _loss: ClassVar[type[losses.Loss]]
    _name: ClassVar[str]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self._start(name, dtype)

    def _start(self, name: str | None, dtype: Any, **options: Any) -> None:
        super().__init__(self._loss(**options), name or self._name, dtype)
        self._options = options

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, **self._options}


class MeanSquaredError(_Named):
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


class RootMeanSquaredError(_Named):
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
        return as_result(math.sqrt(float(super().result())))


class MeanAbsoluteError(_Named):
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


class MeanAbsolutePercentageError(_Named):
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


class MeanSquaredLogarithmicError(_Named):
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


class LogCoshError(_Named):
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


class KLDivergence(_Named):
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


class Poisson(_Named):
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


class Hinge(_Named):
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


class SquaredHinge(_Named):
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


class CategoricalHinge(_Named):
    """The mean of ``max(neg - pos + 1, 0)`` over samples with one-hot labels.

    Args:
        name: "categorical_hinge" by default.
        dtype: taken for Keras's sake: the result is float32.

    See :class:`dlbd.losses.CategoricalHinge` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.CategoricalHinge()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.75]])
        >>> float(metric.result())
        0.75
    """

    _loss, _name = losses.CategoricalHinge, "categorical_hinge"


class CosineSimilarity(_Named):
    """The mean cosine of the angle between labels and predictions: 1 where the directions agree.

    Args:
        name: "cosine_similarity" by default.
        dtype: taken for Keras's sake: the result is float32.
        axis: that of the vectors; the last by default.

    It is the negative of :class:`dlbd.losses.CosineSimilarity`, which has the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.CosineSimilarity()
        >>> metric.update_state([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
        >>> round(float(metric.result()), 4)
        0.5
    """

    _loss, _name = losses.CosineSimilarity, "cosine_similarity"

    def __init__(self, name: str | None = None, dtype: Any = None, axis: int = -1) -> None:
        self._start(name, dtype, axis=axis)

    def result(self) -> Tensor:
        """The mean so far: a float32 scalar."""
        return as_result(-float(super().result()))


class BinaryCrossentropy(_Named):
    """The mean cross-entropy of yes-or-no labels.

    Args:
        name: "binary_crossentropy" by default.
        dtype: taken for Keras's sake: the result is float32.
        from_logits, label_smoothing: as for the loss.

    See :class:`dlbd.losses.BinaryCrossentropy` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.BinaryCrossentropy()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.BinaryCrossentropy, "binary_crossentropy"

    def __init__(
        self, name: str | None = None, dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        self._start(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(_Named):
    """The mean cross-entropy over classes, from one-hot labels.

    Args:
        name: "categorical_crossentropy" by default.
        dtype: taken for Keras's sake: the result is float32.
        from_logits, label_smoothing, axis: as for the loss.

    See :class:`dlbd.losses.CategoricalCrossentropy` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.CategoricalCrossentropy()
        >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.CategoricalCrossentropy, "categorical_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        self._start(name, dtype, from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)


class SparseCategoricalCrossentropy(_Named):
    """The mean cross-entropy over classes, from class numbers.

    Args:
        name: "sparse_categorical_crossentropy" by default.
        dtype: taken for Keras's sake: the result is float32.
        from_logits, ignore_class, axis: as for the loss: samples of the class that is ignored do not count.

    See :class:`dlbd.losses.SparseCategoricalCrossentropy` for the formula and the shapes.
    Weights count in the mean: the weighted sum is divided by their sum.

    Example:
        >>> metric = dlbd.metrics.SparseCategoricalCrossentropy()
        >>> metric.update_state([1], [[0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.6931
    """

    _loss, _name = losses.SparseCategoricalCrossentropy, "sparse_categorical_crossentropy"

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        self._start(name, dtype, from_logits=from_logits, ignore_class=ignore_class, axis=axis)
