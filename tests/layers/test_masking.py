import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def test_masking():
    check_layer(lambda: layers.Masking(), (2, 3, 4), (2, 3, 4), reference=lambda x: x)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_steps_of_that_value_are_masked_and_become_zeros(value):
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    x[0, 2:] = value
    x[1, 0, 1] = value  # one feature alone is no padding
    y = layers.Masking(value)(x)
    wanted = np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    np.testing.assert_array_equal(y.mask, wanted)
    np.testing.assert_array_equal(y, np.where(wanted[..., None], x, 0))


def test_padded_sequences_train_as_short_ones():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3, 2)).astype(np.float32), rng.standard_normal((4, 1)).astype(np.float32)
    padded = np.concatenate([x, np.full((4, 2, 2), -9.0, np.float32)], axis=1)
    losses = []
    for data, first in ((x, []), (padded, [layers.Masking(-9.0)])):
        dlbd.utils.set_random_seed(1)
        model = dlbd.Sequential([*first, layers.GRU(3), layers.Dense(1)])
        model.compile("sgd", "mse")
        losses.append(model.fit(data, y, batch_size=2, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
