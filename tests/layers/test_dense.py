import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def test_dense():
    check_layer(
        lambda: layers.Dense(3),
        (4, 5),
        (4, 3),
        weights=[(5, 3), (3,)],
        reference=lambda x, w, b: x @ w + b,
    )


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softmax", "gelu", "silu", "elu", "softplus"])
def test_dense_with_activation(activation: str):
    check_layer(lambda: layers.Dense(3, activation=activation, use_bias=False), (4, 2, 5), (4, 2, 3), weights=[(5, 3)])


def test_initial_bias_is_zero_and_kernel_is_glorot():
    layer = layers.Dense(100)
    layer.build((None, 50))
    kernel, bias = layer.get_weights()
    assert not bias.any()
    limit = np.sqrt(6 / 150)
    assert 0.9 * limit < np.abs(kernel).max() <= limit


@pytest.mark.parametrize("units", [0, -1])
def test_units_must_be_positive(units: int):
    with pytest.raises(ValueError, match=r"units must be at least 1"):
        layers.Dense(units)


def test_units_must_be_an_integer():
    with pytest.raises(TypeError, match=r"units must be an integer; received 2\.5"):
        layers.Dense(2.5)


def test_wrong_features_name_the_layer():
    layer = layers.Dense(3, name="head")
    layer(np.zeros((2, 5), np.float32))
    with pytest.raises(ValueError, match=r"'head' \(Dense\) was built for inputs with 5 in axis -1.*\(2, 4\)"):
        layer(np.zeros((2, 4), np.float32))


def test_a_vector_is_no_batch():
    with pytest.raises(ValueError, match=r"layer 'flat' \(Dense.*\(batch, ..., features\)"):
        layers.Dense(3, name="flat")(np.zeros(5, np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.bool_, np.float64, np.float16, np.int16])
def test_any_number_is_cast(dtype: type):
    layer = layers.Dense(2)
    x = np.array([[0, 1, 1]]).astype(dtype)
    y = layer(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x.astype(np.float32) @ layer.get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize("x", [np.array([["a", "b"]]), np.array([[1j, 2]]), np.array([[None, 1]])])
def test_no_number_is_a_type_error_that_names_the_layer(x: np.ndarray):
    with pytest.raises(TypeError, match="layer 'only_numbers'"):
        layers.Dense(2, name="only_numbers")(x)


def test_unknown_arguments_and_regularizers():
    with pytest.raises(TypeError, match="takes no argument 'unitz'"):
        layers.Dense(2, unitz=3)
    layer = layers.Dense(2, kernel_regularizer="l2", bias_constraint="non_neg", activity_regularizer=None)
    layer.build((None, 3))
    assert isinstance(layer.kernel.regularizer, dlbd.regularizers.L2)
    assert layer.kernel.constraint is None
    assert isinstance(layer.bias.constraint, dlbd.constraints.NonNeg)
    with pytest.raises(ValueError, match="nothing is named 'l3'"):
        layers.Dense(2, kernel_regularizer="l3")


def test_options_of_weights_are_configured():
    layer = layers.Dense(2, kernel_regularizer=dlbd.regularizers.L1(0.5), bias_constraint="unit_norm")
    again = layers.Dense.from_config(layer.get_config())
    assert again.kernel_regularizer.get_config() == {"l1": 0.5}
    assert isinstance(again.bias_constraint, dlbd.constraints.UnitNorm)
    assert again.bias_regularizer is None


def test_set_weights_checks_all_before_changing_any():
    layer = layers.Dense(2, name="d")
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=r"'d/bias' has shape \(2,\); set_weights received \(3,\)"):
        layer.set_weights([np.ones((3, 2)), np.ones(3)])
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])
    with pytest.raises(ValueError, match="2 weights; set_weights received 1"):
        layer.set_weights([np.ones((3, 2))])


@pytest.mark.parametrize("make", [lambda: layers.Dense(3), lambda: dlbd.Sequential([layers.Dense(3)])])
def test_lists_of_numbers_are_data(make):
    layer, x = make(), [[1.0, 2.0], [3, np.float32(4.0)]]
    np.testing.assert_array_equal(layer(x), layer(np.asarray(x, np.float32)))
    np.testing.assert_array_equal(layer(tuple(map(tuple, x))), layer(np.asarray(x, np.float32)))
    with pytest.raises(ValueError, match="inhomogeneous"):
        layer([[1.0, 2.0], [3.0]])
