"""Losses that are composed of operations: values and gradients against NumPy."""

import numpy as np
import pytest

import dlbd
from dlbd import losses

from ..arrays import tensor

EPS = 1e-7
rng = np.random.default_rng(0)
ONE_HOT = np.eye(3)[[0, 2, 1, 1]]
SOFT = rng.uniform(0.1, 0.9, (4, 3)).astype(np.float32).astype(np.float64)  # data enters as float32
P = rng.uniform(0.1, 0.9, (4, 3))
X = rng.standard_normal((4, 3)) * 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x)
    return e / e.sum(-1, keepdims=True)


def binary_focal(t, p, gamma=2.0, alpha=None, smoothing=0.0):
    t = t * (1 - smoothing) + smoothing / 2
    weight = 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)
    cross_entropy = -t * np.log(p) - (1 - t) * np.log(1 - p)
    return (weight * (1 - t * p - (1 - t) * (1 - p)) ** gamma * cross_entropy).mean(-1)


def categorical_focal(t, p, gamma=2.0, alpha=0.25, smoothing=0.0):
    t = t * (1 - smoothing) + smoothing / t.shape[-1]
    p = p / p.sum(-1, keepdims=True)
    return (np.asarray(alpha) * (1 - p) ** gamma * -t * np.log(p)).sum(-1)


def categorical_hinge(t, p):
    return np.maximum(((1 - t) * p).max(-1) - (t * p).sum(-1) + 1, 0)


def dice(t, p, axis=None):
    return 1 - 2 * (t * p).sum(axis) / (t.sum(axis) + p.sum(axis) + EPS)


def tversky(t, p, alpha=0.5, beta=0.5, axis=None):
    common = (t * p).sum(axis)
    return 1 - common / (common + alpha * (t * (1 - p)).sum(axis) + beta * ((1 - t) * p).sum(axis) + EPS)


def cosine(t, p, axis):
    return -(t * p).sum(axis) / np.sqrt((t**2).sum(axis) * (p**2).sum(axis))


# name: (loss, labels, predictions, its value for predictions)
CASES = {
    "binary focal": (losses.BinaryFocalCrossentropy(), ONE_HOT, P, lambda p: binary_focal(ONE_HOT, p)),
    "binary focal of soft labels": (losses.BinaryFocalCrossentropy(), SOFT, P, lambda p: binary_focal(SOFT, p)),
    "binary focal, balanced, smoothed": (
        losses.BinaryFocalCrossentropy(True, 0.3, 1.5, label_smoothing=0.2),
        ONE_HOT,
        P,
        lambda p: binary_focal(ONE_HOT, p, 1.5, 0.3, 0.2),
    ),
    "binary focal from logits": (
        losses.BinaryFocalCrossentropy(gamma=3.0, from_logits=True),
        ONE_HOT,
        X,
        lambda x: binary_focal(ONE_HOT, sigmoid(x), 3.0),
    ),
    "binary focal along axis 0": (
        losses.BinaryFocalCrossentropy(axis=0),
        ONE_HOT,
        P,
        lambda p: binary_focal(ONE_HOT.T, p.T),
    ),
    "categorical focal": (losses.CategoricalFocalCrossentropy(), ONE_HOT, P, lambda p: categorical_focal(ONE_HOT, p)),
    "categorical focal, a weight per class": (
        losses.CategoricalFocalCrossentropy([0.1, 0.5, 2.0], 0.5, label_smoothing=0.1),
        ONE_HOT,
        P,
        lambda p: categorical_focal(ONE_HOT, p, 0.5, [0.1, 0.5, 2.0], 0.1),
    ),
    "categorical focal from logits": (
        losses.CategoricalFocalCrossentropy(from_logits=True),
        ONE_HOT,
        X,
        lambda x: categorical_focal(ONE_HOT, softmax(x)),
    ),
    "categorical focal along axis 0": (
        losses.CategoricalFocalCrossentropy(axis=0),
        ONE_HOT,
        P,
        lambda p: categorical_focal(ONE_HOT.T, p.T),
    ),
    "categorical hinge": (losses.CategoricalHinge(), ONE_HOT, X, lambda p: categorical_hinge(ONE_HOT, p)),
    "dice": (losses.Dice(), ONE_HOT, P, lambda p: dice(ONE_HOT, p)),
    "dice along an axis": (losses.Dice(axis=[1]), ONE_HOT, P, lambda p: dice(ONE_HOT, p, 1)),
    "tversky": (losses.Tversky(0.7, 0.2), ONE_HOT, P, lambda p: tversky(ONE_HOT, p, 0.7, 0.2)),
    "tversky along an axis": (losses.Tversky(axis=-1), ONE_HOT, P, lambda p: tversky(ONE_HOT, p, axis=-1)),
    "half squared error": (losses.HalfSquaredError(), SOFT, X, lambda p: ((SOFT - p) ** 2).mean(-1) / 2),
    "cosine along axis 0": (losses.CosineSimilarity(axis=0), SOFT, X, lambda p: cosine(SOFT, p, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name):
    loss, labels, predictions, value = CASES[name]
    p = tensor(predictions)
    with dlbd.GradientTape() as tape:
        tape.watch(p)
        y = loss(labels, p)
    assert float(y) == pytest.approx(value(predictions).mean(), rel=1e-9)
    expected = np.zeros_like(predictions)
    for i in np.ndindex(*predictions.shape):
        step = np.zeros_like(predictions)
        step[i] = 1e-6
        expected[i] = (value(predictions + step).mean() - value(predictions - step).mean()) / 2e-6
    np.testing.assert_allclose(tape.gradient(y, p), expected, rtol=1e-3, atol=1e-7)
    again = losses.get(losses.serialize(loss))
    assert float(again(labels, predictions)) == pytest.approx(float(y), rel=1e-5)
    assert again.get_config() == loss.get_config()


@pytest.mark.parametrize("name", ["binary focal", "categorical focal", "categorical hinge", "dice", "tversky"])
@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.float32])
def test_labels_of_any_dtype(name, dtype):
    loss, labels, predictions, value = CASES[name]
    found = loss(labels.astype(dtype), predictions.astype(np.float32))
    assert found.dtype == np.float32
    assert float(found) == pytest.approx(value(predictions).mean(), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_without_focus_it_is_the_cross_entropy(gamma):
    binary = losses.BinaryFocalCrossentropy(gamma=gamma)(ONE_HOT, P)
    categorical = losses.CategoricalFocalCrossentropy(1.0, gamma)(ONE_HOT, P)
    same = [
        float(binary) == pytest.approx(float(losses.BinaryCrossentropy()(ONE_HOT, P)), rel=1e-5),
        float(categorical) == pytest.approx(float(losses.CategoricalCrossentropy()(ONE_HOT, P)), rel=1e-5),
    ]
    assert same == [gamma == 0] * 2


@pytest.mark.parametrize(
    ("loss", "activation", "label"),
    [
        (losses.BinaryFocalCrossentropy(), dlbd.ops.sigmoid, [[0.0, 1.0]]),
        (losses.CategoricalFocalCrossentropy(alpha=1.0), dlbd.ops.softmax, [[0.0, 1.0]]),
    ],
)
def test_a_saturated_output_still_learns(loss, activation, label):
    logits = tensor(np.array([[60.0, -60.0]], np.float32))
    with dlbd.GradientTape() as tape:
        tape.watch(logits)
        y = loss(label, activation(logits))
    wide = activation is dlbd.ops.softmax
    assert float(y) == pytest.approx(120.0 if wide else 60.0)
    np.testing.assert_allclose(tape.gradient(y, logits), [[1.0, -1.0]] if wide else [[0.5, -0.5]], atol=1e-6)


@pytest.mark.parametrize(("true", "pred"), [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (4,))])
def test_a_last_dimension_of_one_is_forgiven(true, pred):
    t, p, w = np.array([0.0, 1.0, 1.0, 0.0]), P[:, 0], np.array([1.0, 0.0, 2.0, 0.0])
    each = binary_focal(t[:, None], p[:, None])
    found = losses.BinaryFocalCrossentropy()(t.reshape(true), p.reshape(pred), w)
    assert float(found) == pytest.approx((each * w).sum() / 4, rel=1e-5)
    assert float(losses.Dice()(t.reshape(true), p.reshape(pred))) == pytest.approx(dice(t, p), rel=1e-5)


@pytest.mark.parametrize("name", ["categorical_hinge", "categorical_focal_crossentropy"])
def test_confusing_class_numbers_with_one_hot_labels_gives_a_hint(name):
    with pytest.raises(ValueError, match=rf"\[{name}\].*class numbers belong to"):
        losses.get(name)([0, 1, 2, 0], P)


@pytest.mark.parametrize("name", ["binary_focal_crossentropy", "dice", "tversky"])
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(ValueError, match=rf"\[{name}\] y_true and y_pred must have the same shape"):
        losses.get(name)(np.zeros((4, 3)), np.zeros((4, 1)))


def test_an_axis_that_is_not_there_is_refused():
    for loss in (losses.CosineSimilarity(axis=2), losses.CategoricalFocalCrossentropy(axis=2), losses.Dice(axis=2)):
        with pytest.raises(ValueError, match="axis 2 does not exist"):
            loss(ONE_HOT, P)


@pytest.mark.parametrize("loss", ["binary_focal_crossentropy", "categorical_focal_crossentropy", "dice", "tversky"])
def test_recorded_steps_equal_eager_ones(loss):
    x = rng.standard_normal((12, 5)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 12)]
    weights = []
    for eager in (False, True):
        model = dlbd.Sequential([dlbd.Input((5,)), dlbd.layers.Dense(3, activation="softmax")])
        model.set_weights([np.linspace(-1, 1, 15).reshape(5, 3), np.zeros(3)])
        model.compile(dlbd.optimizers.SGD(0.5), loss, run_eagerly=eager)
        model.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    assert not np.array_equal(weights[0][0], np.linspace(-1, 1, 15).reshape(5, 3).astype(np.float32))
    np.testing.assert_array_equal(weights[0][0], weights[1][0])
