"""What a table row cannot say of dropout: statistics, streams and replays."""

import numpy as np
import pytest

from dlbd import GradientTape, backend, ops

from ..arrays import tensor
from .table_dropout import numbers, philox


def counter(seed=1, position=0):
    return ops.convert_to_tensor(np.array([seed, position], np.int64))


def test_the_reference_generator_is_philox_4x32_10():
    # known answers of the Random123 distribution, kat_vectors
    zeros, ones = np.zeros((1, 4), np.uint64), np.full((1, 4), 0xFFFFFFFF, np.uint64)
    wanted = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox(zeros, (0, 0))[0].tolist() == wanted
    wanted = [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert philox(ones, (0xFFFFFFFF, 0xFFFFFFFF))[0].tolist() == wanted


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_the_rate_is_met_and_the_mean_is_kept(rate):
    y = ops.dropout(np.ones(400_000, np.float32), rate, counter(7)).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / (1 - rate))}
    deviation = np.sqrt(rate * (1 - rate) / y.size)
    assert abs((y == 0).mean() - rate) < 5 * deviation
    # neighbours are independent
    dropped = (y == 0) - rate
    assert abs((dropped[1:] * dropped[:-1]).mean()) < 5 * rate * (1 - rate) / np.sqrt(y.size)


def test_calls_and_seeds_draw_different_masks():
    x = np.ones(640, np.float32)
    c = counter(3)
    first, second = np.array(ops.dropout(x, 0.5, c)), np.array(ops.dropout(x, 0.5, c))
    assert np.array(c).tolist() == [3, 320]
    assert (first != second).any()
    assert (first != np.array(ops.dropout(x, 0.5, counter(4)))).any()
    np.testing.assert_array_equal(first, np.array(ops.dropout(x, 0.5, counter(3))))
    np.testing.assert_array_equal(second > 0, numbers(640, 3, 160) >= 2**31)


def test_each_gradient_has_the_mask_of_its_own_call():
    x, c = ops.convert_to_tensor(np.ones(1000, np.float32)), counter(5)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        first, second = ops.dropout(x, 0.4, c), ops.dropout(x, 0.4, c)
    np.testing.assert_array_equal(np.array(tape.gradient(second, x)), np.array(second))
    np.testing.assert_array_equal(np.array(tape.gradient(first, x)), np.array(first))


def test_a_replay_draws_another_mask():
    x, c = ops.convert_to_tensor(np.ones(1000, np.float32)), counter(9)
    recording = backend.current_twin().Recording()
    recording.begin()
    try:
        y = ops.dropout(x, 0.5, c)
    finally:
        recording.end()
    before = np.array(y)
    recording.replay()
    assert (np.array(y) != before).any()
    np.testing.assert_array_equal(np.array(y) > 0, numbers(1000, 9, 256) >= 2**31)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_no_probability_is_refused(rate):
    with pytest.raises(ValueError, match=r"\[dropout\] rate must lie between 0 and 1"):
        ops.dropout(np.ones(3), rate, counter())


def test_bad_noise_shapes_and_counters_are_refused():
    x = np.ones((2, 3), np.float32)
    for noise in [(2,), (2, 2), (2, 3, 1)]:
        with pytest.raises(ValueError, match="noise_shape must be x's shape"):
            ops.dropout(x, 0.5, counter(), noise)
    for bad in [np.zeros(2, np.int64), tensor(np.zeros(2, np.int32)), tensor(np.zeros(3, np.int64)), None]:
        with pytest.raises(TypeError, match="counter must be an int64 tensor"):
            ops.dropout(x, 0.5, bad)
