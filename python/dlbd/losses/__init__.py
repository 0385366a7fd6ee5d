"""Losses, with Keras's names. Each is one launch forward and one backward."""

from __future__ import annotations

from typing import Any

from dlbd.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from dlbd.losses.elementwise import (
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    squared_hinge,
)
from dlbd.losses.loss import FunctionLoss as _FunctionLoss
from dlbd.losses.loss import Loss

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence
logcosh = log_cosh

_CLASS_OF: dict[str, type[Loss]] = {
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "cosine_similarity": CosineSimilarity,
    "hinge": Hinge,
    "huber": Huber,
    "kl_divergence": KLDivergence,
    "log_cosh": LogCosh,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_error": MeanSquaredError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "poisson": Poisson,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "squared_hinge": SquaredHinge,
}
_SHORT = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
_BY_CLASS_NAME = {cls.__name__: cls for cls in _CLASS_OF.values()}


def get(identifier: Any) -> Loss | None:
    """The loss that ``identifier`` means.

    Args:
        identifier: a loss or None (given back as it is); a name, "mean_squared_error", "MeanSquaredError" or "mse"; a
            class; a dict ``{"class_name": ..., "config": {...}}``; or a function of (y_true, y_pred) that gives one
            value per sample.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.losses.get("mse").name
        'mean_squared_error'
    """
    if identifier is None or isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, dict):
        cls = _BY_CLASS_NAME.get(identifier.get("class_name", ""))
        if cls is not None:
            return cls.from_config(identifier.get("config", {}))
    elif isinstance(identifier, str):
        name = _SHORT.get(identifier.lower() if identifier.isupper() else identifier, identifier)
        cls = _CLASS_OF.get(name) or _BY_CLASS_NAME.get(name)
        if cls is not None:
            return cls()
        raise ValueError(f"[loss] nothing is named {identifier!r}; expected one of {sorted([*_CLASS_OF, *_SHORT])}")
    elif isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    elif callable(identifier):
        cls = _CLASS_OF.get(getattr(identifier, "__name__", ""))
        if cls is not None and identifier is globals().get(identifier.__name__):
            return cls()
        return _FunctionLoss(identifier)
    raise ValueError(f"[loss] expected a name, a function or a Loss; received {identifier!r}")


__all__ = [
    "BCE",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CosineSimilarity",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "bce",
    "binary_crossentropy",
    "categorical_crossentropy",
    "cosine_similarity",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "log_cosh",
    "logcosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]
