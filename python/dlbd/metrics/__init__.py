"""Metrics, with Keras's names. State lives in arrays, an update is a launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlbd import lookup as _lookup
from dlbd import losses as _losses
from dlbd.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from dlbd.losses.crossentropy import resolve_crossentropy as _resolve_crossentropy
from dlbd.losses.loss import Loss as _Loss
from dlbd.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from dlbd.metrics.accuracy import resolve_accuracy as _resolve_accuracy
from dlbd.metrics.auc import AUC
from dlbd.metrics.confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from dlbd.metrics.confusion_matrix import ConfusionMatrix
from dlbd.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    LossMetric,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from dlbd.metrics.f_score import F1Score, FBetaScore
from dlbd.metrics.functions import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from dlbd.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from dlbd.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum
from dlbd.metrics.operating_points import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from dlbd.metrics.regression import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    R2Score,
    concordance_correlation,
    pearson_correlation,
)

_CLASSES: tuple[type[Metric], ...] = (
    AUC,
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    BinaryIoU,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    ConfusionMatrix,
    CosineSimilarity,
    F1Score,
    FBetaScore,
    FalseNegatives,
    FalsePositives,
    Hinge,
    IoU,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanIoU,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    OneHotIoU,
    OneHotMeanIoU,
    PearsonCorrelation,
    Poisson,
    Precision,
    PrecisionAtRecall,
    R2Score,
    Recall,
    RecallAtPrecision,
    RootMeanSquaredError,
    SensitivityAtSpecificity,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SpecificityAtSensitivity,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
    TrueNegatives,
    TruePositives,
)
_SHORT = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
}
_BY_NAME = (
    _lookup.by_name(_CLASSES)
    | _SHORT
    | {name.upper(): cls for name, cls in _SHORT.items()}
    | {"acc": Accuracy, "fbeta_score": FBetaScore, "logcosh": LogCoshError}
    | {"LossMetric": LossMetric, "MeanMetricWrapper": MeanMetricWrapper}
)


def get(
    identifier: Any, y_true_shape: Sequence[int] | None = None, y_pred_shape: Sequence[int] | None = None
) -> Metric | None:
    """The metric that a string, a class, a configuration, a function or a :class:`Metric` means; None for None.

    Args:
        identifier: a metric or None (given back as it is); a name, "mean_squared_error", "MeanSquaredError" or "mse",
            which becomes the metric's: "mse" is logged as "mse"; a class; a dict
            ``{"class_name": ..., "config": {...}}``; a loss, its name, or a function of (y_true, y_pred) that gives one
            value per sample, whose mean is taken.
        y_true_shape, y_pred_shape: of labels and predictions: with them "accuracy" and "crossentropy" resolve as in
            Keras's ``compile``, see :class:`Accuracy`.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.metrics.get("accuracy", (32,), (32, 10)).name
        'accuracy'
    """
    if isinstance(identifier, str):
        named = _named(identifier, y_true_shape, y_pred_shape)
        if named is not None:
            return named
    if isinstance(identifier, type) and issubclass(identifier, _Loss):
        identifier = identifier()
    found = _lookup.find("metric", Metric, _BY_NAME, identifier)
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, _Loss):
        return LossMetric(found)
    name = getattr(found, "__name__", "")
    if found is globals().get(name) and name in _BY_NAME:  # one of this module's functions
        return _BY_NAME[name]()  # type: ignore[no-any-return]
    return MeanMetricWrapper(found)


def _named(name: str, y_true_shape: Sequence[int] | None, y_pred_shape: Sequence[int] | None) -> Metric | None:
    """One of ours by its name, which it is given."""
    cls = _BY_NAME.get(name)
    if y_true_shape is not None and y_pred_shape is not None:
        if cls is Accuracy:
            cls = _resolve_accuracy(y_true_shape, y_pred_shape)
        elif name in ("crossentropy", "ce"):
            cls = _BY_NAME[_resolve_crossentropy(y_true_shape, y_pred_shape).name]
    if cls is None and name in _losses._BY_NAME:
        return LossMetric(name, name)
    return None if cls is None else cls(name=name)


def serialize(metric: Any) -> Any:
    """A metric as plain data, which :func:`deserialize` understands; a function becomes its name.

    Example:
        >>> dlbd.metrics.serialize(dlbd.metrics.Mean())
        {'class_name': 'Mean', 'config': {'name': 'mean', 'dtype': None}}
    """
    return _lookup.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric that :func:`serialize` wrote down.

    Args:
        config: what that gave.
        custom_objects: classes of your own by their names.

    Raises:
        ValueError: nothing has that name.

    Example:
        >>> dlbd.metrics.deserialize({"class_name": "AUC", "config": {"curve": "PR"}}).curve
        'PR'
    """
    return _lookup.find("metric", Metric, {**_BY_NAME, **(custom_objects or {})}, config)


__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "ConfusionMatrix",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "LossMetric",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]
