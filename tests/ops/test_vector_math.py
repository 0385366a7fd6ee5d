"""The float32 functions against float64 over the whole range of floats: at most 2 units in the last place."""

import math

import numpy as np
import pytest

from dlbd import backend, ops

from ..arrays import tensor

erf = np.vectorize(math.erf, otypes=[np.float64])


def floats(low, high, count=400_000):
    """Floats from low to high, evenly spread over their bit patterns, both signs, so every magnitude is met."""
    patterns = np.arange(0, 0x7F800000, 0x7F800000 // count, dtype=np.int64).astype(np.int32).view(np.float32)
    dense = np.linspace(max(low, -120), min(high, 120), count).astype(np.float32)
    x = np.concatenate([patterns, -patterns, dense])
    return x[(x >= low) & (x <= high)]


def units_in_the_last_place(found, wanted):
    """The error of float32 ``found`` in units of the last place of float64 ``wanted``, the subnormal unit at least."""
    unit = np.maximum(np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64), 2.0**-149)
    return np.max(np.abs(found.astype(np.float64) - wanted) / unit)


BIG = 3.4e38
TINY = 1.2e-38


@pytest.mark.parametrize(
    ("op", "reference", "low", "high", "most"),
    [
        (ops.exp, np.exp, -104, 88.7, 2),
        (ops.expm1, np.expm1, -104, 88.7, 2),
        (ops.log, np.log, 1e-45, BIG, 2),
        (ops.log1p, np.log1p, -0.9999999, BIG, 2),
        (ops.tanh, np.tanh, -BIG, BIG, 2),
        (ops.sigmoid, lambda x: 1 / (1 + np.exp(-x)), -87, BIG, 3),  # an addition and a division after exp
        (ops.softplus, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), -87, BIG, 3),
        (ops.erf, erf, -BIG, BIG, 2),
        (ops.sqrt, np.sqrt, 0, BIG, 0.5),
        (ops.arcsin, np.arcsin, -1, 1, 2),
        (ops.arccos, np.arccos, -1, 1, 2),
        (ops.arctan, np.arctan, -BIG, BIG, 2),
        (ops.arcsinh, np.arcsinh, -BIG, BIG, 3),  # from here on the bounds are CUDA's own
        (ops.arccosh, np.arccosh, 1, BIG, 4),
        (ops.arctanh, np.arctanh, -0.99999994, 0.99999994, 3),
        (ops.cbrt, np.cbrt, -BIG, BIG, 1),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_ulp(op, reference, low, high, most):
    if op is ops.tanh and "emulation" in getattr(backend.current_twin(), "build", ""):
        pytest.skip("the emulation's tanh is the C library's, 2.01 units off")
    x = floats(low, high)
    found = op(tensor(x)).numpy()
    with np.errstate(all="ignore"):
        wanted = reference(x.astype(np.float64))
    assert units_in_the_last_place(found, wanted) <= most


def test_the_inverse_of_erf():
    """Through erf of the result, one unit of which moves erf by its slope."""
    single = floats(-0.9999999, 0.9999999)
    x, y = single.astype(np.float64), np.array(ops.erfinv(tensor(single)), np.float64)
    slope = 2 / np.sqrt(np.pi) * np.exp(-y * y)
    complement = np.vectorize(math.erfc, otypes=[np.float64])
    off = np.where(np.abs(x) < 0.5, erf(y) - x, (1 - np.abs(x)) - complement(np.abs(y)))
    units = np.abs(off / slope) / np.maximum(np.spacing(np.abs(y).astype(np.float32)), 2.0**-149)
    assert units.max() <= 3


def test_inverse_functions_at_the_edges():
    inf, nan = np.inf, np.nan
    x = tensor(np.array([0.0, -0.0, 1.0, -1.0, 2.0, inf, -inf, nan], np.float32))
    for op, reference in [
        (ops.arcsin, np.arcsin),
        (ops.arccos, np.arccos),
        (ops.arctan, np.arctan),
        (ops.arcsinh, np.arcsinh),
        (ops.arccosh, np.arccosh),
        (ops.arctanh, np.arctanh),
        (ops.cbrt, np.cbrt),
    ]:
        found = op(x).numpy()
        with np.errstate(all="ignore"):
            wanted = reference(x.numpy().astype(np.float64))
        np.testing.assert_allclose(found, wanted, rtol=3e-7)
        zeros = wanted == 0
        np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(wanted[zeros]))
    for dtype in (np.float32, np.float64):
        found = ops.erfinv(ops.cast(x, dtype)).numpy()
        np.testing.assert_array_equal(found, [0, -0.0, inf, -inf, nan, nan, nan, nan])


@pytest.mark.parametrize(("op", "reference"), [(ops.sin, np.sin), (ops.cos, np.cos)])
def test_sine_and_cosine_are_right_to_one_part_in_ten_million(op, reference):
    for limit in (10.0, 8000.0, 1e6):  # past 8192 another reduction takes over
        x = floats(-limit, limit)
        assert np.max(np.abs(op(tensor(x)).numpy() - reference(x.astype(np.float64)))) <= 1.2e-7
