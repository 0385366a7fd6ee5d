import random

import numpy as np
import pytest

import dlbd
from dlbd.utils import normalize, pad_sequences, set_random_seed, to_categorical


def test_to_categorical():
    np.testing.assert_array_equal(to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    assert to_categorical(np.array([[0], [1]]), num_classes=4).shape == (2, 4)
    assert to_categorical(np.zeros((2, 3), np.uint8), 2).shape == (2, 3, 2)
    assert to_categorical([]).shape == (0, 0)
    assert to_categorical([1.0, 0.0]).dtype == np.float32
    with pytest.raises(ValueError, match="class 3 is out of range: expected 0 <= class < 3"):
        to_categorical([1, 3], 3)
    with pytest.raises(ValueError, match="class -1"):
        to_categorical([-1])
    with pytest.raises(ValueError, match="whole"):
        to_categorical([0.5])
    with pytest.raises(TypeError, match="class numbers"):
        to_categorical(["a"])


def test_pad_sequences():
    lists = [[1], [2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(pad_sequences(lists), [[0, 0, 1], [0, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(pad_sequences(lists, padding="post"), [[1, 0, 0], [2, 3, 0], [4, 5, 6]])
    np.testing.assert_array_equal(pad_sequences(lists, maxlen=2), [[0, 1], [2, 3], [5, 6]])
    np.testing.assert_array_equal(pad_sequences(lists, maxlen=2, truncating="post"), [[0, 1], [2, 3], [4, 5]])
    assert pad_sequences(lists, dtype="float32", value=-1.0)[0, 0] == -1
    assert pad_sequences([np.ones((2, 3)), np.ones((4, 3))]).shape == (2, 4, 3)
    assert pad_sequences([[], [1]]).tolist() == [[0], [1]]
    assert pad_sequences([]).shape == (0, 0)
    assert pad_sequences(lists, maxlen=0).shape == (3, 0)
    with pytest.raises(ValueError, match='padding must be "pre" or "post"'):
        pad_sequences(lists, padding="middle")
    with pytest.raises(TypeError, match="number 1 is 5"):
        pad_sequences([[1], 5])
    with pytest.raises(ValueError, match="every step must have shape"):
        pad_sequences([np.ones((2, 3)), np.ones((2, 4))])


def test_set_random_seed_rules_python_numpy_and_ours():
    found = []
    for _ in range(2):
        set_random_seed(5)
        layer = dlbd.layers.Dense(3)
        layer.build((None, 2))
        found.append((random.random(), np.random.rand(), layer.get_weights()[0].tolist()))  # noqa: NPY002
    assert found[0] == found[1]
    with pytest.raises(ValueError, match="2\\^32"):
        set_random_seed(-1)
    with pytest.raises(TypeError):
        set_random_seed(1.5)


def test_normalize():
    """As programs write it that begin with normalize(images, axis=1)."""
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    found = normalize(x, axis=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.sum(found**2, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(normalize([[1, 3], [0, 0]], order=1), [[0.25, 0.75], [0, 0]])
