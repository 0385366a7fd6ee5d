"""What a table row cannot say of shapes, indices and new arrays: integers of NumPy's own types."""

import numpy as np
import pytest

from dlbd import ops

TWO, ONE = np.int64(2), np.int32(1)


@pytest.mark.parametrize(
    ("ours", "reference"),
    [
        (lambda x: ops.reshape(x, np.int64(-1)), lambda x: x.reshape(-1)),
        (lambda x: ops.expand_dims(x, ONE), lambda x: np.expand_dims(x, 1)),
        (lambda x: ops.squeeze(x[:, :1], ONE), lambda x: x[:, 0]),
        (lambda x: ops.moveaxis(x, ONE, np.uint8(0)), lambda x: x.T),
        (lambda x: ops.flip(x, ONE), lambda x: x[:, ::-1]),
        (lambda x: ops.split(x, TWO, ONE)[1], lambda x: x[:, 2:]),
        (lambda x: ops.tile(x, TWO), lambda x: np.tile(x, 2)),
        (lambda x: ops.repeat(x, TWO, ONE), lambda x: np.repeat(x, 2, 1)),
        (lambda x: ops.roll(x, ONE), lambda x: np.roll(x, 1)),
        (lambda x: ops.roll(x, TWO, ONE), lambda x: np.roll(x, 2, 1)),
        (lambda x: ops.sum(x, ONE), lambda x: x.sum(1)),
        (lambda x: ops.zeros(TWO), lambda x: np.zeros(2, np.float32)),
    ],
)
def test_numpy_integers_are_integers(ours, reference):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(ours(x), reference(x), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(70, 66), (5, 64), (3, 7)])
def test_elements_of_every_size_are_moved(dtype, shape):
    x = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    t = ops.convert_to_tensor(x, dtype)
    index = np.array([2, 0, -2])
    for ours, reference in [
        (ops.transpose(t), x.T),
        (ops.concatenate([t, t], 1), np.concatenate([x, x], 1)),
        (ops.flip(t), np.flip(x)),
        (ops.broadcast_to(t[:1], shape), np.broadcast_to(x[:1], shape)),
        (ops.take(t, index, 0), x[index]),
        (ops.take(t, index, 1), x[:, index]),
    ]:
        np.testing.assert_array_equal(ours, reference, strict=True)


def test_full_of_an_array_broadcasts_a_copy():
    row = np.array([1.0, 2.0])
    y = ops.full((2, 2), row, "float64")
    np.testing.assert_array_equal(y, np.array([[1.0, 2.0]] * 2), strict=True)
    y = ops.full_like(row, row, "float64")
    row[0] = 5.0
    assert y.numpy()[0] == 1.0
    with pytest.raises(ValueError, match="broadcast"):
        ops.full((3,), row)


def test_arange_of_numpy_floats_is_float():
    np.testing.assert_array_equal(ops.arange(np.float32(0.5), 3), np.array([0.5, 1.5, 2.5], np.float32), strict=True)


def test_arange_beyond_int32_is_int64():
    np.testing.assert_array_equal(ops.arange(2**40, 2**40 + 2), [2**40, 2**40 + 1])
    assert ops.arange(2**31 - 1, 0, -(2**30)).dtype == np.int32


def test_more_classes_than_the_dtype_of_the_labels_can_count():
    y = ops.one_hot(np.array([5], np.uint8), 300).numpy()
    assert y.shape == (1, 300)
    assert np.flatnonzero(y).tolist() == [5]
