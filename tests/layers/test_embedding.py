import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def test_embedding():
    check_layer(
        lambda: layers.Embedding(10, 4),
        (3, 5),
        (3, 5, 4),
        weights=[(10, 4)],
        integers=10,
        reference=lambda x, table: table[x],
    )


def test_initial_range():
    layer = layers.Embedding(100, 50)
    layer.build((None, 3))
    assert 0.045 < np.abs(layer.get_weights()[0]).max() <= 0.05


def test_mask():
    layer = layers.Embedding(10, 4, mask_zero=True)
    y = layer(np.array([[1, 2, 0]]))
    np.testing.assert_array_equal(y.mask, [[True, True, False]])
    assert layers.Embedding(10, 4)(np.array([[1, 0]])).mask is None


@pytest.mark.parametrize("index", [10, -1])
def test_index_out_of_range(index: int):
    with pytest.raises(ValueError, match=rf"{index}.*0 <= .* < 10"):
        layers.Embedding(10, 4)(np.array([[1, index]])).numpy()  # a GPU tells at the next read


def test_index_out_of_range_in_a_recorded_step_changes_nothing():
    model = dlbd.Sequential([layers.Embedding(10, 4), layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = np.array([[1, 2], [3, 4]]), np.zeros((2, 1), np.float32)
    for _ in range(3):
        model.train_on_batch(x, y)
    before = model.get_weights()
    with pytest.raises(ValueError, match="99"):
        model.train_on_batch(np.array([[1, 2], [3, 99]]), y)
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
    model.train_on_batch(x, y)


def test_whole_numbers_in_floats():
    layer = layers.Embedding(10, 4)
    np.testing.assert_array_equal(layer(np.array([[1.0, 2.0]])), layer(np.array([[1, 2]])))


def test_weights_argument():
    table = np.arange(6, dtype=np.float32).reshape(3, 2)
    layer = layers.Embedding(3, 2, weights=[table])
    np.testing.assert_array_equal(layer(np.array([2])), table[[2]])
