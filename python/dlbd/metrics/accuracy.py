"""How often predictions are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from dlbd.metrics.functions import sparse_top_k_categorical_accuracy
from dlbd.metrics.metric import MeanState
from dlbd.ops import metrics as launches
from dlbd.tensor import Tensor


class _Accuracy(MeanState):
    _kind: ClassVar[str]
    _name: ClassVar[str]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or self._name, dtype)

    def _options(self) -> dict[str, Any]:
        return {}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        launches.add(self._kind, y_true, y_pred, self.state, sample_weight=sample_weight, mask=mask, **self._options())


class Accuracy(_Accuracy):
    """How often ``y_pred`` equals ``y_true``.

    In ``compile`` the name "accuracy" means :class:`BinaryAccuracy` where the predictions' last size is 1,
    :class:`SparseCategoricalAccuracy` where the labels have fewer axes or a last size of 1, and otherwise
    :class:`CategoricalAccuracy`, as in Keras.

    Args:
        name: "accuracy" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels and predictions of the same shape, (batch, ...).

    Raises:
        ValueError: (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.Accuracy()
        >>> metric.update_state([1, 2, 3, 4], [1, 2, 0, 4])
        >>> float(metric.result())
        0.75
    """

    _kind, _name = "equal", "accuracy"


class BinaryAccuracy(_Accuracy):
    """How often ``y_pred > threshold`` is what ``y_true`` (0 or 1) says; what equals the threshold means 0.

    Args:
        name: "binary_accuracy" by default.
        dtype: taken for Keras's sake: the result is float32.
        threshold: between 0 and 1; 0.5 by default.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels and predictions of the same shape, (batch, ...).

    Raises:
        ValueError: ``threshold`` is out of range, or (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.BinaryAccuracy()
        >>> metric.update_state([[1], [0], [1], [0]], [[0.75], [0.25], [0.5], [0.5]])
        >>> float(metric.result())
        0.75
    """

    _kind, _name = "binary_accuracy", "binary_accuracy"

    def __init__(self, name: str | None = None, dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        if not 0 < threshold < 1:
            raise ValueError(f"[binary_accuracy] threshold must be between 0 and 1; received {threshold}")
        self.threshold = float(threshold)

    def _options(self) -> dict[str, Any]:
        return {"threshold": self.threshold}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(_Accuracy):
    """How often the largest prediction stands where the largest label (one-hot) stands; the first one of equals.

    Args:
        name: "categorical_accuracy" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels and predictions of the same shape, (..., C).

    Raises:
        ValueError: (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.CategoricalAccuracy()
        >>> metric.update_state([[0, 1], [1, 0]], [[0.25, 0.75], [0.25, 0.75]])
        >>> float(metric.result())
        0.5
    """

    _kind, _name = "categorical_accuracy", "categorical_accuracy"


class SparseCategoricalAccuracy(_Accuracy):
    """How often the largest prediction stands at the label's class number; the first one of equals.

    Args:
        name: "sparse_categorical_accuracy" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (...) or (..., 1) and predictions (..., C).

    Raises:
        ValueError: (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.SparseCategoricalAccuracy()
        >>> metric.update_state([1, 0], [[0.25, 0.75], [0.25, 0.75]])
        >>> float(metric.result())
        0.5
    """

    _kind, _name = "sparse_accuracy", "sparse_categorical_accuracy"


class _TopK(_Accuracy):
    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        if k < 1:
            raise ValueError(f"[{self.name}] k must be at least 1; received {k}")
        self.k = int(k)

    def _options(self) -> dict[str, Any]:
        return {"k": self.k}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


class TopKCategoricalAccuracy(_TopK):
    """How often the class of the largest label (one-hot) is among the ``k`` largest predictions.

    Args:
        k: at least 1; 5 by default.
        name: "top_k_categorical_accuracy" by default.
        dtype: taken for Keras's sake: the result is float32.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels and predictions of the same shape, (..., C).

    Raises:
        ValueError: ``k`` is less than 1, or (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.TopKCategoricalAccuracy(k=2)
        >>> metric.update_state([[0, 0, 1], [1, 0, 0]], [[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]])
        >>> float(metric.result())
        0.5
    """

    _kind, _name = "categorical_top_k", "top_k_categorical_accuracy"


class SparseTopKCategoricalAccuracy(_TopK):
    """How often the label's class is among the ``k`` largest predictions.

    Args:
        k: at least 1; 5 by default.
        name: "sparse_top_k_categorical_accuracy" by default.
        dtype: taken for Keras's sake: the result is float32.
        from_sorted_ids: predictions are class numbers, the best first (..., at least k); False by default.

    ``update_state(y_true, y_pred, sample_weight=None)`` takes labels (...) or (..., 1) and predictions (..., C).

    Raises:
        ValueError: ``k`` is less than 1, or (at the update) the shapes do not fit.

    Example:
        >>> metric = dlbd.metrics.SparseTopKCategoricalAccuracy(k=2)
        >>> metric.update_state([2, 0], [[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]])
        >>> float(metric.result())
        0.5
    """

    _kind, _name = "sparse_top_k", "sparse_top_k_categorical_accuracy"

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None, from_sorted_ids: bool = False) -> None:
        super().__init__(k, name, dtype)
        self.from_sorted_ids = from_sorted_ids

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; ``y_pred.mask``, where there is one, leaves steps out."""
        if not self.from_sorted_ids:
            super().update_state(y_true, y_pred, sample_weight)
            return
        found = sparse_top_k_categorical_accuracy(y_true, y_pred, self.k, from_sorted_ids=True)
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        launches.add("value", None, found, self.state, sample_weight=sample_weight, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_sorted_ids": self.from_sorted_ids}


def resolve_accuracy(y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> type[_Accuracy]:
    """What "accuracy" means for labels and predictions of these shapes; the rule of Keras's ``compile``."""
    if y_pred_shape[-1] == 1:
        return BinaryAccuracy
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalAccuracy
    return CategoricalAccuracy
