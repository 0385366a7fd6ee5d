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
