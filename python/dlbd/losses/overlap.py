"""Losses of segmentation: how far two sets are from covering each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.losses.loss import Loss
from dlbd.losses.operands import of_one_shape
from dlbd.tensor import Tensor

_EPSILON = 1e-7  # keeps a sum that divides from zero, as in Keras

Axis = int | Sequence[int] | None


class Dice(Loss):
    """1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred)): 0 where both agree, 1 where they have nothing in common.

    Labels and predictions have the same shape, with values in [0, 1].

    Args:
        reduction, name, dtype: see :class:`Loss`; the name is "dice" by default.
        axis: the axes that are summed over. By default all of them: one value for the whole batch. (1, 2, 3) gives each
            of a batch of images its own.

    Raises:
        ValueError: (at the call) the shapes do not fit, or there is no such axis.

    Example:
        >>> round(float(dlbd.losses.Dice()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.5
    """

    _parameters = ("axis",)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return dice(y_true, y_pred, self.axis)


class Tversky(Loss):
    """1 - c / (c + alpha m + beta f) for the common part c, the missed part m and the false part f of the predictions.

    c = sum(y_true y_pred), m = sum(y_true (1 - y_pred)), f = sum((1 - y_true) y_pred), as Keras computes it (whose
    documentation calls m the false positives). With both 0.5 it is :class:`Dice` (Salehi et al., 2017).

    Args:
        alpha: the price of what was missed; 0.5 by default.
        beta: the price of what is false; 0.5 by default.
        reduction, name, dtype: see :class:`Loss`; the name is "tversky" by default.
        axis: the axes that are summed over, as for :class:`Dice`.

    Raises:
        ValueError: (at the call) the shapes do not fit, or there is no such axis.

    Example:
        >>> round(float(dlbd.losses.Tversky(alpha=1.0)([[0.0, 1.0]], [[0.5, 0.5]])), 4)  # 1 - 0.5 / (0.5 + 0.5 + 0.25)
        0.6
    """

    _parameters = ("alpha", "beta", "axis")

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.alpha, self.beta, self.axis = alpha, beta, axis

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return tversky(y_true, y_pred, self.alpha, self.beta, self.axis)


def dice(y_true: Any, y_pred: Any, axis: Axis = None) -> Tensor:
    """The loss along axes; see :class:`Dice`.

    Args:
        y_true, y_pred, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axes.

    Example:
        >>> dlbd.losses.dice([[0.0, 1.0]], [[0.5, 0.5]], axis=-1).shape
        (1,)
    """
    t, p = of_one_shape("dice", y_true, y_pred)
    both = ops.sum(t, axis=axis) + ops.sum(p, axis=axis)
    return ops.subtract(1, 2 * ops.sum(t * p, axis=axis) / (both + _EPSILON))


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None) -> Tensor:
    """The loss along axes; see :class:`Tversky`.

    Args:
        y_true, y_pred, alpha, beta, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axes.

    Example:
        >>> dlbd.losses.tversky([[0.0, 1.0]], [[0.5, 0.5]], axis=-1).shape
        (1,)
    """
    t, p = of_one_shape("tversky", y_true, y_pred)
    common = ops.sum(t * p, axis=axis)
    missed, false = ops.sum(t * (1 - p), axis=axis), ops.sum((1 - t) * p, axis=axis)
    return ops.subtract(1, common / (common + missed * alpha + false * beta + _EPSILON))
