"""Intersection over union: how well predicted areas cover true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from dlbd import ops
from dlbd.metrics.confusion_matrix import MatrixMetric
from dlbd.metrics.metric import as_result, ratio
from dlbd.tensor import Tensor, as_tensor


class IoU(MatrixMetric):
    """TP / (TP + FP + FN) of a class, or the mean over several; classes that occur in neither do not count.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes whose mean is taken.
        name: "io_u" by default, as in Keras.
        dtype: taken for Keras's sake: the result is float32.
        ignore_class: labels of this class do not count ("void", often 255); None (the default) for no such class.
        sparse_y_true: labels are class numbers (the default), not one-hot.
        sparse_y_pred: predictions are class numbers (the default), not a value for each class.
        axis: that of the classes, where labels or predictions have one; the last by default.

    ``update_state(y_true, y_pred, sample_weight=None)``. Weights need not be whole numbers.

    Raises:
        ValueError: a target is no class, or (at the update) the shapes do not fit or a class number lies outside
            [0, num_classes).

    Example:
        >>> metric = dlbd.metrics.IoU(num_classes=2, target_class_ids=[0])
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    _own: ClassVar[tuple[str, ...]] = (
        "num_classes",
        "target_class_ids",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, ignore_class, name, dtype)
        self.target_class_ids = [int(i) for i in target_class_ids]
        if not self.target_class_ids or not all(0 <= i < num_classes for i in self.target_class_ids):
            raise ValueError(
                f"[{self.name}] target_class_ids must lie in [0, {num_classes}); received {self.target_class_ids}"
            )
        self.sparse_y_true, self.sparse_y_pred, self.axis = sparse_y_true, sparse_y_pred, axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        pred = as_tensor(y_pred)
        mask = pred.mask
        true = as_tensor(y_true, like=pred.array)
        true = true if self.sparse_y_true else ops.argmax(true, axis=self.axis)
        pred = pred if self.sparse_y_pred else ops.argmax(pred, axis=self.axis)
        self._add(true, pred, sample_weight, mask)

    def result(self) -> Tensor:
        """The mean over the targets so far: a scalar; 0 where none of them has occurred."""
        matrix = self._matrix.numpy()
        common = np.diag(matrix)[self.target_class_ids]
        union = (matrix.sum(0) + matrix.sum(1))[self.target_class_ids] - common
        return as_result(ratio(ratio(common, union).sum(), np.count_nonzero(union)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self._own}}


class BinaryIoU(IoU):
    """:class:`IoU` of class 1 where a prediction reaches a threshold, and of class 0 elsewhere.

    Args:
        target_class_ids: (0,), (1,) or (0, 1), the default: the mean of both.
        threshold: a prediction that is at least this means class 1; 0.5 by default.
        name: "binary_io_u" by default, as in Keras.
        dtype: taken for Keras's sake: the result is float32.

    Example:
        >>> metric = dlbd.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
        >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    _own = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        pred = as_tensor(y_pred)
        said = ops.greater_equal(pred, self.threshold)
        said.mask = pred.mask
        super().update_state(y_true, said, sample_weight)


class MeanIoU(IoU):
    """The mean of :class:`IoU` over all classes that occur.

    Args:
        num_classes: how many classes there are.
        name: "mean_io_u" by default, as in Keras.
        dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: as for :class:`IoU`. Softmax outputs need
            ``sparse_y_pred=False``.

    Example:
        >>> metric = dlbd.metrics.MeanIoU(num_classes=2)
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=[0.3, 0.3, 0.3, 0.1])
        >>> round(float(metric.result()), 4)
        0.2381
    """

    _own: ClassVar[tuple[str, ...]] = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """:class:`IoU` of one-hot labels and of predictions for each class.

    Args:
        num_classes, target_class_ids, dtype, ignore_class, axis: as for :class:`IoU`.
        name: "one_hot_io_u" by default, as in Keras.
        sparse_y_pred: predictions are class numbers; False by default.

    Example:
        >>> metric = dlbd.metrics.OneHotIoU(num_classes=3, target_class_ids=[0, 2])
        >>> labels = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
        >>> metric.update_state(labels, [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]])
        >>> round(float(metric.result()), 4)
        0.1667
    """

    _own = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """:class:`MeanIoU` of one-hot labels and of predictions for each class.

    Args:
        num_classes, dtype, ignore_class, sparse_y_pred, axis: as for :class:`OneHotIoU`.
        name: "one_hot_mean_io_u" by default, as in Keras.

    Example:
        >>> metric = dlbd.metrics.OneHotMeanIoU(num_classes=3)
        >>> labels = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
        >>> metric.update_state(labels, [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]])
        >>> round(float(metric.result()), 4)
        0.1111
    """

    _own = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
