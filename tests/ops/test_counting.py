"""Counts, membership, flat positions, windows, against NumPy."""

import numpy as np
import pytest

from dlbd import ops

from ..arrays import tensor

rng = np.random.default_rng(0)


def test_counts():
    x = rng.integers(0, 9, 500)
    weights = rng.uniform(size=500)
    np.testing.assert_array_equal(ops.bincount(x), np.bincount(x))
    np.testing.assert_array_equal(ops.bincount(x, minlength=20), np.bincount(x, minlength=20))
    np.testing.assert_allclose(ops.bincount(x, weights), np.bincount(x, weights), rtol=1e-5)
    np.testing.assert_array_equal(ops.bincount(x.reshape(2, 250))[1], np.bincount(x[250:], minlength=9))
    np.testing.assert_array_equal(ops.bincount([2, -1]), [0, 0, 1])
    assert ops.bincount(np.zeros(0, np.int32)).shape == (0,)


@pytest.mark.parametrize(("bins", "limits"), [(10, None), (7, (-1.0, 1.5)), (1, None), (5, (2.0, 2.0))])
def test_histograms(bins, limits):
    x = (rng.standard_normal((30, 20)) * 64).round() / 64  # values that edges may meet
    x[0, :2] = -1, 1.5
    counts, edges = ops.histogram(tensor(x.astype(np.float32)), bins, limits)
    wanted, wanted_edges = np.histogram(x, bins, limits)
    np.testing.assert_allclose(edges, wanted_edges, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(counts, wanted)


def test_histograms_of_nothing_and_of_nan():
    counts, edges = ops.histogram(np.zeros(0), 2)
    np.testing.assert_array_equal(counts, [0, 0])
    np.testing.assert_array_equal(edges, [0, 0.5, 1])
    np.testing.assert_array_equal(ops.histogram([0.5, np.nan, 9.0], 2, (0, 1))[0], [0, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_membership(dtype):
    x, known = rng.integers(0, 50, (20, 5)).astype(dtype), rng.integers(0, 50, 12).astype(dtype)
    np.testing.assert_array_equal(ops.isin(x, known), np.isin(x, known))
    np.testing.assert_array_equal(ops.isin(x, known, invert=True), np.isin(x, known, invert=True))
    np.testing.assert_array_equal(ops.isin(x, known[:0]), np.zeros(x.shape, bool))
    np.testing.assert_array_equal(ops.isin([np.nan, 1.0], [np.nan, 1.0]), [False, True])


def test_flat_positions():
    flat = rng.integers(0, 60, (4, 3))
    for found, wanted in zip(ops.unravel_index(flat, (3, 4, 5)), np.unravel_index(flat, (3, 4, 5)), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_windows_and_ranges():
    for name in ("bartlett", "blackman", "hamming", "hanning"):
        np.testing.assert_allclose(getattr(ops, name)(9), getattr(np, name)(9), atol=1e-7)
    np.testing.assert_allclose(ops.kaiser(9, 3.0), np.kaiser(9, 3.0), rtol=1e-6)
    np.testing.assert_allclose(
        ops.logspace(-1, 2, 7, base=2, endpoint=False), np.logspace(-1, 2, 7, False, 2), rtol=1e-6
    )
    np.testing.assert_allclose(ops.geomspace(1, 1000, 4), [1, 10, 100, 1000], rtol=1e-6)


def test_correlations():
    x = rng.standard_normal((4, 30))
    np.testing.assert_allclose(ops.corrcoef(x), np.corrcoef(x), atol=1e-6)
    assert float(ops.corrcoef(x[0])) == pytest.approx(1)
    np.testing.assert_allclose(ops.vander([1.0, 2.0, 3.0], 4, True), np.vander([1, 2, 3], 4, True))


def test_new_arrays():
    assert ops.empty((2, 3), "int32").dtype == np.int32
    assert ops.empty_like(np.zeros((2, 3))).shape == (2, 3)
    assert ops.array is ops.convert_to_tensor
    x = tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    y = ops.copy(x)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(y.numpy(), x.numpy())
    assert ops.dtype(x) == "float32"
    assert ops.is_tensor(x)
    assert not ops.is_tensor([1.0])
    np.testing.assert_array_equal(ops.get_item(x, (0, slice(1, None))), [1, 2])


def test_namespaces_hold_the_same_functions():
    from dlbd.keras.ops import nn

    from dlbd.ops import linalg, math, numpy

    assert nn.relu is ops.relu
    assert numpy.sum is ops.sum
    assert linalg.norm is ops.norm
    assert math.segment_sum is ops.segment_sum
