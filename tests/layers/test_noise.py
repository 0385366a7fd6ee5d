import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer

KINDS = {
    "noise": lambda **o: layers.GaussianNoise(0.3, **o),
    "gaussian": lambda **o: layers.GaussianDropout(0.3, **o),
    "alpha": lambda **o: layers.AlphaDropout(0.3, **o),
}
each_kind = pytest.mark.parametrize("name", KINDS)


@each_kind
def test_noise_layers(name):
    check_layer(KINDS[name], (8, 4, 5), (8, 4, 5), random=True)


@each_kind
def test_numbers_are_new_each_time_and_seeds_repeat(name):
    x = np.ones((10, 50), np.float32)
    layer = KINDS[name](seed=3)
    first, second = np.array(layer(x, training=True)), np.array(layer(x, training=True))
    assert (first != second).any()
    np.testing.assert_array_equal(KINDS[name](seed=3)(x, training=True), first)
    np.testing.assert_array_equal(layer(x), x)


@each_kind
def test_the_global_seed_rules_layers_without_one(name):
    x = np.ones((10, 50), np.float32)
    found = []
    for _ in range(2):
        dlbd.utils.set_random_seed(5)
        found.append(np.array(KINDS[name]()(x, training=True)))
    np.testing.assert_array_equal(*found)


def test_gaussian_noise_is_added():
    x = np.arange(40_000, dtype=np.float32).reshape(200, 200) / 1000
    noise = np.array(layers.GaussianNoise(0.5)(x, training=True)) - x
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.5) < 0.02
    assert abs(np.corrcoef(noise.ravel(), x.ravel())[0, 1]) < 0.03


def test_gaussian_dropout_multiplies():
    x = np.full((200, 200), 4.0, np.float32)
    y = np.array(layers.GaussianDropout(0.2)(x, training=True)) / 4
    assert abs(y.mean() - 1) < 0.02
    assert abs(y.std() - 0.5) < 0.02
    assert not np.array(layers.GaussianDropout(0.2)(0 * x, training=True)).any()


def test_alpha_dropout_keeps_mean_and_variance_and_drops_to_one_value():
    x = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
    y = np.array(layers.AlphaDropout(0.25)(x, training=True))
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / y.size - 0.25) < 0.02
    limit = -1.7580993408473766
    a = (0.75 * (1 + 0.25 * limit**2)) ** -0.5
    np.testing.assert_allclose(values[counts.argmax()], a * limit - a * limit * 0.25, rtol=1e-5)


def test_alpha_dropout_of_whole_features():
    y = np.array(layers.AlphaDropout(0.5, noise_shape=(None, 1, None))(np.ones((4, 6, 20), np.float32), training=True))
    assert np.all(y == y[:, :1])
    assert len(np.unique(y)) == 2
    with pytest.raises(ValueError, match=r"noise_shape \(1, 2\) must have one size per input axis"):
        layers.AlphaDropout(0.5, noise_shape=(1, 2))(np.ones((4, 6, 20), np.float32), training=True)


def test_rates():
    for kind in (layers.GaussianDropout, layers.AlphaDropout):
        with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\); received 1"):
            kind(1)
        with pytest.raises(ValueError, match=r"rate must lie in \[0, 1\]"):
            kind(-0.1)
        x = np.ones((2, 3), np.float32)
        np.testing.assert_array_equal(kind(0)(x, training=True), x)
    with pytest.raises(ValueError, match=r"stddev must lie in \[0, 1\]"):
        layers.GaussianNoise(2.0)
