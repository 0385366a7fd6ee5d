"""Models that must learn, in seconds."""

import numpy as np
import pytest

import dlbd
from dlbd import layers


def enlarged_digits():
    pytest.importorskip("sklearn")
    images, labels = dlbd.datasets.load_digits()
    return np.kron(images, np.ones((1, 2, 2), np.float32))[..., None], labels


def test_digits_cnn():
    dlbd.utils.set_random_seed(0)
    x, y = enlarged_digits()
    model = dlbd.Sequential(
        [
            layers.Conv2D(16, 3, activation="relu", input_shape=(16, 16, 1)),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:1500], y[:1500], epochs=25, verbose=0)
    assert model.evaluate(x[1500:], y[1500:], verbose=0)[1] > 0.9


def test_lstm_on_a_sine():
    dlbd.utils.set_random_seed(0)
    wave = np.sin(np.arange(600) / 7).astype(np.float32)
    x = np.stack([wave[i : i + 20] for i in range(560)])[..., None]
    y = wave[20:580]
    model = dlbd.Sequential([layers.LSTM(24, input_shape=(None, 1)), layers.Dense(1)])
    model.compile(dlbd.optimizers.Adam(0.01), "mse")
    model.fit(x[:400], y[:400], epochs=15, verbose=0)
    assert model.evaluate(x[400:], y[400:], verbose=0) < 0.01


def test_attention_classifier():
    """Which of two markers a sequence holds."""
    dlbd.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.integers(3, 30, (600, 12))
    y = rng.integers(0, 2, 600)
    x[np.arange(600), rng.integers(0, 12, 600)] = 1 + y
    model = dlbd.Sequential(
        [
            layers.Embedding(30, 16),
            layers.Attention(),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(dlbd.optimizers.Adam(0.005), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x[:500], y[:500], epochs=25, verbose=0)
    assert model.evaluate(x[500:], y[500:], verbose=0)[1] > 0.9


def test_xor():
    dlbd.utils.set_random_seed(3)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.array([0, 1, 1, 0])
    model = dlbd.Sequential([layers.Dense(8, activation="tanh"), layers.Dense(1, activation="sigmoid")])
    model.compile(dlbd.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(x, y, epochs=300, verbose=0)
    np.testing.assert_array_equal(model.predict(x)[:, 0] > 0.5, y)
