"""Small models that real Keras and dlbd train alike: layers, masks, losses, weights of samples and fit together.

Imported by make_golden.py and test_golden.py, as cases.py is: nothing here imports either library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS, CLASSES = 40, 3


@dataclass(frozen=True)
class ModelCase:
    """Layers after an Input, and how to train them.

    Attributes:
        build: makes the layers from the namespace, ``keras`` or ``dlbd``.
        inputs: "tokens", "images" or "sequences".
        labels: "classes", "one-hot", "signs" (-1 and 1), "yes-or-no" or "real".
        loss: name, or makes it from the namespace.
    """

    build: Callable[[Any], list[Any]]
    inputs: str
    labels: str
    loss: Any

    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, targets and the samples' weights."""
        rng = np.random.default_rng(0)
        tokens = rng.integers(1, 9, (ROWS, 7)).astype(np.int32)
        for row in range(ROWS):
            tokens[row, 7 - row % 5 :] = 0  # padding
        x = {
            "tokens": tokens,
            "images": rng.standard_normal((ROWS, 9, 8, 3)).astype(np.float32),
            "sequences": rng.standard_normal((ROWS, 6, 5)).astype(np.float32),
        }[self.inputs]
        classes = rng.integers(0, CLASSES, ROWS)
        y = {
            "classes": classes,
            "one-hot": np.eye(CLASSES, dtype=np.float32)[classes],
            "signs": np.where(classes > 0, 1, -1).astype(np.float32),
            "yes-or-no": (classes > 0).astype(np.float32),
            "real": rng.standard_normal(ROWS).astype(np.float32),
        }[self.labels]
        return x, y, np.linspace(0.5, 1.5, ROWS).astype(np.float32)

    def train(self, k: Any, optimizer: Any) -> dict[str, Any]:
        """Losses of three epochs, and what the trained model predicts."""
        x, y, sample_weight = self.data()
        model = k.Sequential([k.layers.Input(x.shape[1:], dtype=str(x.dtype)), *self.build(k)])
        rng = np.random.default_rng(1)
        model.set_weights([rng.uniform(0.1, 0.4, w.shape).astype(np.float32) * _sign(w.shape) for w in model.weights])
        model.compile(optimizer, self.loss(k) if callable(self.loss) else self.loss)
        history = model.fit(
            x, y, batch_size=12, epochs=3, shuffle=False, verbose=0, validation_split=0.2, sample_weight=sample_weight
        )
        return {**history.history, "prediction": model.predict(x[:3], verbose=0)}


def _sign(shape: tuple[int, ...]) -> Any:
    """Kernels of both signs; vectors, of which some are variances, stay positive."""
    return np.where(np.arange(int(np.prod(shape))) % 3 == 0, -1, 1).reshape(shape) if len(shape) > 1 else 1


def optimizers(k: Any) -> dict[str, Any]:
    return {
        "adam": k.optimizers.Adam(0.01),
        "sgd": k.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=0.5),
    }


def _smoothed(k: Any) -> Any:
    return k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)


MODELS = {
    "bidirectional-masked": ModelCase(
        lambda k: [
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True)),
            k.layers.Bidirectional(k.layers.GRU(3), merge_mode="sum"),
            k.layers.Dense(CLASSES, activation="softmax"),
        ],
        "tokens",
        "classes",
        "sparse_categorical_crossentropy",
    ),
    "masked-normalization": ModelCase(
        lambda k: [
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.BatchNormalization(momentum=0.8),
            k.layers.LayerNormalization(),
            k.layers.SimpleRNN(3, go_backwards=True),
            k.layers.Dense(1),
        ],
        "tokens",
        "real",
        "mae",
    ),
    "convolutions": ModelCase(
        lambda k: [
            k.layers.Conv2D(4, 3, padding="same", use_bias=False),
            k.layers.BatchNormalization(),
            k.layers.ReLU(),
            k.layers.MaxPooling2D(2),
            k.layers.Conv2D(6, 3, strides=2, padding="same", activation="elu"),
            k.layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            k.layers.GlobalAveragePooling2D(),
            k.layers.Dense(CLASSES, activation="softmax"),
        ],
        "images",
        "one-hot",
        "categorical_crossentropy",
    ),
    "grouped": ModelCase(
        lambda k: [
            k.layers.Conv2D(6, 3, groups=3, dilation_rate=2, activation="gelu"),
            k.layers.LeakyReLU(),
            k.layers.Flatten(),
            k.layers.Dense(4, activation="selu"),
            k.layers.Dense(1, activation="sigmoid"),
        ],
        "images",
        "yes-or-no",
        "binary_crossentropy",
    ),
    "unfused-recurrent": ModelCase(
        lambda k: [
            k.layers.SimpleRNN(4, activation="relu", return_sequences=True),
            k.layers.LSTM(3, recurrent_activation="hard_sigmoid"),
            k.layers.Dense(CLASSES),
        ],
        "sequences",
        "one-hot",
        _smoothed,
    ),
    "hinge": ModelCase(
        lambda k: [k.layers.Flatten(), k.layers.Dense(1, activation="tanh")], "sequences", "signs", "hinge"
    ),
}
