import numpy as np
import pytest

import dlbd
from dlbd import layers

from ..arrays import tensor
from .check import check_layer


def test_identity():
    check_layer(lambda: layers.Identity(), (3, 4, 5), (3, 4, 5), reference=lambda x: x)


def test_identity_keeps_masks_and_nests():
    x = tensor(np.ones((2, 3, 4), np.float32))
    x.mask = tensor(np.ones((2, 3), bool))
    assert layers.Identity()(x).mask is not None
    first, second = layers.Identity()([x, x])
    assert first.shape == second.shape == (2, 3, 4)


def test_activity_regularization():
    check_layer(lambda: layers.ActivityRegularization(0.1, 0.2), (3, 4), (3, 4), reference=lambda x: x)
    x = np.array([[1.0, -2.0], [0.5, 0.0]], np.float32)
    layer = layers.ActivityRegularization(l1=0.1, l2=0.2)
    layer(x)
    np.testing.assert_allclose(float(layer.losses[0]), (0.1 * np.abs(x).sum() + 0.2 * (x**2).sum()) / 2, rtol=1e-6)
    with pytest.raises(ValueError, match="must not be negative"):
        layers.ActivityRegularization(l1=-1.0)


def test_activity_regularization_counts_in_fit():
    """Without a target's error to lower, the penalty alone moves the weights: as much as its own gradient says."""
    model = dlbd.Sequential(
        [layers.Dense(1, use_bias=False, kernel_initializer="ones"), layers.ActivityRegularization(l2=0.5)]
    )
    model.compile(dlbd.optimizers.SGD(0.1), "mse")
    x = np.ones((1, 2), np.float32)
    history = model.fit(x, np.array([[2.0]], np.float32), epochs=1, verbose=0)
    np.testing.assert_allclose(history.history["loss"], [0.5 * 2.0**2])
    np.testing.assert_allclose(model.get_weights()[0], 1 - 0.1 * 2.0, rtol=1e-6)
