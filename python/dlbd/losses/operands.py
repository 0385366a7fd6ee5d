"""Labels and predictions brought to where a loss wants them."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.ops.losses import rows_of
from dlbd.tensor import Tensor, as_float, as_tensor


def last_axis(op: str, y_true: Any, pred: Tensor, axis: int) -> tuple[Any, Tensor]:
    """Operands with ``axis`` moved to the end."""
    if axis == -1:
        return y_true, pred
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise TypeError(f"[{op}] axis must be an int; received {axis!r}")
    if not -max(pred.ndim, 1) <= axis < max(pred.ndim, 1):
        raise ValueError(f"[{op}] axis {axis} does not exist in y_pred of shape {pred.shape}")
    if axis in (-1, pred.ndim - 1) or pred.ndim < 2:
        return y_true, pred
    true = as_tensor(y_true)
    if true.ndim == pred.ndim:  # class numbers may keep the axis, with length 1
        true = ops.moveaxis(true, axis, -1)
    return true, ops.moveaxis(pred, axis, -1)


def of_one_shape(op: str, y_true: Any, y_pred: Any, classes: bool = False) -> tuple[Tensor, Tensor]:
    """Operands as tensors of one shape and float dtype; a last size of 1 may be missing in one of them.

    Args:
        op: what errors call it.
        y_true, y_pred: labels and predictions.
        classes: whether the last axis is that of the classes.

    Raises:
        ValueError: the shapes differ.
    """
    pred = as_float(y_pred)
    true = as_tensor(y_true, like=pred.array)
    rows_of(op, true.shape, pred.shape, classes=classes, sparse=False, vector=False)
    true = ops.cast(true, pred.dtype)
    if true.ndim < pred.ndim:
        return ops.reshape(true, pred.shape), pred
    return true, pred if true.ndim == pred.ndim else ops.reshape(pred, true.shape)


def logits_of(pred: Tensor, from_logits: bool, classes: bool, axis: int = -1) -> Tensor | None:
    """The logits behind predictions, where they are known: the input of the sigmoid, or of the softmax over the classes
    along ``axis``, that they came out of; themselves if they are logits."""
    if from_logits:
        return pred
    logits = pred.logits
    if logits is None or pred.logits_over_classes != classes or logits.shape != pred.shape:
        return None
    return logits if not classes or axis in (-1, pred.ndim - 1) else None
