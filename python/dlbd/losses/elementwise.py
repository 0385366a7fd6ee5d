"""Losses of single elements, averaged over the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from dlbd.losses.loss import Loss
from dlbd.losses.operands import last_axis
from dlbd.ops import losses as launches
from dlbd.tensor import Tensor, as_float


class ElementLoss(Loss):
    """One of the kernels' losses: each sample's value is the mean (or sum) of a function of its elements."""

    _kind: ClassVar[str]  # the kernel's name for it
    _name: ClassVar[str]

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name=name or self._name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        kind, true, pred, options = self._terms(y_true, y_pred)
        return launches.each(kind, true, pred, **options)

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        return self._kind, y_true, y_pred, {}


class MeanSquaredError(ElementLoss):
    """mean((y_true - y_pred)^2)

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "mean_squared_error" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.MeanSquaredError()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.25
    """

    _kind, _name = "squared", "mean_squared_error"


class HalfSquaredError(ElementLoss):
    """mean((y_true - y_pred)^2) / 2, which textbooks write 1/(2n) sum((y_i - y_hat_i)^2).

    It is half of :class:`MeanSquaredError`, so that its gradient with respect to a prediction, (y_hat - y) / n, has no
    factor 2. Both are smallest at the same weights; gradient descent goes the same way if the learning rate of this one
    is twice that of the other.

    Labels and predictions have the same shape, (..., N); each sample's value is half of the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "half_squared_error" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> float(dlbd.losses.HalfSquaredError()([[1.0], [2.0]], [[3.0], [2.0]]))  # (4 + 0) / (2 * 2)
        1.0
    """

    _kind, _name = "huber", "half_squared_error"

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        return self._kind, y_true, y_pred, {"delta": math.inf}  # Huber's loss that never becomes linear


class MeanAbsoluteError(ElementLoss):
    """mean(|y_true - y_pred|)

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "mean_absolute_error" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.MeanAbsoluteError()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.5
    """

    _kind, _name = "absolute", "mean_absolute_error"


class MeanAbsolutePercentageError(ElementLoss):
    """100 mean(|y_true - y_pred| / max(|y_true|, 1e-7))

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "mean_absolute_percentage_error" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.MeanAbsolutePercentageError()([[1.0, 2.0]], [[1.5, 2.0]])), 4)
        25.0
    """

    _kind, _name = "percentage", "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(ElementLoss):
    """mean((log(1 + y_true) - log(1 + y_pred))^2), both taken as at least 1e-7.

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "mean_squared_logarithmic_error" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.MeanSquaredLogarithmicError()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.1236
    """

    _kind, _name = "logarithmic", "mean_squared_logarithmic_error"


class LogCosh(ElementLoss):
    """mean(log(cosh(y_pred - y_true))): like the squared error / 2 near 0, like the absolute error far away.

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "log_cosh" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.LogCosh()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.1201
    """

    _kind, _name = "log_cosh", "log_cosh"


class Poisson(ElementLoss):
    """mean(y_pred - y_true log(y_pred + 1e-7)): for counts; predictions are rates, 0 or more.

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "poisson" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.Poisson()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.8466
    """

    _kind, _name = "poisson", "poisson"


class KLDivergence(ElementLoss):
    """sum(y_true log(y_true / y_pred)) over the last axis, both clipped to [1e-7, 1].

    Labels and predictions have the same shape, (..., N); the last axis holds a distribution.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "kl_divergence" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.KLDivergence()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    _kind, _name = "kl_divergence", "kl_divergence"


class Huber(ElementLoss):
    """mean of e^2 / 2 where e = |y_true - y_pred| <= delta, and of delta e - delta^2 / 2 elsewhere (Huber, 1964).

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        delta: 1 by default.
        reduction, name, dtype: see :class:`Loss`; the name is "huber_loss" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.Huber(delta=2.0)([[0.0, 0.0]], [[1.0, 4.0]])), 4)
        3.25
    """

    _kind, _name = "huber", "huber_loss"
    _parameters = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        self.delta = float(delta)

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        return self._kind, y_true, y_pred, {"delta": self.delta}


class CosineSimilarity(ElementLoss):
    """-sum(y_true y_pred) / (|y_true| |y_pred|): -1 where the directions agree, 1 where they are opposite.

    Lengths are taken as at least 1e-7.

    Labels and predictions have the same shape; the axis holds a vector.

    Args:
        axis: the last one by default.
        reduction, name, dtype: see :class:`Loss`; the name is "cosine_similarity" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit, or there is no such axis.

    Example:
        >>> round(float(dlbd.losses.CosineSimilarity()([[3.0, 4.0]], [[6.0, 8.0]])), 4)
        -1.0
    """

    _kind, _name = "cosine_similarity", "cosine_similarity"
    _parameters = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        self.axis = axis

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        return self._kind, *last_axis(self._kind, y_true, as_float(y_pred), self.axis), {}


def per_sample(loss: type[ElementLoss]) -> Callable[[Any, Any], Tensor]:
    kind = loss._kind

    def each(y_true: Any, y_pred: Any) -> Tensor:
        return launches.each(kind, y_true, y_pred)

    each.__name__ = each.__qualname__ = loss._name
    formula = (loss.__doc__ or "").partition("\n")[0]
    each.__doc__ = f"""{formula}

    The function behind :class:`{loss.__name__}`: one value per sample.

    Args:
        y_true: labels, of the predictions' shape.
        y_pred: predictions (..., n).

    Returns:
        A tensor (...): the last axis is reduced.

    Example:
        >>> dlbd.losses.{loss._name}([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    return each


mean_squared_error = per_sample(MeanSquaredError)
mean_absolute_error = per_sample(MeanAbsoluteError)
mean_absolute_percentage_error = per_sample(MeanAbsolutePercentageError)
mean_squared_logarithmic_error = per_sample(MeanSquaredLogarithmicError)
log_cosh = per_sample(LogCosh)
poisson = per_sample(Poisson)
kl_divergence = per_sample(KLDivergence)


def half_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """The loss of every sample; see :class:`HalfSquaredError`.

    Args:
        y_true: labels.
        y_pred: predictions.

    Returns:
        A tensor of the shape of ``y_pred`` without its last axis.

    Example:
        >>> dlbd.losses.half_squared_error([[0.0, 1.0]], [[0.5, 0.5]]).numpy()
        array([0.125], dtype=float32)
    """
    return launches.each("huber", y_true, y_pred, delta=math.inf)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """The loss of every sample; see :class:`Huber`.

    Args:
        y_true: labels.
        y_pred: predictions.
        delta: 1 by default.

    Returns:
        A tensor of the shape of ``y_pred`` without its last axis.

    Example:
        >>> dlbd.losses.huber([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    return launches.each("huber", y_true, y_pred, delta=float(delta))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The loss of every sample; see :class:`CosineSimilarity`.

    Args:
        y_true: labels.
        y_pred: predictions.
        axis: the last one by default.

    Returns:
        A tensor of the shape of ``y_pred`` without that axis.

    Example:
        >>> dlbd.losses.cosine_similarity([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    true, pred = last_axis("cosine_similarity", y_true, as_float(y_pred), axis)
    return launches.each("cosine_similarity", true, pred)
