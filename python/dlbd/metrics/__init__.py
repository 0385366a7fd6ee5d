"""Metrics, with Keras's names. State lives in arrays, an update is a launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd.losses.loss import FunctionLoss as _FunctionLoss
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
from dlbd.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from dlbd.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum
from dlbd.saving.objects import registered as _registered

_BY_NAME: dict[str, type[Metric]] = {
    "accuracy": Accuracy,
    "binary_accuracy": BinaryAccuracy,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_accuracy": CategoricalAccuracy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "hinge": Hinge,
    "kl_divergence": KLDivergence,
    "logcosh": LogCoshError,
    "mean": Mean,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_error": MeanSquaredError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "poisson": Poisson,
    "root_mean_squared_error": RootMeanSquaredError,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "sparse_top_k_categorical_accuracy": SparseTopKCategoricalAccuracy,
    "squared_hinge": SquaredHinge,
    "sum": Sum,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
}
_BY_NAME |= {cls.__name__: cls for cls in _BY_NAME.values()}
_BY_NAME |= {
    "acc": Accuracy,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
}


def get(
    identifier: Any, y_true_shape: Sequence[int] | None = None, y_pred_shape: Sequence[int] | None = None
) -> Metric | None:
    """The metric that a string, a class, a configuration, a function or a :class:`Metric` means; None for None.

    Args:
        identifier: a metric or None (given back as it is); a name, "mean_squared_error", "MeanSquaredError" or "mse",
            which becomes the metric's: "mse" is logged as "mse"; a class; a dict
            ``{"class_name": ..., "config": {...}}``; a loss or a function of (y_true, y_pred) that gives one value per
            sample, whose mean is taken.
        y_true_shape, y_pred_shape: of labels and predictions: with them "accuracy" resolves as in Keras's ``compile``,
            see :class:`Accuracy`.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.metrics.get("accuracy", (32,), (32, 10)).name
        'accuracy'
    """
    identifier = _registered(identifier)
    if identifier is None or isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        cls = _BY_NAME.get(identifier.lower() if identifier.isupper() else identifier)
        if cls is Accuracy and y_true_shape is not None and y_pred_shape is not None:
            cls = _resolve_accuracy(y_true_shape, y_pred_shape)
        if cls is None:
            known = sorted(n for n in _BY_NAME if n[0].islower())
            raise ValueError(f"[metric] nothing is named {identifier!r}; expected one of {known}")
        return cls(name=identifier)
    if isinstance(identifier, dict):
        cls = _BY_NAME.get(identifier.get("class_name", ""))
        if cls is not None:
            return cls.from_config(identifier.get("config", {}))
    elif isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    elif isinstance(identifier, _Loss):
        function = identifier.function if isinstance(identifier, _FunctionLoss) else identifier.call
        return MeanMetricWrapper(function, name=identifier.name)
    elif callable(identifier):
        cls = _BY_NAME.get(getattr(identifier, "__name__", ""))
        if cls is not None and getattr(identifier, "__module__", "").startswith("dlbd."):
            return cls()
        return MeanMetricWrapper(identifier)
    raise ValueError(f"[metric] expected a name, a function or a Metric; received {identifier!r}")


__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "get",
]
