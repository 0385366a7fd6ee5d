"""What the rows of table_numeric.py do not say: zeros, infinities, integers, and what does not fit."""

import numpy as np
import pytest

import dlbd
from dlbd import ops


def test_zeros_and_infinities():
    np.testing.assert_array_equal(ops.divide_no_nan([1.0, 0.0, 4.0], [0.0, 0.0, 2.0]), [0, 0, 2])
    x = np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)
    np.testing.assert_array_equal(ops.nan_to_num(x), np.nan_to_num(x))
    np.testing.assert_array_equal(ops.isclose(x, x), [False, True, True, True])
    np.testing.assert_array_equal(ops.isclose(x, x, equal_nan=True), [True, True, True, True])
    np.testing.assert_array_equal(ops.isclose([1e-9, 1.0], [0.0, np.inf]), [True, False])
    np.testing.assert_array_equal(
        ops.logaddexp([1000.0, -1000.0], [1000.0, -1000.0]).numpy() - 1000,
        [np.float32(1000 + np.log(2)) - 1000, np.float32(-1000 + np.log(2)) - 1000],
    )
    with dlbd.GradientTape() as tape:
        w = dlbd.Variable([0.0, 2.0])
        y = ops.sum(ops.divide_no_nan(1.0, w))
    np.testing.assert_allclose(tape.gradient(y, w), [0, -0.25])


def test_integers_stay_integers():
    assert ops.tril([[1, 2], [3, 4]]).dtype == np.int64
    assert ops.outer([1], [2]).dtype == np.int64
    assert int(ops.count_nonzero([[0, 1], [2, 3]])) == 3
    np.testing.assert_array_equal(ops.count_nonzero([[0, 1], [2, 3]], axis=0), [1, 2])


def test_no_gradient_goes_back():
    x = dlbd.Variable([2.0])
    with dlbd.GradientTape() as tape:
        y = ops.stop_gradient(x * x) * x
    np.testing.assert_array_equal(tape.gradient(y, x), [4.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.einsum("ij,jk->ik", np.ones((2, 3))), "is for 2 operands; received 1"),
        (lambda: ops.einsum("ii->i", np.ones((2, 2))), "a letter stands twice in 'ii'"),
        (lambda: ops.einsum("ij->k", np.ones((2, 2))), "one that no operand has"),
        (lambda: ops.einsum("ij,jk->ik", np.ones((2, 3)), np.ones((4, 2))), "axis 'j' .* has sizes 3 and 4"),
        (lambda: ops.einsum("i;j", np.ones(2)), "is not made of letters"),
        (lambda: ops.einsum("ijk", np.ones((2, 2))), r"does not fit an operand of shape \(2, 2\)"),
        (lambda: ops.tensordot(np.ones((2, 3)), np.ones((4, 2)), 1), "do not have the same sizes"),
        (lambda: ops.tensordot(np.ones(2), np.ones(2), ([3], [0])), "axis 3 does not exist"),
        (lambda: ops.tril(np.ones(3)), "expected matrices"),
        (lambda: ops.diag(np.ones((1, 2, 3))), "a vector or a matrix"),
        (lambda: ops.meshgrid([1], indexing="ab"), 'must be "xy" or "ij"'),
        (lambda: ops.norm(np.ones((2, 2)), 2), "along several axes is not there"),
        (lambda: ops.average(np.ones((2, 2)), weights=np.ones(2)), "do not fit"),
        (lambda: ops.select([], []), "0 conditions for 0 choices"),
    ],
)
def test_what_does_not_fit(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()
