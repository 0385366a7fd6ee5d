"""Which classes are taken for which."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT64, INT32, INT64, UINT8
from dlbd.metrics.metric import Metric
from dlbd.metrics.thresholds import weights_of
from dlbd.ops import metrics as launches
from dlbd.tensor import Tensor, as_tensor


class MatrixMetric(Metric):
    """A metric that is made of a matrix of weights: true classes down, predicted ones across.

    Args:
        num_classes: the size of the matrix.
        ignore_class: labels of this class do not count; None for no such class.
        name, dtype: as for any metric.
    """

    def __init__(
        self, num_classes: int, ignore_class: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if num_classes < 1:
            raise ValueError(f"[{self.name}] num_classes must be at least 1; received {num_classes}")
        self.num_classes, self.ignore_class = num_classes, ignore_class
        self._matrix = self.add_variable((num_classes, num_classes), dtype=FLOAT64, name="confusion_matrix")
        column = ops.convert_to_tensor(np.arange(num_classes)[:, None], FLOAT64)
        self._cell_of_row, self._cell_of_column = column * num_classes, column

    def _add(self, true: Tensor, pred: Tensor, sample_weight: Any, mask: Any) -> None:
        """Count class numbers, as many labels as predictions.

        Raises:
            ValueError: a class number lies outside [0, num_classes).
        """
        shape = pred.shape
        if true.size != pred.size:
            raise ValueError(
                f"[{self.name}] y_true and y_pred must have as many class numbers; received shapes {true.shape} and "
                f"{shape}. Are these one-hot labels, or predictions for each of the classes?"
            )
        weights = weights_of(self.name, shape, sample_weight, mask)
        true, pred = _numbers(ops.reshape(true, shape)), _numbers(pred)
        if self.ignore_class is not None:
            counts = ops.not_equal(true, self.ignore_class)
            true, pred = ops.where(counts, true, 0), ops.where(counts, pred, 0)
            weights = ops.cast(counts, FLOAT64) if weights is None else weights * counts
        # Two look-ups, because they refuse numbers that are out of range.
        cells = ops.embedding(true, self._cell_of_row) + ops.embedding(pred, self._cell_of_column)
        launches.count(ops.cast(cells, INT32), self._matrix.array, weights)


def _numbers(classes: Tensor) -> Tensor:
    return classes if classes.dtype in (INT32, INT64, UINT8) else ops.cast(classes, INT32)


class ConfusionMatrix(MatrixMetric):
    """How often each class (down) was taken for each class (across).

    Args:
        num_classes: how many classes there are.
        ignore_class: labels of this class do not count; None (the default) for no such class.
        name: "confusion_matrix" by default.
        dtype: taken for Keras's sake: the result is int64, or float64 once weights were given.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes predictions

    - over the classes, (..., num_classes), float: the largest one counts; with labels one-hot or class numbers;
    - of one probability for two classes, float, of the shape of the labels: above 0.5 is class 1;
    - as class numbers, integers of the shape of the labels.

    Raises:
        ValueError: ``num_classes`` is less than 1, or (at the update) the shapes do not fit or a class number lies
            outside [0, num_classes).

    Example:
        >>> metric = dlbd.metrics.ConfusionMatrix(3)
        >>> metric.update_state([0, 1, 2, 2], [0, 2, 2, 2])
        >>> metric.result().numpy()
        array([[1, 0, 0],
               [0, 0, 1],
               [0, 0, 2]])
    """

    def __init__(
        self, num_classes: int, ignore_class: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(num_classes, ignore_class, name, dtype)
        self._weighted = False

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        pred = as_tensor(y_pred)
        mask = pred.mask
        true = as_tensor(y_true, like=pred.array)
        if pred.dtype.kind == "f":
            over_classes = pred.ndim > 0 and pred.shape[-1] == self.num_classes > 1
            if over_classes and true.size != prod(pred.shape[:-1]) and true.shape == pred.shape:
                true = ops.argmax(true, axis=-1)
            if over_classes:
                pred = ops.argmax(pred, axis=-1)
            elif self.num_classes == 2:
                pred = ops.greater(pred, 0.5)
            else:
                raise ValueError(
                    f"[{self.name}] float predictions must be (..., {self.num_classes}), over the classes; received "
                    f"shape {pred.shape}. Class numbers are integers"
                )
        self._weighted |= sample_weight is not None
        self._add(true, pred, sample_weight, mask)

    def result(self) -> Tensor:
        """The matrix so far: (num_classes, num_classes)."""
        counts = self._matrix.numpy()
        return Tensor(np.array(counts if self._weighted else counts.astype(INT64)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "ignore_class": self.ignore_class}
