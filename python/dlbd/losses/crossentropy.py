"""Cross-entropies. Where the predictions come from softmax or sigmoid, both are computed as one, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd.losses.loss import Loss
from dlbd.losses.operands import last_axis, logits_of
from dlbd.ops import losses as launches
from dlbd.tensor import Tensor, as_float


def _binary_terms(
    y_true: Any, y_pred: Any, from_logits: bool, label_smoothing: float, axis: int
) -> tuple[str, Any, Any, dict[str, Any]]:
    pred = as_float(y_pred)
    logits = logits_of(pred, from_logits, classes=False)
    kind = "binary_cross_entropy" if logits is None else "sigmoid_cross_entropy"
    true, pred = last_axis("crossentropy", y_true, pred if logits is None else logits, axis)
    return kind, true, pred, {"smoothing": label_smoothing}


def _categorical_terms(
    y_true: Any, y_pred: Any, from_logits: bool, axis: int, sparse: bool
) -> tuple[str, Any, Any, dict[str, Any]]:
    pred = as_float(y_pred)
    logits = logits_of(pred, from_logits, classes=True, axis=axis)
    kind = "categorical_cross_entropy" if logits is None else "softmax_cross_entropy"
    true, pred = last_axis("crossentropy", y_true, pred if logits is None else logits, axis)
    return kind, true, pred, {"sparse": sparse}


class BinaryCrossentropy(Loss):
    """Cross-entropy of independent yes-or-no labels, averaged over the last axis.

    mean(-t log(p) - (1 - t) log(1 - p)) for labels t and probabilities p.

    Probabilities from sigmoid (layer, activation or operation) bring its input along, and both are computed as
    one, exactly. Other probabilities are clipped to [1e-7, 1 - 1e-7].

    Args:
        from_logits: predictions are logits, not probabilities; False by default.
        label_smoothing: s in [0, 1], 0 by default: labels become ``t (1 - s) + s / 2``.
        axis: the axis that is averaged over; the last one by default.
        reduction, name, dtype: see :class:`Loss`; the name is "binary_crossentropy" by default.

    ``y_true`` is of the same shape as ``y_pred``, (..., N), with values in [0, 1].

    Raises:
        ValueError: ``label_smoothing`` lies outside [0, 1], or (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.BinaryCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    _parameters = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = checked_smoothing(label_smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        return _binary_terms(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)


class CategoricalCrossentropy(Loss):
    """Cross-entropy over C classes; labels are one-hot or any distribution.

    -sum(t log(p)) over the classes for labels t and probabilities p.

    Probabilities from softmax (layer, activation or operation) bring its input along, and both are computed as
    one, exactly. Other probabilities are clipped to [1e-7, 1 - 1e-7] after division by their sum.

    Args:
        from_logits: predictions are logits, not probabilities; False by default.
        label_smoothing: s in [0, 1], 0 by default: labels become ``t (1 - s) + s / C``.
        axis: the axis of the classes; the last one by default.
        reduction, name, dtype: see :class:`Loss`; the name is "categorical_crossentropy" by default.

    ``y_true`` is of the same shape as ``y_pred``, (..., C).

    Raises:
        ValueError: ``label_smoothing`` lies outside [0, 1], or (at the call) the shapes do not fit.

    Example:
        >>> round(float(dlbd.losses.CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    _parameters = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits, self.axis = from_logits, axis
        self.label_smoothing = checked_smoothing(label_smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        kind, true, pred, options = _categorical_terms(y_true, y_pred, self.from_logits, self.axis, sparse=False)
        return kind, true, pred, {**options, "smoothing": self.label_smoothing}


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy over C classes; labels are class numbers.

    -log(p[label]) for probabilities p.

    Probabilities from softmax (layer, activation or operation) bring its input along, and both are computed as
    one, exactly. Other probabilities are clipped to [1e-7, 1 - 1e-7] after division by their sum.

    Args:
        from_logits: predictions are logits, not probabilities; False by default.
        ignore_class: samples with this label do not count; None by default.
        axis: the axis of the classes; the last one by default.
        reduction, name, dtype: see :class:`Loss`; the name is "sparse_categorical_crossentropy" by default.

    ``y_true`` is (...) or (..., 1), whole numbers of any dtype, for ``y_pred`` (..., C).

    Raises:
        ValueError: (at the call) the shapes do not fit, or a label lies outside [0, C); in ``fit`` the update that
            met it does not happen.

    Example:
        >>> round(float(dlbd.losses.SparseCategoricalCrossentropy()([1, 0], [[0.5, 0.5], [0.5, 0.5]])), 4)
        0.6931
    """

    _parameters = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        return sparse_categorical_crossentropy(y_true, y_pred, self.from_logits, self.ignore_class, self.axis)

    def _terms(self, y_true: Any, y_pred: Any) -> tuple[str, Any, Any, dict[str, Any]]:
        kind, true, pred, options = _categorical_terms(y_true, y_pred, self.from_logits, self.axis, sparse=True)
        return kind, true, pred, {**options, "ignore_class": self.ignore_class}


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """The loss of every sample; see :class:`BinaryCrossentropy`.

    Args:
        y_true, y_pred, from_logits, label_smoothing, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.losses.binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    kind, true, pred, options = _binary_terms(y_true, y_pred, from_logits, checked_smoothing(label_smoothing), axis)
    return launches.each(kind, true, pred, **options)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """The loss of every sample; see :class:`CategoricalCrossentropy`.

    Args:
        y_true, y_pred, from_logits, label_smoothing, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).shape
        (1,)
    """
    kind, true, pred, options = _categorical_terms(y_true, y_pred, from_logits, axis, sparse=False)
    return launches.each(kind, true, pred, smoothing=checked_smoothing(label_smoothing), **options)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """The loss of every sample; see :class:`SparseCategoricalCrossentropy`.

    Args:
        y_true, y_pred, from_logits, ignore_class, axis: see there.

    Returns:
        A tensor of the shape of ``y_pred`` without the axis.

    Example:
        >>> dlbd.losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]]).shape
        (1,)
    """
    kind, true, pred, options = _categorical_terms(y_true, y_pred, from_logits, axis, sparse=True)
    return launches.each(kind, true, pred, ignore_class=ignore_class, **options)


def checked_smoothing(label_smoothing: float) -> float:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"[crossentropy] label_smoothing must be in [0, 1]; received {label_smoothing}")
    return float(label_smoothing)


def resolve_crossentropy(y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> Loss:
    """What "crossentropy" means for labels and predictions of these shapes; the rule of Keras's ``compile``."""
    if y_pred_shape[-1] == 1:
        return BinaryCrossentropy()
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return SparseCategoricalCrossentropy()
    return CategoricalCrossentropy()
