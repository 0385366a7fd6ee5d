"""Accuracies as functions: a value for every prediction, 1 where it is right and 0 where it is not."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.backend import FLOAT32, INT32
from dlbd.losses.operands import of_one_shape
from dlbd.ops.losses import rows_of
from dlbd.tensor import Tensor, as_tensor


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """Whether ``y_pred > threshold`` is what the label (0 or 1) says.

    Args:
        y_true, y_pred: of the same shape.
        threshold: 0.5 by default.

    Returns:
        A tensor of that shape, float32.

    Example:
        >>> dlbd.metrics.binary_accuracy([[1.0], [0.0]], [[0.75], [0.75]]).numpy().tolist()
        [[1.0], [0.0]]
    """
    true, pred = of_one_shape("binary_accuracy", y_true, y_pred)
    said = ops.cast(ops.greater(pred, threshold), true.dtype)
    return ops.cast(ops.equal(true, said), FLOAT32)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Whether the largest prediction stands where the largest label (one-hot) stands.

    Args:
        y_true, y_pred: of the same shape, (..., C).

    Returns:
        A tensor (...), float32.

    Example:
        >>> dlbd.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.25, 0.75], [0.25, 0.75]]).numpy().tolist()
        [1.0, 0.0]
    """
    true, pred = of_one_shape("categorical_accuracy", y_true, y_pred, classes=True)
    return sparse_categorical_accuracy(ops.argmax(true, axis=-1), pred)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Whether the largest prediction stands at the label's class number.

    Args:
        y_true: class numbers (...) or (..., 1).
        y_pred: predictions (..., C).

    Returns:
        A tensor (...), float32.

    Example:
        >>> dlbd.metrics.sparse_categorical_accuracy([1, 0], [[0.25, 0.75], [0.25, 0.75]]).numpy().tolist()
        [1.0, 0.0]
    """
    labels, pred = _sparse("sparse_categorical_accuracy", y_true, y_pred)
    return ops.cast(ops.equal(labels, ops.argmax(pred, axis=-1)), FLOAT32)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """Whether the class of the largest label (one-hot) is among the ``k`` largest predictions.

    Args:
        y_true, y_pred: of the same shape, (..., C).
        k: 5 by default.

    Returns:
        A tensor (...), float32.

    Example:
        >>> labels, predictions = [[0, 0, 1], [1, 0, 0]], [[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]
        >>> dlbd.metrics.top_k_categorical_accuracy(labels, predictions, k=2).numpy().tolist()
        [1.0, 0.0]
    """
    true, pred = of_one_shape("top_k_categorical_accuracy", y_true, y_pred, classes=True)
    return sparse_top_k_categorical_accuracy(ops.argmax(true, axis=-1), pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Tensor:
    """Whether the label's class is among the ``k`` largest predictions.

    Args:
        y_true: class numbers (...) or (..., 1).
        y_pred: predictions (..., C).
        k: 5 by default.
        from_sorted_ids: predictions are class numbers, the best first; False by default.

    Returns:
        A tensor (...), float32.

    Example:
        >>> labels, predictions = [2, 0], [[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]
        >>> dlbd.metrics.sparse_top_k_categorical_accuracy(labels, predictions, k=2).numpy().tolist()
        [1.0, 0.0]
    """
    labels, pred = _sparse("sparse_top_k_categorical_accuracy", y_true, y_pred)
    column = ops.expand_dims(labels, -1)
    if from_sorted_ids:
        return ops.cast(ops.any(ops.equal(column, pred[..., :k]), axis=-1), FLOAT32)
    above = ops.greater(pred, ops.take_along_axis(pred, ops.cast(column, INT32), axis=-1))
    return ops.cast(ops.less(ops.sum(above, axis=-1), k), FLOAT32)


def _sparse(op: str, y_true: Any, y_pred: Any) -> tuple[Tensor, Tensor]:
    """Class numbers (...) and predictions (..., C)."""
    pred = as_tensor(y_pred)
    labels = as_tensor(y_true, like=pred.array)
    rows_of(op, labels.shape, pred.shape, classes=True, sparse=True, vector=False)
    return ops.reshape(labels, pred.shape[:-1]), pred
