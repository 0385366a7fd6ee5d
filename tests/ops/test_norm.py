"""What the table cannot say of normalization: moving averages, robustness, NaN, bad input."""

import numpy as np
import pytest

from dlbd import GradientTape, Variable, ops


def _moving(channels):
    return Variable(np.full(channels, 2.0), trainable=False), Variable(np.full(channels, 3.0), trainable=False)


@pytest.mark.parametrize(("sizes", "axis"), [((50, 4), -1), ((6, 4, 4, 5), -1), ((6, 4, 7), 1), ((3000, 20), -1)])
def test_training_moves_the_averages_by_the_biased_variance(sizes, axis):
    x = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
    mean, variance = _moving(sizes[axis])
    ops.batch_normalization(x, None, None, mean, variance, axis=axis, momentum=0.9, training=True)
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    np.testing.assert_allclose(mean, 2.0 * 0.9 + 0.1 * x.mean(others), rtol=1e-6)
    np.testing.assert_allclose(variance, 3.0 * 0.9 + 0.1 * x.var(others), rtol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1])
def test_an_empty_batch_leaves_the_averages_and_has_zero_gradients(axis):
    mean, variance = _moving(4)
    gamma = Variable(np.ones(4))
    with GradientTape() as tape:
        y = ops.batch_normalization(np.zeros((0, 4, 4)), gamma, None, mean, variance, axis=axis, training=True)
    assert y.shape == (0, 4, 4)
    np.testing.assert_array_equal(mean, np.full(4, 2.0))
    np.testing.assert_array_equal(variance, np.full(4, 3.0))
    np.testing.assert_array_equal(tape.gradient(y, gamma), np.zeros(4))


def test_an_empty_axis_has_an_empty_gradient():
    x = Variable(np.zeros((2, 4, 0)))
    with GradientTape() as tape:
        y = ops.batch_normalization(x, None, None, *_moving(4), axis=1, training=True)
    assert tape.gradient(y, x).shape == (2, 4, 0)


def test_inference_leaves_the_averages():
    mean, variance = _moving(4)
    ops.batch_normalization(np.ones((5, 4)), None, None, mean, variance)
    np.testing.assert_array_equal(mean, np.full(4, 2.0))
    np.testing.assert_array_equal(variance, np.full(4, 3.0))


@pytest.mark.parametrize("sizes", [(4000, 3), (4000, 1), (20, 3, 3, 64)])
def test_the_variance_survives_a_large_mean(sizes):
    x = (1000 + np.random.default_rng(0).standard_normal(sizes)).astype(np.float32)
    mean, variance = Variable(np.zeros(sizes[-1])), Variable(np.zeros(sizes[-1]))
    ops.batch_normalization(x, None, None, mean, variance, momentum=0.0, training=True)
    others = tuple(range(x.ndim - 1))
    np.testing.assert_allclose(variance, x.astype(np.float64).var(others), rtol=1e-4)


def test_layer_normalization_survives_a_large_mean():
    x = (1000 + np.random.default_rng(0).standard_normal((5, 1000))).astype(np.float32)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(ops.layer_normalization(x, epsilon=1e-3), exact, atol=1e-4)


def test_a_nan_stays_in_its_row_and_in_its_channel():
    x = np.ones((40, 20), np.float32) * np.arange(20, dtype=np.float32)
    x[3, 7] = np.nan
    rows = np.isnan(ops.layer_normalization(x).numpy())
    assert rows[3].all()
    assert rows.sum() == 20
    mean, variance = _moving(20)
    columns = np.isnan(ops.batch_normalization(x, None, None, mean, variance, training=True).numpy())
    assert columns[:, 7].all()
    assert columns.sum() == 40


def test_parameters_of_a_wrong_shape_or_dtype():
    mean, variance = _moving(3)
    with pytest.raises(ValueError, match=r"\[batch_normalization\] gamma must have shape \(3,\).*received \(4,\)"):
        ops.batch_normalization(np.zeros((2, 3)), np.ones(4), None, mean, variance)
    with pytest.raises(ValueError, match=r"\[batch_normalization\] axis 2 does not exist in x of shape \(2, 3\)"):
        ops.batch_normalization(np.zeros((2, 3)), None, None, mean, variance, axis=2)
    with pytest.raises(ValueError, match=r"\[layer_normalization\] beta must have shape \(3,\)"):
        ops.layer_normalization(np.zeros((2, 3)), beta=np.ones((1, 3)))
    for axis in (2, -3, (0, -2), ()):
        with pytest.raises(ValueError, match=r"\[layer_normalization\] axis must name axes of x, each once"):
            ops.layer_normalization(np.zeros((2, 3)), axis=axis)
    with pytest.raises(TypeError, match=r"\[layer_normalization\] gamma must be float32 like x; received int64"):
        ops.layer_normalization(np.zeros((2, 3)), gamma=np.ones(3, np.int64))
