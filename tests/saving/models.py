"""Models of all kinds, to save and load."""

from __future__ import annotations

import numpy as np

import dlbd
from dlbd import Input, Model, Sequential, layers, ops
from dlbd.saving import register_keras_serializable


@register_keras_serializable("tests")
class Scale(layers.Layer):
    """A layer with an argument that is an object, and a weight."""

    def __init__(self, start="ones", **kwargs):
        super().__init__(**kwargs)
        self.start = dlbd.initializers.get(start)

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), self.start, name="factor")

    def call(self, inputs):
        return inputs * self.factor


@register_keras_serializable("tests")
class Blocks(Model):
    """Layers in lists and dicts, found by their places; a constructor that takes no name."""

    def __init__(self, width):
        super().__init__()
        self.width = width
        self.blocks = [layers.Dense(width, activation="relu") for _ in range(3)]
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(1)}
        self.scale = Scale(dlbd.initializers.Constant(2.0))
        self.drop = layers.Dropout(0.3)
        self.offset = dlbd.Variable([0.5], name="offset")

    def call(self, inputs):
        for block in self.blocks:
            inputs = block(inputs)
        inputs = self.drop(self.scale(inputs))
        return self.heads["a"](inputs) - self.heads["b"](inputs) + self.offset


def dense():
    return Sequential([Input((6,)), layers.Dense(5, activation="tanh"), layers.Dropout(0.4), layers.Dense(1)])


def convolution():
    return Sequential(
        [
            Input((8, 8, 3)),
            layers.Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(1, kernel_constraint="max_norm"),
        ]
    )


def recurrent():
    return Sequential(
        [
            Input((None,), dtype="int64"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.2)),
            layers.GRU(3, recurrent_dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def attention():
    x = Input((5, 4))
    y = layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x)
    y = layers.LayerNormalization()(x + y)
    return Model(x, layers.Dense(1)(ops.mean(y, axis=1)))


def branches():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.1), name="shared")
    both = ops.concatenate([shared(a), shared(b)], axis=-1)
    inner = Sequential([layers.Dense(4, activation="relu"), layers.Dropout(0.5)], name="inner")
    return Model([a, b], layers.Dense(1)(inner(both)[:, 1:]))


def late():
    """Built by its first data."""
    return Sequential([layers.Dense(4, activation="relu"), Scale(), layers.Dense(1)])


def blocks():
    return Blocks(4)


MAKERS = [dense, convolution, recurrent, attention, branches, late, blocks]


def data(make, n=32, seed=0):
    """Inputs and targets for a model."""
    rng = np.random.default_rng(seed)
    shapes = {dense: (6,), late: (6,), blocks: (6,), convolution: (8, 8, 3), attention: (5, 4)}
    y = rng.random((n, 1)).astype(np.float32)
    if make is recurrent:
        return rng.integers(0, 9, (n, 7)), y
    if make is branches:
        return {"a": rng.random((n, 3)).astype(np.float32), "b": rng.random((n, 3)).astype(np.float32)}, y
    return rng.random((n, *shapes[make])).astype(np.float32), y
