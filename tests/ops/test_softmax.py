"""What the table cannot say of softmax: infinities, NaN, what it remembers, and bad input."""

import numpy as np
import pytest

from dlbd import backend, ops

from ..arrays import tensor
from .table_softmax import log_softmax_reference, softmax_reference


@pytest.mark.parametrize("path", ["rows", "columns"])
@pytest.mark.parametrize("n", [3, 16, 17, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_and_nan_are_those_of_the_formula(path, n, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, n)).astype(dtype)
    x[0, 1] = np.nan
    x[1, n - 1] = np.inf
    x[2, 0] = -np.inf
    x[3] = -np.inf
    x[4, [0, n - 1]] = np.nan, np.inf
    with backend.forced_path("softmax", path), np.errstate(all="ignore"):
        given = tensor(x)
        np.testing.assert_allclose(ops.softmax(given).numpy(), softmax_reference(x), rtol=3e-6)
        np.testing.assert_allclose(ops.log_softmax(given).numpy(), log_softmax_reference(x), rtol=3e-6, atol=1e-6)


def test_the_logits_are_remembered_for_the_last_axis_only():
    x = tensor(np.zeros((2, 3), np.float32))
    assert ops.softmax(x).logits is x
    assert ops.softmax(x, axis=1).logits is x
    assert ops.softmax(x, axis=0).logits is None


def test_integers_are_taken_as_float32():
    y = ops.softmax(np.array([[0, 0]])).numpy()
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[0.5, 0.5]])


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there(axis):
    with pytest.raises(ValueError, match=rf"\[softmax\] axis {axis} does not exist in x of shape \(2, 3\)"):
        ops.softmax(np.zeros((2, 3)), axis=axis)


def test_a_scalar_has_no_axis():
    with pytest.raises(ValueError, match=r"\[log_softmax\] axis -1 does not exist"):
        ops.log_softmax(1.0)


@pytest.mark.parametrize("log", [False, True])
def test_a_long_axis_that_is_not_the_last_stays_accurate(log):
    x = np.random.default_rng(0).standard_normal((400_000, 3), np.float32)
    wanted = (log_softmax_reference if log else softmax_reference)(x.astype(np.float64), axis=0)
    y = (ops.log_softmax if log else ops.softmax)(x, axis=0)
    np.testing.assert_allclose(y, wanted, rtol=1.3e-6)
