"""Losses, with Keras's names. Each is one launch forward and one backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlbd import lookup as _lookup
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
    HalfSquaredError,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    cosine_similarity,
    half_squared_error,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from dlbd.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from dlbd.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from dlbd.losses.loss import FunctionLoss as _FunctionLoss
from dlbd.losses.loss import Loss
from dlbd.losses.overlap import Dice, Tversky, dice, tversky

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kl_divergence
logcosh = log_cosh

_CLASSES: tuple[type[Loss], ...] = (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    HalfSquaredError,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
_SHORT = {
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "logcosh": LogCosh,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_BY_NAME = _lookup.by_name(_CLASSES) | _SHORT | {name.upper(): cls for name, cls in _SHORT.items()}


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
    found = _lookup.find("loss", Loss, _BY_NAME, identifier)
    if found is None or isinstance(found, Loss):
        return found
    name = getattr(found, "__name__", "")
    if name in _BY_NAME and found is globals().get(name):  # one of this module's functions
        return _BY_NAME[name]()  # type: ignore[no-any-return]
    return _FunctionLoss(found)


def serialize(loss: Any) -> Any:
    """A loss as plain data, which :func:`deserialize` understands; a function becomes its name.

    Example:
        >>> dlbd.losses.serialize(dlbd.losses.Dice(axis=-1))
        {'class_name': 'Dice', 'config': {'name': 'dice', 'reduction': 'sum_over_batch_size', 'axis': -1}}
    """
    return _lookup.serialize(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss that :func:`serialize` wrote down.

    Args:
        config: what that gave.
        custom_objects: classes of your own by their names.

    Raises:
        ValueError: nothing has that name.

    Example:
        >>> dlbd.losses.deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
        2.0
    """
    return _lookup.find("loss", Loss, {**_BY_NAME, **(custom_objects or {})}, config)


__all__ = [
    "BCE",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Dice",
    "HalfSquaredError",
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
    "Tversky",
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "dice",
    "get",
    "half_squared_error",
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
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]
