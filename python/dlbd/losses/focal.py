"""Focal cross-entropies: what is predicted well already counts less (Lin et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.losses.crossentropy import checked_smoothing
from dlbd.losses.loss import Loss
from dlbd.losses.operands import last_axis, logits_of, of_one_shape
from dlbd.tensor import Tensor, as_float

_EPSILON = 1e-7  # probabilities are clipped to [epsilon, 1 - epsilon], as in Keras


class BinaryFocalCrossentropy(Loss):
    """Cross-entropy of yes-or-no labels times (1 - p_t)^gamma, averaged over the last axis.

    p_t is the probability of what is the case: p for label 1, 1 - p for label 0. Probabilities from sigmoid bring its
    input along, as for :class:`BinaryCrossentropy`; others are clipped to [1e-7, 1 - 1e-7].

    Args:
        apply_class_balancing: multiply by ``alpha`` for label 1 and by ``1 - alpha`` for label 0; False by default.
        alpha: 0.25 by default.
        gamma: 2 by default; 0 gives :class:`BinaryCrossentropy`.
        from_logits: predictions are logits, not probabilities; False by default.
        label_smoothing: s in [0, 1], 0 by default: labels become ``t (1 - s) + s / 2``.
        axis: the axis that is averaged over; the last one by default.
        reduction, name, dtype: see :class:`Loss`; the name is "binary_focal_crossentropy" by default.

    ``y_true`` is of the same shape as ``y_pred``, (..., N), with values in [0, 1].

    Raises:
        ValueError: ``label_smoothing`` lies outside [0, 1], or (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.BinaryFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)  # 0.5^2 log 2
        0.1733
    """

    _parameters = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = checked_smoothing(label_smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        options = {name: getattr(self, name) for name in self._parameters}
        pred = as_float(y_pred)
        return binary_focal_crossentropy(y_true, ops.reshape(pred, (-1, 1)) if pred.ndim == 1 else pred, **options)


class CategoricalFocalCrossentropy(Loss):
    """alpha (1 - p)^gamma times the cross-entropy -t log(p), summed over C classes; labels t are one-hot.

    Probabilities from softmax bring its input along, as for :class:`CategoricalCrossentropy`; others are divided by
    their sum and clipped to [1e-7, 1 - 1e-7].

    Args:
        alpha: one factor, or one for each class; 0.25 by default.
        gamma: 2 by default.
        from_logits: predictions are logits, not probabilities; False by default.
        label_smoothing: s in [0, 1], 0 by default: labels become ``t (1 - s) + s / C``.
        axis: the axis of the classes; the last one by default.
        reduction, name, dtype: see :class:`Loss`; the name is "categorical_focal_crossentropy" by default.

    ``y_true`` is of the same shape as ``y_pred``, (..., C).

    Raises:
        ValueError: ``label_smoothing`` lies outside [0, 1], or (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.0433
    """

    _parameters = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.alpha, self.gamma, self.from_logits, self.axis = alpha, gamma, from_logits, axis
        self.label_smoothing = checked_smoothing(label_smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        options = {name: getattr(self, name) for name in self._parameters}
        return categorical_focal_crossentropy(y_true, y_pred, **options)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """The loss of every sample; see :class:`BinaryFocalCrossentropy`.

    Args:
        y_true, y_pred, apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.losses.binary_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    pred = as_float(y_pred)
    logits = logits_of(pred, from_logits, classes=False)
    t, p = of_one_shape("binary_focal_crossentropy", y_true, pred if logits is None else logits)
    if label_smoothing:
        t = t * (1 - label_smoothing) + label_smoothing / 2
    if logits is None:
        yes, no = p, 1 - p
        clipped = ops.clip(p, _EPSILON, 1 - _EPSILON)
        loss = -(t * ops.log(clipped) + (1 - t) * ops.log(1 - clipped))
    else:
        yes, no = ops.sigmoid(p), ops.sigmoid(-p)
        loss = t * ops.softplus(-p) + (1 - t) * ops.softplus(p)
    if gamma:
        loss = ops.power(t * no + (1 - t) * yes, gamma) * loss
    if apply_class_balancing:
        loss = (t * alpha + (1 - t) * (1 - alpha)) * loss
    return ops.mean(loss, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """The loss of every sample; see :class:`CategoricalFocalCrossentropy`.

    Args:
        y_true, y_pred, alpha, gamma, from_logits, label_smoothing, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.losses.categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    op = "categorical_focal_crossentropy"
    pred = as_float(y_pred)
    logits = logits_of(pred, from_logits, classes=True, axis=axis)
    true, pred = last_axis(op, y_true, pred if logits is None else logits, axis)
    t, p = of_one_shape(op, true, pred, classes=True)
    if label_smoothing:
        t = t * (1 - label_smoothing) + label_smoothing / t.shape[-1]
    if logits is None:
        p = ops.clip(p / ops.sum(p, axis=-1, keepdims=True), _EPSILON, 1 - _EPSILON)
        log_p = ops.log(p)
    else:
        p, log_p = ops.softmax(p), ops.log_softmax(p)
    loss = -t * log_p * alpha
    if gamma:
        loss = ops.power(1 - p, gamma) * loss
    return ops.sum(loss, axis=-1)
