"""Random numbers against Philox in NumPy, their distributions, and recordings."""

import numpy as np
import pytest

from dlbd import GradientTape, backend, config, ops

from ..arrays import tensor
from .table_dropout import numbers


def counter(seed=1, position=0):
    return ops.convert_to_tensor(np.array([seed, position], np.int64))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 16384, 50_001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers_are_those_of_philox(size, dtype):
    c = counter(9, (1 << 32) - 3)
    y = np.array(ops.random_uniform((size,), c, dtype=dtype))
    assert y.dtype == dtype
    words = numbers(size, 9, (1 << 32) - 3)
    wanted = (words >> np.uint64(8)) / 2**24 if dtype == np.float32 else words / 2**32
    np.testing.assert_array_equal(y, wanted)
    assert np.array(c).tolist() == [9, (1 << 32) - 3 + -(-size // 64) * 16]


def test_the_same_bits_on_any_number_of_threads():
    before = config.num_threads()
    found = []
    for n in (1, 3):
        config.set_num_threads(n)
        found.append(np.array(ops.random_uniform((100_000,), counter(2))))
    config.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_bounds():
    y = np.array(ops.random_uniform((300, 200), counter(3), -2.0, 6.0))
    assert y.min() >= -2
    assert y.max() <= 6
    assert abs(y.mean() - 2) < 5 * 8 / np.sqrt(12 * y.size)


@pytest.mark.parametrize("shape", [(), (1,), (2, 0), (3, 5), (101, 7)])
def test_normal_numbers_are_box_and_muller(shape):
    count = int(np.prod(shape))
    half = (count + 1) // 2
    u = ((numbers(2 * half, 4, 0) >> np.uint64(8)) / 2**24).reshape(2, half)
    radius = 2.0 * np.sqrt(-2 * np.log(1 - u[0]))
    wanted = np.concatenate([radius * np.cos(2 * np.pi * u[1]), radius * np.sin(2 * np.pi * u[1])])[:count]
    y = np.array(ops.random_normal(shape, counter(4), mean=1.0, stddev=2.0))
    np.testing.assert_allclose(y, 1 + wanted.reshape(shape), rtol=1e-5, atol=1e-5)


def test_normal_moments():
    y = np.array(ops.random_normal((200_000,), counter(5))).astype(np.float64)
    error = 5 / np.sqrt(y.size)
    assert abs(y.mean()) < error
    assert abs((y**2).mean() - 1) < error * np.sqrt(2)
    assert abs((y**3).mean()) < error * np.sqrt(15)
    assert abs((y**4).mean() - 3) < error * np.sqrt(96)
    assert abs((y[1:] * y[:-1]).mean()) < error


def test_a_replay_draws_other_numbers():
    c = counter(6)
    recording = backend.current_twin().Recording()
    recording.begin()
    try:
        y = ops.random_normal((100,), c)
    finally:
        recording.end()
    first = np.array(y)
    recording.replay()
    fresh = counter(6)
    np.testing.assert_array_equal(first, ops.random_normal((100,), fresh))
    np.testing.assert_array_equal(y, ops.random_normal((100,), fresh))


def test_a_tape_takes_no_notice():
    x = tensor(np.ones(4, np.float32))
    with GradientTape() as tape:
        tape.watch(x)
        y = x * ops.random_normal((4,), counter())
    np.testing.assert_array_equal(tape.gradient(y, x), y)


def test_what_does_not_fit_is_refused():
    for bad in [np.zeros(2, np.int64), tensor(np.zeros(2, np.int32)), tensor(np.zeros(3, np.int64)), None]:
        with pytest.raises(TypeError, match="counter must be an int64 tensor"):
            ops.random_uniform((2,), bad)
    with pytest.raises(TypeError, match="float32 or float64; received int32"):
        ops.random_normal((2,), counter(), dtype="int32")
