"""What the rows of composed functions do not say: infinities, NaN, zeros, integers, and what does not fit."""

import numpy as np
import pytest

from dlbd import GradientTape, Variable, ops

from ..arrays import tensor

INF, NAN = np.inf, np.nan
EDGES = np.array([0.0, -0.0, 1.5, -1.5, INF, -INF, NAN, 3e38, 1e-40], np.float32)


@pytest.mark.parametrize("name", ["fmod", "fmax", "fmin", "hypot", "heaviside", "logaddexp2"])
def test_two_operands_at_the_edges(name):
    a, b = (tensor(m.ravel()) for m in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(a.numpy(), b.numpy())
    if name == "logaddexp2":  # infinities less infinities
        wanted[np.isinf(a.numpy()) & (a.numpy() == b.numpy())] = NAN
    np.testing.assert_allclose(getattr(ops, name)(a, b), wanted, rtol=1e-6)


@pytest.mark.parametrize("name", ["trunc", "fabs", "exp2", "deg2rad", "rad2deg", "signbit", "isposinf", "isneginf"])
def test_one_operand_at_the_edges(name):
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(EDGES)
    np.testing.assert_allclose(getattr(ops, name)(tensor(EDGES)), wanted, rtol=1e-6)
    found = getattr(ops, name)(tensor(EDGES)).numpy()
    if found.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(found[:6]), np.signbit(wanted[:6]))


def test_far_powers_of_two():
    np.testing.assert_array_equal(
        ops.ldexp([1e-30, 1e30], [140, -140]), np.ldexp(np.float32([1e-30, 1e30]), [140, -140])
    )


def test_integers_stay_integers():
    for y in (ops.trunc([-3, 3]), ops.fmod([-7, 7], [3, -3]), ops.cross([1, 0, 0], [0, 1, 0]), ops.kron([1], [2])):
        assert y.dtype == np.int64
    np.testing.assert_array_equal(ops.fmod([-7, 7], [3, -3]), [-1, 1])
    np.testing.assert_array_equal(ops.diff([True, True, False]), [False, True])
    np.testing.assert_array_equal(ops.saturate_cast([-1, 2**40], "int32"), [-1, 2**31 - 1])
    np.testing.assert_array_equal(ops.saturate_cast([-1.5, 1e20], "uint8"), [0, 255])


def test_gradients_where_there_is_a_corner():
    x = Variable([0.0, 3.0])
    with GradientTape() as tape:
        y = ops.hypot(x, [0.0, 4.0])
    np.testing.assert_allclose(tape.gradient(y, x), [0, 0.6], rtol=1e-6)


def test_nan_among_the_values():
    x = np.array([[1.0, NAN, 3.0], [NAN] * 3, [5.0, 4.0, 6.0]], np.float32)
    np.testing.assert_array_equal(ops.median(x, 1), [NAN, NAN, 5])
    np.testing.assert_array_equal(ops.nanmedian(x, 1), [2, NAN, 5])
    np.testing.assert_array_equal(ops.nanmean(x, 1), [2, NAN, 5])
    np.testing.assert_array_equal(ops.nanmax(x, 1), [3, NAN, 6])
    np.testing.assert_array_equal(ops.nansum(x, 1), [4, 0, 15])
    np.testing.assert_array_equal(ops.nanargmin(x, 1), [0, -1, 1])
    assert int(ops.nanmax([3, 7])) == 7
    with GradientTape() as tape:
        v = Variable(x)
        y = ops.nanmean(v, axis=1)
    np.testing.assert_allclose(tape.gradient(y, v)[::2], [[0.5, 0, 0.5], [1 / 3] * 3], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.quantile([1.0], 1.5), "q must lie between 0 and 1; received 1.5"),
        (lambda: ops.percentile([1.0], -1), "q must lie between 0 and 100"),
        (lambda: ops.quantile([1.0], 0.5, method="cubic"), "method must be one of linear"),
        (lambda: ops.median(np.ones((0, 2)), 0), "no elements to choose from"),
        (lambda: ops.segment_sum([1.0, 2.0], [0]), r"received \(2,\) and \(1,\)"),
        (lambda: ops.segment_sum([1.0, 2.0], [0, 5], 3).numpy(), "5"),
        (lambda: ops.segment_max([1.0, 2.0], [0, 5], 3).numpy(), "5"),
        (lambda: ops.scatter([[3, 0]], [1.0], (3, 2)).numpy(), "0 <= value < 6"),
        (lambda: ops.scatter([[0, 2]], [1.0], (3, 2)).numpy(), "0 <= value < 6"),
        (lambda: ops.scatter([[0, 0]], [1.0, 2.0], (3, 2)), r"do not fit \(3, 2\)"),
        (
            lambda: ops.scatter_update([1.0], [[0]], [2.0], "xor"),
            "reduction must be None, .*received 'xor'",
        ),
        (lambda: ops.scatter_update([1.0], [[1]], [2.0]).numpy(), "1"),
        (lambda: ops.slice_update([1.0], (1,), [2.0]), r"\(1,\) at \[1\] does not lie inside of \(1,\)"),
        (lambda: ops.slice_update([1.0], (0, 0), [2.0]), "one start per axis"),
        (lambda: ops.cross([1.0], [1.0]), "vectors have 2 or 3 elements"),
        (lambda: ops.rot90(np.ones((2, 2)), axes=(0, 0)), "two different axes"),
        (lambda: ops.diff([1.0], -1), "n must not be negative"),
        (lambda: ops.vander([[1.0]]), "expected a vector"),
        (lambda: ops.array_split([1.0], 0), "at least one part"),
        (lambda: ops.extract_sequences([1.0], 2, 1), "do not fit"),
        (lambda: ops.depth_to_space(np.ones((1, 2, 2, 3)), 2), "3 channels do not divide"),
        (lambda: ops.space_to_depth(np.ones((1, 3, 2, 3)), 2), "3 x 2 does not divide"),
        (lambda: ops.space_to_depth(np.ones((3, 2, 3)), 2), "expected images"),
        (lambda: ops.histogram([1.0], 0), "at least one bin"),
        (lambda: ops.bincount([1], sparse=True), "sparse=False"),
        (lambda: ops.binary_crossentropy([1.0], [[0.5]]), "must have the same shape"),
        (lambda: ops.map(lambda x: x, [np.ones(2), np.ones(3)]), "expected one first size"),
        (lambda: ops.scan(lambda c, x: (c, x), 0.0), "neither xs nor length"),
        (lambda: ops.associative_scan(lambda a, b: a, [np.ones(2), np.ones(3)]), "one size along axis 0"),
    ],
)
def test_what_does_not_fit(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_integer():
    for call in (
        lambda: ops.segment_sum([1.0], [0.0]),
        lambda: ops.scatter([[0.0]], [1.0], (2,)),
        lambda: ops.bincount([0.5]),
    ):
        with pytest.raises(TypeError, match="integers"):
            call()
