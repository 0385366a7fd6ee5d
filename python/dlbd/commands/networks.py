"""Networks for features: what ``dlbd train`` trains when it is not told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from dlbd import Input, Model, layers
from dlbd.optimizers import Adam

KINDS = ("mlp", "cnn", "lstm", "gru", "conv1d")
_IDS = np.dtype(np.int64)


def usual_kind(features: Any) -> str:
    """What suits the shape of the inputs: "cnn" for images, "lstm" for windows, "conv1d" for text, otherwise "mlp"."""
    if set(features.output_dtypes.values()) == {_IDS} and len(features.columns) == 1 and features.input_shape[0] > 1:
        return "conv1d"
    return {3: "cnn", 2: "lstm"}.get(len(features.input_shape), "mlp")


def network(
    kind: str, features: Any, centers: Sequence[float] = (), widths: Sequence[float] = (), learning_rate: float = 0.001
) -> Model:
    """A compiled model of the features, which have learned.

    Args:
        kind: one of :data:`KINDS`.
        features: say what goes in, and what comes out: classes, or numbers.
        centers, widths: of numbers, their means and standard deviations: the last layer's outputs are scaled to them.
        learning_rate: of Adam; 0.001 by default.

    Raises:
        ValueError: the features are not of the shape that this kind takes.

    Example:
        >>> rows = dlbd.data.open({"x": [1.0, 2.0], "label": ["a", "b"]})
        >>> features = dlbd.data.Features.infer(rows, "label")
        >>> features.adapt(rows)
        >>> dlbd.commands.networks.network("mlp", features).output_shape
        (None, 2)
    """
    inputs, x = _inputs(features)
    y = _BODIES[kind](x, kind)
    if features.classes is not None:
        output = layers.Dense(len(features.classes), activation="softmax", name="class")(y)
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    else:
        output = layers.Dense(len(centers))(y)
        output = layers.Rescaling(list(widths), list(centers), name="number")(output)
        loss, metrics = "mse", ["mae"]
    model = Model(inputs, output, name=kind)
    model.compile(Adam(learning_rate), loss, metrics=metrics)
    return model


def _adam(learning_rate: float) -> Any:
    from dlbd.optimizers import Adam

    return Adam(learning_rate)


def _inputs(features: Any) -> tuple[list[Any], Any]:
    """An Input for each column of ids, which are embedded, and one for all others; and all of them as one tensor."""
    ids = [c for c in features.inputs if c.dtype == _IDS]
    others = [name for name, dtype in features.output_dtypes.items() if dtype != _IDS]
    if not ids:
        x = Input(features.input_shape, name="features")
        return [x], x
    inputs, parts = [], []
    for column in ids:
        x = Input(column.shape, dtype="int64", name=column.name)
        count = len(column.vocabulary) if hasattr(column, "vocabulary") else column.size
        inputs.append(x)
        parts.append(layers.Embedding(count, min(64, max(4, round(count**0.5))))(x))
    if len(parts) == 1 and not others:
        return inputs, parts[0]
    flat = [layers.GlobalAveragePooling1D()(part) for part in parts]
    if others:
        x = Input((sum(prod(features.output_shapes[name]) for name in others),), name="features")
        inputs, flat = [*inputs, x], [*flat, x]
    return inputs, layers.Concatenate()(flat) if len(flat) > 1 else flat[0]


def _mlp(x: Any, kind: str) -> Any:
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    return layers.Dense(64, activation="relu")(x)


def _cnn(x: Any, kind: str) -> Any:
    _require_axes(x, 3, kind, "images (height, width, channels)")
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x) if prod(x.shape[1:3]) > 256 else layers.Flatten()(x)
    return layers.Dense(64, activation="relu")(x)


def _recurrent(x: Any, kind: str) -> Any:
    _require_axes(x, 2, kind, "sequences (steps, numbers)")
    return layers.LSTM(64)(x) if kind == "lstm" else layers.GRU(64)(x)


def _conv1d(x: Any, kind: str) -> Any:
    _require_axes(x, 2, kind, "sequences (steps, numbers)")
    x = layers.Conv1D(64, 5, padding="same", activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(x)
    return layers.Dense(64, activation="relu")(x)


def _require_axes(x: Any, axes: int, kind: str, what: str) -> None:
    if len(x.shape) != axes + 1:
        raise ValueError(f"{kind} takes {what}; the features of one row have the shape {tuple(x.shape[1:])}")


_BODIES: dict[str, Callable[[Any, str], Any]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "lstm": _recurrent,
    "gru": _recurrent,
    "conv1d": _conv1d,
}
