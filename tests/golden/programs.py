"""The seed documents' programs: model, data and initial weights, for Keras and for dlbd alike.

Imported by make_steps.py (which runs real Keras), by test_steps.py and by benchmarks/training_step.py: so nothing here
imports either library. ``build(k)`` takes the namespace: ``keras`` or ``dlbd``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

BATCH = 32
STEPS = 20  # of one epoch: what the data sets below hold
EPOCHS = 5
SAMPLES = BATCH * STEPS


@dataclass(frozen=True)
class Program:
    build: Callable[[Any], Any]
    data: Callable[[], tuple[np.ndarray, np.ndarray]]
    loss: str
    parameters: int


def initial_weights(shapes: list[tuple[int, ...]], seed: int = 7) -> list[np.ndarray]:
    """Glorot-uniform numbers for matrices and kernels, small ones for biases: the same for every library."""
    rng = np.random.default_rng(seed)
    weights = []
    for shape in shapes:
        if len(shape) > 1:
            window = int(np.prod(shape[:-2]))
            limit = np.sqrt(6 / (window * (shape[-2] + shape[-1])))
        else:
            limit = 0.05
        weights.append(rng.uniform(-limit, limit, shape).astype(np.float32))
    return weights


def digits(count: int = SAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits in [0, 1], enlarged by bilinear interpolation: (count, 28, 28, 1).

    Repeated pixels instead would make windows of equal values, whose maximum hangs on the last bit: there two libraries
    part within a few steps, and so do Keras's own backends.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    position = np.linspace(0, 7, 28)
    left = np.minimum(position.astype(int), 6)
    enlarge = np.zeros((28, 8))
    enlarge[np.arange(28), left] = 1 - (position - left)
    enlarge[np.arange(28), left + 1] += position - left
    images = enlarge @ (images[:count].reshape(-1, 8, 8) / 16) @ enlarge.T
    return images[..., None].astype(np.float32), labels[:count].astype(np.int32)


def flat_digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits()
    return images.reshape(-1, 784), labels


def sequences() -> tuple[np.ndarray, np.ndarray]:
    """(640, 50, 10) noise; the label is the mean of its first feature over the last ten steps, times three."""
    x = np.random.default_rng(1).standard_normal((SAMPLES, 50, 10), np.float32)
    return x, 3 * x[:, -10:, :1].mean(axis=1)


def points() -> tuple[np.ndarray, np.ndarray]:
    """Points of the plane and whether they lie in the unit circle."""
    x = np.random.default_rng(2).standard_normal((SAMPLES, 2), np.float32)
    return x, (np.sum(x * x, axis=1) < 1).astype(np.int32)


def _cnn_000(k: Any) -> Any:
    model = k.Sequential()
    model.add(k.layers.Input((28, 28, 1)))
    model.add(k.layers.Conv2D(32, (3, 3), activation="relu"))
    model.add(k.layers.MaxPooling2D((2, 2)))
    model.add(k.layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(k.layers.MaxPooling2D((2, 2)))
    model.add(k.layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(64, activation="relu"))
    model.add(k.layers.Dense(10, activation="softmax"))
    return model


def _lstm_000(k: Any) -> Any:
    model = k.Sequential()
    model.add(k.layers.Input((None, 10)))
    model.add(k.layers.LSTM(64, return_sequences=True))
    model.add(k.layers.LSTM(32))
    model.add(k.layers.Dense(1, activation="linear"))
    return model


def _cnn_002(k: Any) -> Any:
    model = k.Sequential()
    model.add(k.layers.Input((28, 28, 1)))
    model.add(k.layers.Conv2D(32, (3, 3), activation="relu"))
    model.add(k.layers.MaxPooling2D((2, 2)))
    model.add(k.layers.Flatten())
    model.add(k.layers.Dense(10, activation="softmax"))
    return model


def _dense_003(k: Any) -> Any:
    model = k.Sequential()
    model.add(k.layers.Input((784,)))
    model.add(k.layers.Dense(128, activation="relu"))
    model.add(k.layers.Dense(10, activation="softmax"))
    return model


def _dense_004(k: Any) -> Any:
    model = k.Sequential()
    model.add(k.layers.Input((2,)))
    model.add(k.layers.Dense(10, activation="relu"))
    model.add(k.layers.Dense(1, activation="sigmoid"))
    return model


PROGRAMS = {
    "000-cnn": Program(_cnn_000, digits, "sparse_categorical_crossentropy", 93_322),
    "000-lstm": Program(_lstm_000, sequences, "mse", 31_649),
    "002-cnn": Program(_cnn_002, digits, "sparse_categorical_crossentropy", 54_410),
    "003-dense": Program(_dense_003, flat_digits, "sparse_categorical_crossentropy", 101_770),
    "004-dense": Program(_dense_004, points, "binary_crossentropy", 41),
}


def compiled(k: Any, program: Program) -> Any:
    """The program's model with the shared initial weights, compiled with Adam as the documents do."""
    model = program.build(k)
    model.set_weights(initial_weights([w.shape for w in model.get_weights()]))
    model.compile(optimizer="adam", loss=program.loss)
    return model


def step_losses(model: Any, x: np.ndarray, y: np.ndarray, steps: int = STEPS) -> list[float]:
    """The loss of each of the first ``steps`` batches of 32 in order: a fit on one batch reports its step's loss."""
    losses = []
    for start in range(0, steps * BATCH, BATCH):
        batch = slice(start, start + BATCH)
        history = model.fit(x[batch], y[batch], batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        losses.append(float(history.history["loss"][0]))
    return losses


def epoch_losses(model: Any, x: np.ndarray, y: np.ndarray, epochs: int = EPOCHS) -> list[float]:
    history = model.fit(x, y, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0)
    return [float(loss) for loss in history.history["loss"]]
