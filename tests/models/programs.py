"""Small models and data that the tests share."""

import numpy as np

import dlbd
from dlbd import layers


def mlp(features: int = 6, classes: int = 3, **options):
    model = dlbd.Sequential(
        [layers.Dense(16, activation="relu", input_shape=(features,)), layers.Dense(classes, activation="softmax")]
    )
    defaults = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**(defaults | options))
    return model


def blobs(n: int = 200, features: int = 6, classes: int = 3):
    """Points around one centre per class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, n)
    centres = 3 * rng.standard_normal((classes, features))
    return (centres[y] + rng.standard_normal((n, features))).astype(np.float32), y


def same(a, b) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
