import numpy as np
import pytest

from dlbd import activations, layers

from .check import check_layer


@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (lambda: layers.ReLU(), lambda x: np.maximum(x, 0)),
        (lambda: layers.ReLU(max_value=0.5), lambda x: np.clip(x, 0, 0.5)),
        (lambda: layers.ReLU(negative_slope=0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
        (
            lambda: layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2),
            lambda x: np.minimum(np.where(x > 0.2, x, 0.1 * (x - 0.2)), 1.0),
        ),
        (lambda: layers.LeakyReLU(), lambda x: np.where(x > 0, x, 0.3 * x)),
        (lambda: layers.LeakyReLU(alpha=0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
        (lambda: layers.Softmax(), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        (lambda: layers.Softmax(axis=1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        (lambda: layers.Activation("tanh"), np.tanh),
        (lambda: layers.Activation("linear"), lambda x: x),
        (lambda: layers.Activation("sigmoid"), lambda x: 1 / (1 + np.exp(-x))),
    ],
)
def test_activation_layers(make, reference):
    check_layer(make, (3, 4, 5), (3, 4, 5), reference=reference)


def test_softmax_with_a_mask():
    mask = np.array([[True, True, False]])
    y = np.array(layers.Softmax()(np.array([[1.0, 1.0, 5.0]], np.float32), mask=mask))
    np.testing.assert_allclose(y, [[0.5, 0.5, 0.0]])


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get("relu") is activations.relu
    assert activations.get(np.tanh) is np.tanh
    assert activations.serialize(activations.get("gelu")) == "gelu"
    with pytest.raises(ValueError, match="unknown activation 'rely'"):
        activations.get("rely")


def test_own_function():
    y = layers.Dense(3, activation=square)(np.ones((2, 4), np.float32))
    assert np.all(np.array(y) >= 0)


def square(x):
    return x * x


@pytest.mark.parametrize("kind", [layers.LeakyReLU, layers.ReLU])
def test_negative_slopes_are_refused(kind):
    with pytest.raises(ValueError, match="negative_slope must not be negative"):
        kind(negative_slope=-0.1)


@pytest.mark.parametrize("axis", [[0, 1], (-1, -2), [2], [0, 1, 2]])
def test_softmax_over_several_axes(axis):
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    e = np.exp(x - x.max(axis=tuple(axis), keepdims=True))
    layer = layers.Softmax(axis=axis)
    np.testing.assert_allclose(layer(x), e / e.sum(axis=tuple(axis), keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(layers.Softmax.from_config(layer.get_config())(x), layer(x))
