"""Hinge losses: nothing to pay where the prediction is on the right side by a margin of 1."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.losses.elementwise import ElementLoss, per_sample
from dlbd.losses.loss import Loss
from dlbd.losses.operands import of_one_shape
from dlbd.tensor import Tensor


class Hinge(ElementLoss):
    """mean(max(1 - y_true y_pred, 0))

    Labels are -1 and 1; if all are 0 or 1, 0 means -1, as in Keras.

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "hinge" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.Hinge()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        1.0
    """

    _kind, _name = "hinge", "hinge"


class SquaredHinge(ElementLoss):
    """mean(max(1 - y_true y_pred, 0)^2)

    Labels are -1 and 1; if all are 0 or 1, 0 means -1, as in Keras.

    Labels and predictions have the same shape, (..., N); each sample's value is the mean over the last axis.

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "squared_hinge" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.SquaredHinge()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        1.25
    """

    _kind, _name = "squared_hinge", "squared_hinge"


class CategoricalHinge(Loss):
    """max(neg - pos + 1, 0) where pos = sum(y_true y_pred) and neg = max((1 - y_true) y_pred) over the classes.

    Labels are one-hot, of the predictions' shape (..., C).

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "categorical_hinge" by default.

    Raises:
        ValueError: (at the call) the shapes do not fit.

    Example:
        >>> float(dlbd.losses.CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.75]]))  # 0.5 - 0.75 + 1
        0.75
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "categorical_hinge", dtype: Any = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return categorical_hinge(y_true, y_pred)


hinge = per_sample(Hinge)
squared_hinge = per_sample(SquaredHinge)


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """The loss of every sample; see :class:`CategoricalHinge`.

    Args:
        y_true: labels, one-hot, of the predictions' shape.
        y_pred: predictions (..., C).

    Returns:
        A tensor (...).

    Example:
        >>> dlbd.losses.categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]]).numpy()
        array([0.75], dtype=float32)
    """
    true, pred = of_one_shape("categorical_hinge", y_true, y_pred, classes=True)
    right = ops.sum(true * pred, axis=-1)
    wrong = ops.max((1 - true) * pred, axis=-1)
    return ops.maximum(wrong - right + 1, 0)
