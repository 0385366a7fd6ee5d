"""Networks for features: what ``dlbd train`` trains when it is not told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from dlbd import Input, Model, layers
from dlbd.data.features.targets import listed
from dlbd.optimizers import Adam

KINDS = ("mlp", "cnn", "lstm", "gru", "conv1d", "unet")
_IDS = np.dtype(np.int64)
_FILTERS = (16, 32)  # of a U-Net, whose images become half as large after each


def usual_kind(features: Any) -> str:
    """What suits the shapes: "unet" from images to images, "cnn" for other images, "lstm" for windows, "conv1d" for
    text, otherwise "mlp".
    """
    if set(features.output_dtypes.values()) == {_IDS} and len(features.columns) == 1 and features.input_shape[0] > 1:
        return "conv1d"
    into = target_shape(features)
    if len(into) == 3 and len(features.input_shape) == 3 and into[:2] == features.input_shape[:2]:
        return "unet"
    return {3: "cnn", 2: "lstm"}.get(len(features.input_shape), "mlp")


def target_shape(features: Any) -> tuple[int, ...]:
    """What one sample has as its target: () for one value, rows ahead first."""
    targets = listed(features.target)
    shape = (len(targets),) if isinstance(features.target, tuple) else targets[0].shape
    ahead = 0 if features.window is None else features.window.horizon
    return (ahead, *shape) if ahead else shape


def network(
    kind: str, features: Any, centers: Sequence[float] = (), widths: Sequence[float] = (), learning_rate: float = 0.001
) -> Model:
    """A compiled model of the features, which have learned.

    Args:
        kind: one of :data:`KINDS`.
        features: say what goes in, and what comes out: classes, numbers, or sequences of them, or images.
        centers, widths: of numbers, means and standard deviations of each place of a target's last axis: the outputs
            are scaled to them. Empty, the default: they are not.
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
    shape = target_shape(features)
    y = _BODIES[kind](x, kind)
    if features.classes is not None:
        output = _classes(y, shape, len(features.classes))
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    else:
        output = _numbers(y, shape, centers, widths)
        loss, metrics = "mse", ["mae"]
    model = Model(inputs, output, name=kind)
    model.compile(Adam(learning_rate), loss, metrics=metrics)
    return model


def _classes(y: Any, shape: tuple[int, ...], count: int) -> Any:
    if len(y.shape) == 4:
        raise ValueError("unet makes images; the target is a class")
    if prod(shape) == 1:
        return layers.Dense(count, activation="softmax", name="class")(y)
    scores = layers.Reshape((*shape, count))(layers.Dense(prod(shape) * count)(y))
    return layers.Softmax(name="class")(scores)


def _numbers(y: Any, shape: tuple[int, ...], centers: Sequence[float], widths: Sequence[float]) -> Any:
    if len(y.shape) == 4:
        if len(shape) != 3 or shape[:2] != y.shape[1:3]:
            raise ValueError(
                f"unet makes images as large as its inputs, {y.shape[1:3]}; a target has the shape {shape}"
            )
        output = layers.Conv2D(shape[-1], 1)(y)
    else:
        output = layers.Dense(prod(shape))(y)
        output = layers.Reshape(shape)(output) if len(shape) > 1 else output
    return layers.Rescaling(list(widths), list(centers), name="number")(output) if len(centers) else output


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


def _unet(x: Any, kind: str) -> Any:
    """Ronneberger et al. 2015, small: images halved and enlarged again, each with what it was before beside it."""
    _require_axes(x, 3, kind, "images (height, width, channels)")
    before = []
    for filters in _FILTERS:
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        before.append(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    for filters, large in zip(reversed(_FILTERS), reversed(before), strict=True):
        x = layers.UpSampling2D(2)(x)
        x = layers.Cropping2D([(0, n - m) for n, m in zip(x.shape[1:3], large.shape[1:3], strict=True)])(x)
        x = layers.Concatenate()([x, large])
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return x


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
    "unet": _unet,
}
