import math

import numpy as np
import pytest

from dlbd import GradientTape, activations, layers, ops

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
        (lambda: layers.ELU(), lambda x: np.where(x > 0, x, np.expm1(x))),
        (lambda: layers.ELU(alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
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


def test_softmax_with_a_mask_that_broadcasts_and_one_that_leaves_nothing():
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    seen = np.array([True, False, True, True])
    y = np.array(layers.Softmax()(x, mask=seen[None, None]))
    e = np.exp(x) * seen
    np.testing.assert_allclose(y, e / e.sum(-1, keepdims=True), rtol=1e-5)
    assert not np.array(layers.Softmax()(x, mask=np.zeros((2, 3, 4), bool))).any()


@pytest.mark.parametrize(
    ("shared", "weight"), [(None, (4, 5)), (1, (1, 5)), ([1], (1, 5)), ((2,), (4, 1)), ((1, 2), (1, 1))]
)
def test_prelu(shared, weight):
    check_layer(
        lambda: layers.PReLU(shared_axes=shared),
        (3, 4, 5),
        (3, 4, 5),
        weights=[weight],
        reference=lambda x, alpha: np.where(x > 0, x, alpha * x),
    )


def test_prelu_with_options():
    layer = layers.PReLU("ones", alpha_regularizer="l2", alpha_constraint="non_neg", shared_axes=1)
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_allclose(float(layer.losses[0]), 0.05)
    with pytest.raises(ValueError, match=r"layer 'p'.*shared_axes must lie between 1 and 2; received \[3\]"):
        layers.PReLU(shared_axes=3, name="p")(x)
    with pytest.raises(ValueError, match="every size must be known"):
        layers.PReLU().build((None, None, 5))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "exponential": np.exp,
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / np.sqrt(2))),
    "glu": lambda x: x[..., :3] * sigmoid(x[..., 3:]),
    "hard_shrink": lambda x: np.where(abs(x) > 0.5, x, 0),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "linear": lambda x: x,
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "sigmoid": sigmoid,
    "silu": lambda x: x * sigmoid(x),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    "sparse_sigmoid": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) / 2, 1)),
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "swish": lambda x: x * sigmoid(x),
    "tanh": np.tanh,
    "tanh_shrink": lambda x: x - np.tanh(x),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activations_by_name(name):
    x = np.random.default_rng(0).uniform(-4, 4, (50, 6))
    x[0] = [-1.0, 1.0, 0.0, 3.0, -3.0, 0.5]
    y = activations.get(name)(x.astype(np.float32))
    np.testing.assert_allclose(y, FORMULAS[name](x), rtol=2e-5, atol=2e-6)
    assert activations.get(activations.serialize(activations.get(name))) is activations.get(name)


def test_no_activation_is_left_out():
    assert set(FORMULAS) == set(activations._NAMED) - {"threshold"}
    np.testing.assert_array_equal(activations.threshold(np.array([0.5, 2.0], np.float32), 1.0, -3.0), [-3.0, 2.0])


@pytest.mark.parametrize("name", ["sparse_plus", "sparse_sigmoid"])
def test_gradients_of_composed_activations(name):
    x = np.array([-2.0, -1.5, -0.5, 0.0, 0.7, 1.5, 3.0])
    t = ops.convert_to_tensor(x, "float64")
    with GradientTape() as tape:
        tape.watch(t)
        y = activations.get(name)(t)
    step = 1e-6
    numerical = (FORMULAS[name](x + step) - FORMULAS[name](x - step)) / (2 * step)
    np.testing.assert_allclose(tape.gradient(y, t), numerical, atol=1e-6)


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
