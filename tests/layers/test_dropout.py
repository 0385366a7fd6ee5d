import copy

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def test_dropout():
    check_layer(lambda: layers.Dropout(0.3), (8, 40), (8, 40), random=True)


def test_fraction_and_scale():
    x = np.ones((100, 100), np.float32)
    y = np.array(layers.Dropout(0.25)(x, training=True))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02


def test_other_values_are_dropped_each_time_and_seeds_repeat():
    x = np.ones((10, 50), np.float32)
    layer = layers.Dropout(0.5, seed=3)
    first, second = np.array(layer(x, training=True)), np.array(layer(x, training=True))
    assert not np.array_equal(first, second)
    again = layers.Dropout(0.5, seed=3)
    np.testing.assert_array_equal(again(x, training=True), first)
    np.testing.assert_array_equal(copy.deepcopy(again)(x, training=True), second)


def test_the_global_seed_rules_layers_without_one():
    x = np.ones((10, 50), np.float32)
    found = []
    for _ in range(2):
        dlbd.utils.set_random_seed(5)
        found.append(np.array(layers.Dropout(0.5)(x, training=True)))
    np.testing.assert_array_equal(*found)


def test_noise_shape_is_broadcast():
    y = np.array(layers.Dropout(0.5, noise_shape=(None, 1, None))(np.ones((4, 6, 20), np.float32), training=True))
    assert np.all(y == y[:, :1])


def test_training_reaches_inner_layers():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dropout(0.5)

        def call(self, x):
            return self.inner(x)

    outer, x = Outer(), np.ones((10, 50), np.float32)
    assert np.array(outer(x)).all()
    assert not np.array(outer(x, training=True)).all()


@pytest.mark.parametrize("rate", [-0.1, 1.1, "half", None])
def test_rate_is_a_fraction(rate):
    with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
        layers.Dropout(rate)


SPATIAL = [
    (layers.SpatialDropout1D, (6, 5, 40)),
    (layers.SpatialDropout2D, (6, 5, 4, 40)),
    (layers.SpatialDropout3D, (6, 2, 3, 4, 40)),
]


@pytest.mark.parametrize(("kind", "shape"), SPATIAL)
def test_spatial_dropout_drops_whole_features(kind, shape):
    check_layer(lambda: kind(0.3), (6, *[3] * (len(shape) - 2), 8), (6, *[3] * (len(shape) - 2), 8), random=True)
    y = np.array(kind(0.25)(np.ones(shape, np.float32), training=True))
    first = y.reshape(6, -1, 40)[:, :1]
    np.testing.assert_array_equal(y.reshape(6, -1, 40), np.broadcast_to(first, (6, y[0].size // 40, 40)))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((first == 0).mean() - 0.25) < 0.15
    with pytest.raises(ValueError, match=f"layer 's'.*{len(shape)} dimensions"):
        kind(0.3, name="s")(np.ones((2, 3), np.float32))
