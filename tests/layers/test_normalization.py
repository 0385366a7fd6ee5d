import itertools

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def test_batch_normalization():
    check_layer(
        lambda: layers.BatchNormalization(),
        (8, 5),
        (8, 5),
        weights=[(5,)] * 4,
        frozen=2,
        random=True,
        reference=lambda x, gamma, beta, mean, variance: (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta,
    )


@pytest.mark.parametrize(("options", "count"), [({"scale": False}, 3), ({"center": False}, 3)])
def test_batch_normalization_of_images(options, count):
    check_layer(
        lambda: layers.BatchNormalization(**options),
        (4, 3, 3, 2),
        (4, 3, 3, 2),
        weights=[(2,)] * count,
        frozen=2,
        random=True,
    )


def test_moving_averages_use_the_biased_variance():
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    layer = layers.BatchNormalization(momentum=0.9)
    y = np.array(layer(x, training=True))
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(0), rtol=1e-5)


def test_a_frozen_layer_keeps_its_averages():
    x = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    layer = layers.BatchNormalization()
    layer(x)
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), layer(x))
    assert not layer.moving_mean.numpy().any()


def test_freezing_takes_effect_between_recorded_steps():
    layer = layers.BatchNormalization(center=False, scale=False)
    model = dlbd.Sequential([layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 3), np.float32), np.zeros((8, 1), np.float32)
    model.train_on_batch(x, y)
    model.train_on_batch(x, y)
    moved = layer.moving_mean.numpy().copy()
    assert moved.all()
    layer.trainable = False
    model.train_on_batch(x, y)
    np.testing.assert_array_equal(layer.moving_mean, moved)
    layer.trainable = True
    model.train_on_batch(x, y)
    assert not np.array_equal(layer.moving_mean, moved)


def test_layer_normalization():
    def reference(x, gamma, beta):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    check_layer(lambda: layers.LayerNormalization(), (4, 3, 6), (4, 3, 6), weights=[(6,), (6,)], reference=reference)


def test_layer_normalization_over_two_axes():
    check_layer(lambda: layers.LayerNormalization(axis=[1, 2]), (4, 3, 6), (4, 3, 6), weights=[(3, 6), (3, 6)])


def test_other_channels_name_the_layer():
    layer = layers.BatchNormalization(name="norm")
    layer(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"'norm'.*3 in axis -1"):
        layer(np.zeros((2, 4), np.float32))


def test_masked_steps_do_not_count_for_the_batch():
    x = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    layer = layers.BatchNormalization(momentum=0.9)
    y = np.array(layer(x, training=True, mask=mask))
    seen = x[mask]
    np.testing.assert_allclose(y, (x - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * seen.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * seen.var(0), rtol=1e-5)
    np.testing.assert_array_equal(layer(x, mask=mask), layer(x))
    other = layers.BatchNormalization()  # any number but zero counts, and counts once
    np.testing.assert_array_equal(other(x, training=True, mask=mask * 2), y)
    with pytest.raises(ValueError, match=r"mask must have the shape of x without its last axis.*\(3,\)"):
        layer(x, training=True, mask=mask[:, 0])


def test_padding_leaves_the_moving_averages_of_a_model_alone():
    found = []
    for padding in (0, 3):
        dlbd.utils.set_random_seed(0)
        model = dlbd.Sequential(
            [layers.Embedding(9, 4, mask_zero=True), layers.BatchNormalization(), layers.LSTM(3), layers.Dense(1)]
        )
        model.compile("sgd", "mse")
        x = np.pad(np.random.default_rng(0).integers(1, 9, (8, 5)), ((0, 0), (0, padding)))
        model.fit(x, np.ones(8), epochs=3, verbose=0)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def group_reference(x, gamma, beta, groups, epsilon=1e-3):
    parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups).astype(np.float64)
    mean, variance = parts.mean((1, 3), keepdims=True), parts.var((1, 3), keepdims=True)
    return ((parts - mean) / np.sqrt(variance + epsilon)).reshape(x.shape) * gamma + beta


@pytest.mark.parametrize(
    ("groups", "shape"),
    [(1, (4, 6)), (2, (4, 6)), *itertools.product((1, 2, 6, -1), [(3, 5, 6), (2, 3, 4, 6)])],
)
def test_group_normalization(groups, shape):
    check_layer(
        lambda: layers.GroupNormalization(groups),
        shape,
        shape,
        weights=[(6,), (6,)],
        reference=lambda x, gamma, beta: group_reference(x, gamma, beta, 6 if groups == -1 else groups),
    )


@pytest.mark.parametrize(("options", "count"), [({"scale": False}, 1), ({"center": False}, 1)])
def test_group_normalization_without_a_weight(options, count):
    check_layer(lambda: layers.GroupNormalization(2, **options), (3, 5, 4), (3, 5, 4), weights=[(4,)] * count)


def test_group_normalization_of_another_axis():
    x = np.random.default_rng(0).standard_normal((2, 4, 3, 5)).astype(np.float32)
    layer, last = layers.GroupNormalization(2, axis=1), layers.GroupNormalization(2)
    y = layer(x)
    assert layer.gamma.shape == (4,)
    wanted = np.moveaxis(np.array(last(np.ascontiguousarray(np.moveaxis(x, 1, -1)))), -1, 1)
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)


def test_groups_that_do_not_fit_name_the_layer():
    with pytest.raises(ValueError, match=r"layer 'g' .*groups=4 must divide the 6 channels of axis -1"):
        layers.GroupNormalization(4, name="g")(np.zeros((2, 6), np.float32))
    with pytest.raises(ValueError, match=r"\[g\] groups must be at least 1.*received 0"):
        layers.GroupNormalization(0, name="g")
    with pytest.raises(ValueError, match="axis 3 does not exist"):
        layers.GroupNormalization(2, axis=3)(np.zeros((2, 6), np.float32))


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], (-1, -2)])
def test_unit_normalization(axis):
    over = axis if isinstance(axis, int) else tuple(axis)
    check_layer(
        lambda: layers.UnitNormalization(axis),
        (3, 4, 5),
        (3, 4, 5),
        reference=lambda x: x / np.sqrt((x**2).sum(over, keepdims=True)),
    )


@pytest.mark.parametrize("scale", [0.0, 1e-18, 1e-10, 1e10])
def test_unit_normalization_of_small_and_large_vectors(scale):
    x = dlbd.Variable(np.array([[3.0, -4.0]], np.float32) * scale)
    with dlbd.GradientTape() as tape:
        y = layers.UnitNormalization()(x)
    np.testing.assert_allclose(y, [[0.6, -0.8]] if scale >= 1e-10 else [[0.0, 0.0]], rtol=1e-5)
    assert np.all(np.isfinite(np.array(tape.gradient(y, x))))


@pytest.mark.parametrize(("axis", "weight"), [(-1, (5,)), (1, (4,)), ([1, 2], (4, 5))])
def test_rms_normalization(axis, weight):
    over = axis if isinstance(axis, int) else tuple(axis)

    def reference(x, scale):
        spread = scale[:, None] if axis == 1 else scale
        return x / np.sqrt((x**2).mean(over, keepdims=True) + 1e-6) * spread

    check_layer(lambda: layers.RMSNormalization(axis), (3, 4, 5), (3, 4, 5), weights=[weight], reference=reference)


def test_axes_that_do_not_exist_name_the_layer():
    for kind in (layers.UnitNormalization, layers.RMSNormalization):
        with pytest.raises(ValueError, match="axis"):
            kind(axis=2, name="n")(np.zeros((2, 3), np.float32))
        with pytest.raises(ValueError, match=r"axis 2 does not exist in inputs of shape \(None, 3\)"):
            kind(axis=2).compute_output_shape((None, 3))
