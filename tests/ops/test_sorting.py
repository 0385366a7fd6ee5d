"""What the rows of table_sorting.py do not say: NaN, zeros, infinities, every dtype, and what does not fit."""

import numpy as np
import pytest

from dlbd import ops

from ..arrays import tensor

SPECIAL = np.array([0.0, np.nan, -0.0, np.inf, 1e-45, -np.inf, -1e-45, np.nan, 0.0, -3.4e38, 3.4e38])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("repeats", [1, 10, 60, 300])
def test_order_of_special_values(dtype, repeats):
    """As NumPy's: NaN last, zeros of both signs equal; so the largest are NaN."""
    x = np.tile(SPECIAL.astype(dtype), repeats)
    np.testing.assert_array_equal(ops.argsort(tensor(x)), np.argsort(x, kind="stable"))
    np.testing.assert_array_equal(ops.sort(tensor(x)), np.sort(x))
    values, order = ops.top_k(tensor(x), 3)
    first_nan = np.flatnonzero(np.isnan(x))[:3]
    wanted = first_nan if len(first_nan) == 3 else [*first_nan, int(np.argmax(np.nan_to_num(x, posinf=np.inf, nan=-1)))]
    np.testing.assert_array_equal(order, wanted)
    np.testing.assert_array_equal(values, x[np.array(order)])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("n", [9, 100, 5000])
def test_integers(dtype, n):
    rng = np.random.default_rng(0)
    limits = (0, 2) if dtype == np.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    x = rng.integers(*limits, n, dtype=np.int64, endpoint=dtype != np.bool_).astype(dtype)
    y = ops.sort(tensor(x))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.sort(x))
    np.testing.assert_array_equal(ops.argsort(tensor(x)), np.argsort(x, kind="stable"))
    largest = np.argsort(-x.astype(np.float64), kind="stable") if dtype != np.int64 else np.argsort(~x, kind="stable")
    np.testing.assert_array_equal(ops.top_k(tensor(x), 5)[1], largest[:5])


def test_a_long_row():
    """On a GPU more than a warp of tiles."""
    x = np.random.default_rng(0).integers(0, 256, 70_000).astype(np.uint8)
    np.testing.assert_array_equal(ops.argsort(tensor(x)), np.argsort(x, kind="stable"))


def test_places_of_special_values():
    x = SPECIAL.astype(np.float32)
    s = np.sort(x)
    for side in ("left", "right"):
        np.testing.assert_array_equal(ops.searchsorted(s, x, side), np.searchsorted(s, x, side))
    assert ops.searchsorted(np.arange(3), 1.5).shape == ()
    np.testing.assert_array_equal(ops.searchsorted(np.arange(3), [1.5, 2.0]), [2, 2])
    np.testing.assert_array_equal(ops.digitize([0.5, 3.0, -1.0], [0.0, 1.0, 3.0]), [1, 3, 0])


def test_partitions():
    x = np.array([[5, 1, 4], [9, 8, 7]])
    order = ops.argpartition(x, 1)
    y = np.take_along_axis(x, np.array(order), 1)
    assert (y[:, :1] <= y[:, 1:2]).all()
    assert (y[:, 1:2] <= y[:, 2:]).all()


def test_in_top_k():
    scores = np.array([[0.1, 0.5, 0.5, 0.2], [np.nan, 1, 2, 3], [np.inf, 1, 2, 3]], np.float32)
    for k, wanted in [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 0, 0])]:
        np.testing.assert_array_equal(ops.in_top_k([1, 0, 0], scores, k), np.array(wanted, bool))
    np.testing.assert_array_equal(ops.in_top_k([3, 3, 2], scores, 3), [True, True, True])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.sort(np.ones((2, 3)), 2), r"\[sort\] axis 2 does not exist"),
        (lambda: ops.argsort(1.0), r"\[argsort\] axis -1 does not exist"),
        (lambda: ops.top_k([1.0, 2.0], 3), r"\[top_k\] k=3 values along the last axis of \(2,\)"),
        (lambda: ops.argpartition([1.0, 2.0], 2), "kth 2 does not lie within"),
        (lambda: ops.searchsorted([[1.0]], 1.0), "has one dimension"),
        (lambda: ops.searchsorted([1.0], 1.0, "middle"), 'side must be "left" or "right"'),
        (lambda: ops.in_top_k([1], np.ones((2, 3)), 1), "expected"),
        (lambda: ops.cumsum([1.0], 1), r"\[cumsum\] axis 1 does not exist"),
    ],
)
def test_what_does_not_fit(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()


def test_dtypes_of_running_sums():
    assert ops.cumsum([True, True]).dtype == np.int32
    assert ops.cumprod(tensor(np.array([200, 2], np.uint8))).numpy().tolist() == [200, 400]
    np.testing.assert_array_equal(ops.cumsum(tensor(np.array([2**31 - 1, 1], np.int32))), [2**31 - 1, -(2**31)])
    np.testing.assert_array_equal(ops.cumprod(tensor(np.array([2**62, 3], np.int64))), [2**62, -(2**62)])
    assert ops.cumsum([1, 2], dtype="float32").dtype == np.float32
    with pytest.raises(TypeError, match="received uint8"):
        ops.cumsum([1], dtype="uint8")
