"""The mistakes with shapes that people make most: the error names the layer, what came, and what would fit."""

import numpy as np
import pytest

import dlbd
from dlbd import layers

IMAGES, LABELS = np.zeros((8, 28, 28, 1), np.float32), np.arange(8)
ONE_HOT = np.eye(10)[LABELS]


def cnn(classes=10, loss="sparse_categorical_crossentropy", shape=(28, 28, 1), flatten=True):
    model = dlbd.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(4, 3, name="first"),
            *([layers.Flatten()] if flatten else []),
            layers.Dense(classes, activation="softmax", name="last"),
        ],
        name="cnn",
    )
    model.compile("adam", loss)
    return model


def lazy():
    return dlbd.Sequential([layers.Conv2D(4, 3, name="first"), layers.Flatten(), layers.Dense(10)])


def dense(units=3, loss="mse"):
    model = dlbd.Sequential([layers.Input((5,)), layers.Dense(units, name="last")], name="mlp")
    model.compile("sgd", loss)
    return model


def rnn(return_sequences):
    model = dlbd.Sequential(
        [
            layers.Input((7, 5)),
            layers.LSTM(3, return_sequences=return_sequences, name="lstm"),
            layers.Dense(4, activation="softmax", name="last"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def two_inputs():
    a, b = layers.Input((4,), name="a"), layers.Input((3,), name="b")
    model = dlbd.Model([a, b], layers.Dense(1)(layers.Concatenate()([a, b])), name="both")
    model.compile("sgd", "mse")
    return model


def fit(model, x, y, **options):
    return model.fit(x, y, verbose=0, **options)


# name: what is done, and what the message must say
MISTAKES = {
    "no batch axis: an image": (
        lambda: cnn().predict(IMAGES[0]),
        ["'cnn'", "'first' (Conv2D)", "(None, 28, 28, 1)", "received shape (28, 28, 1)", "x[None]"],
    ),
    "no batch axis: an image without channels": (
        lambda: cnn().predict(IMAGES[0, :, :, 0]),
        ["'first' (Conv2D)", "received shape (28, 28)", "x[None]"],
    ),
    "no batch axis: a row": (
        lambda: dense().predict(np.zeros(5)),
        ["'last' (Dense)", "(None, 5)", "received shape (5,)", "x[None]"],
    ),
    "no batch axis: a call": (lambda: dense()(np.zeros(5)), ["'last' (Dense)", "received shape (5,)", "x[None]"]),
    "no batch axis: a layer": (
        lambda: layers.Dense(3, name="alone")(np.zeros(5)),
        ["'alone' (Dense", "(batch, ..., features)", "received shape (5,)"],
    ),
    "no channels, several wanted": (
        lambda: cnn(shape=(28, 28, 3)).predict(IMAGES[..., 0]),
        ["'first' (Conv2D)", "(None, 28, 28, 3)", "received shape (8, 28, 28)", "The last axis, of size 3, is missing"],
    ),
    "no channels, nothing built": (
        lambda: lazy().predict(IMAGES[..., 0]),
        ["'first' (Conv2D", "(batch, height, width, channels)", "(None, 28, 28)", "x[..., None]"],
    ),
    "channels first": (
        lambda: cnn(shape=(28, 28, 3)).predict(np.zeros((8, 3, 28, 28))),
        ["'first' (Conv2D)", "(None, 28, 28, 3)", "received shape (8, 3, 28, 28)", "np.moveaxis(x, 1, -1)"],
    ),
    "channels first in the declaration": (
        lambda: cnn(shape=(1, 28, 28)),
        ["'first' (Conv2D", "(None, 1, 28, 28)", "does not fit", "(batch, height, width, channels)"],
    ),
    "channels first, nothing built": (
        lambda: lazy().predict(np.zeros((8, 1, 28, 28))),
        ["'first' (Conv2D", "(None, 1, 28, 28)", "does not fit", "(batch, height, width, channels)"],
    ),
    "too few features": (
        lambda: dense().predict(np.zeros((2, 4))),
        ["'last' (Dense)", "(None, 5)", "received shape (2, 4)"],
    ),
    "other features than before": (
        lambda: [layer := layers.Dense(3, name="alone"), layer(np.zeros((2, 5))), layer(np.zeros((2, 4)))],
        ["'alone' (Dense)", "5 in axis -1", "received shape (2, 4)"],
    ),
    "one-hot labels, sparse loss": (
        lambda: fit(cnn(), IMAGES, ONE_HOT),
        ["'last'", "(8,)", "received (8, 10)", "one-hot labels belong to categorical_crossentropy"],
    ),
    "class numbers, categorical loss": (
        lambda: fit(cnn(loss="categorical_crossentropy"), IMAGES, LABELS),
        ["'last'", "(8, 10)", "received (8,)", "class numbers belong to sparse_categorical_crossentropy"],
    ),
    "class numbers, binary loss": (
        lambda: fit(cnn(loss="binary_crossentropy"), IMAGES, LABELS),
        ["'last'", "(8,) and (8, 10)", "class numbers belong to sparse_categorical_crossentropy"],
    ),
    "more classes than units": (
        lambda: fit(cnn(classes=5), IMAGES, LABELS, shuffle=False),
        ["'last'", "label 5", "out of range", "0 <= value < 5"],
    ),
    "more classes than units, later": (
        lambda: fit(cnn(classes=5), IMAGES, np.array([0, 1, 2, 3, 4, 0, 1, 5]), batch_size=2, shuffle=False),
        ["'last'", "label 5", "out of range", "0 <= value < 5"],
    ),
    "more classes than units, evaluated": (
        lambda: cnn(classes=5).evaluate(IMAGES, LABELS, verbose=0),
        ["'last'", "label 5", "out of range"],
    ),
    "more classes than units, one-hot": (
        lambda: fit(cnn(classes=5, loss="categorical_crossentropy"), IMAGES, ONE_HOT),
        ["'last'", "(8, 5)", "(8, 10)", "Has the last layer 5 units where the targets need 10?"],
    ),
    "more targets than units": (
        lambda: fit(dense(units=2), np.zeros((4, 5)), np.zeros((4, 3))),
        ["'last'", "(4, 3) and (4, 2)", "Has the last layer 2 units where the targets need 3?"],
    ),
    "other rows in y": (
        lambda: fit(cnn(), IMAGES, LABELS[:5]),
        ["equally many rows", "'x': 8", "'y': 5"],
    ),
    "other rows in the weights": (
        lambda: fit(cnn(), IMAGES, LABELS, sample_weight=np.ones(3)),
        ["equally many rows", "'x': 8", "'y': 8", "'sample_weight': 3"],
    ),
    "other rows in the validation data": (
        lambda: fit(cnn(), IMAGES, LABELS, validation_data=(IMAGES, LABELS[:5])),
        ["equally many rows", "'x': 8", "'y': 5"],
    ),
    "no Flatten": (
        lambda: fit(cnn(flatten=False), IMAGES, LABELS),
        ["'last'", "(8, 26, 26, 10)", "(8,)", "is a Flatten", "missing"],
    ),
    "no Flatten, one-hot": (
        lambda: fit(cnn(flatten=False, loss="categorical_crossentropy"), IMAGES, ONE_HOT),
        ["'last'", "(8, 26, 26, 10)", "(8, 10)", "is a Flatten"],
    ),
    "an image for a dense layer": (
        lambda: dense().predict(np.zeros((8, 5, 1, 1))),
        ["'last' (Dense)", "received shape (8, 5, 1, 1)", "x.reshape(-1, 5)"],
    ),
    "sequences out, one label": (
        lambda: fit(rnn(return_sequences=True), np.zeros((8, 7, 5)), np.zeros(8, int)),
        ["'last'", "(8, 7, 4)", "(8,)", "return_sequences=False"],
    ),
    "no sequences for an RNN": (
        lambda: layers.LSTM(3, name="alone")(np.zeros((2, 5))),
        ["'alone' (LSTM", "(batch, time, features)", "received shape (2, 5)"],
    ),
    "no sequences between RNNs": (
        lambda: dlbd.Sequential([layers.Input((7, 5)), layers.LSTM(4), layers.LSTM(3, name="second")]),
        ["'second' (LSTM", "received shape (None, 4)", "return_sequences=True"],
    ),
    "an initial state of another batch": (
        lambda: layers.LSTM(3, name="alone")(np.zeros((2, 7, 5)), initial_state=[np.zeros((4, 3))] * 2),
        ["'alone' (LSTM", "(2, 3)", "received (4, 3)"],
    ),
    "one input of two": (
        lambda: two_inputs().predict(np.zeros((2, 4))),
        ["'both'", "2 inputs, ['a', 'b']", "received 1"],
    ),
    "three inputs of two": (
        lambda: two_inputs().predict([np.zeros((2, 4)), np.zeros((2, 3)), np.zeros((2, 3))]),
        ["'both'", "2 inputs, ['a', 'b']", "received 3"],
    ),
    "inputs in the wrong order": (
        lambda: two_inputs().predict([np.zeros((2, 3)), np.zeros((2, 4))]),
        ["'both'", "(None, 4)", "input 'a'", "received shape (2, 3)"],
    ),
    "an input that is missing": (
        lambda: two_inputs().predict({"a": np.zeros((2, 4))}),
        ["'both'", "['a', 'b']", "['b'] missing"],
    ),
    "inputs of several lengths": (
        lambda: fit(two_inputs(), [np.zeros((2, 4)), np.zeros((3, 3))], np.zeros(2)),
        ["equally many rows", "'x': [2, 3]", "'y': 2"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    mistake, parts = MISTAKES[name]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        mistake()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_what_fits_is_no_mistake():
    """Nothing of the above is asked of data that does fit."""
    assert cnn().predict(IMAGES[..., 0]).shape == (8, 10)
    assert cnn(shape=(None, None, 1), flatten=False).predict(IMAGES[:, :5, :6]).shape == (8, 3, 4, 10)
    assert fit(rnn(return_sequences=True), np.zeros((8, 7, 5)), np.zeros((8, 7), int)).epoch == [0]
    assert fit(dense(units=1), np.zeros((4, 5)), np.zeros(4)).epoch == [0]
    assert two_inputs().predict({"b": np.zeros((2, 3)), "a": np.zeros((2, 4))}).shape == (2, 1)
