"""What the operations table cannot say of pooling: ties, NaN, infinities."""

import numpy as np
import pytest

from dlbd import GradientTape, backend, ops

from ..arrays import tensor

PATHS = [("disjoint", 2), ("generic", 2), ("generic", 1)]  # path, stride


def pool_with_gradient(x, stride, path):
    x = tensor(np.ascontiguousarray(x))
    with backend.forced_path("pool", path), GradientTape() as tape:
        tape.watch(x)
        y = ops.max_pool(x, 2, strides=stride)
    return np.array(y), np.array(tape.gradient(y, x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 5, 16, 37, 64])
@pytest.mark.parametrize(("path", "stride"), PATHS)
def test_the_first_of_several_maxima_takes_the_gradient(path, stride, channels, dtype):
    y, dx = pool_with_gradient(np.zeros((2, 4, 6, channels), dtype), stride, path)
    assert (y == 0).all()
    expected = np.zeros((4, 6))
    expected[: 4 if stride == 2 else 3 : stride, : 6 if stride == 2 else 5 : stride] = 1
    np.testing.assert_array_equal(dx, np.broadcast_to(expected[None, :, :, None], dx.shape))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 5, 16, 37, 64])
@pytest.mark.parametrize(("path", "stride"), PATHS)
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_nan_wins_and_takes_the_gradient(path, stride, channels, dtype, place):
    x = np.arange(4, dtype=dtype).reshape(1, 2, 2, 1) * np.ones(channels, dtype)
    x[0, place // 2, place % 2] = np.nan
    x[0, 1, 1, : channels // 2] = np.nan  # a second one must not take it
    y, dx = pool_with_gradient(x, stride, path)
    assert np.isnan(y).all()
    expected = np.zeros((2, 2))
    expected[place // 2, place % 2] = 1
    np.testing.assert_array_equal(dx, np.broadcast_to(expected[None, :, :, None], dx.shape))


@pytest.mark.parametrize(("path", "stride"), PATHS)
def test_minus_infinity_is_a_value(path, stride):
    y, dx = pool_with_gradient(np.full((1, 2, 2, 3), -np.inf, np.float32), stride, path)
    assert (y == -np.inf).all()
    assert (dx[0, 0, 0] == 1).all()
    assert dx.sum() == 3


def test_padding_never_wins():
    x = np.full((1, 3, 3, 2), -5.0, np.float32)
    np.testing.assert_array_equal(ops.max_pool(x, 2, padding="same"), np.full((1, 2, 2, 2), -5.0))
    np.testing.assert_array_equal(ops.average_pool(x, 2, padding="same"), np.full((1, 2, 2, 2), -5.0))
