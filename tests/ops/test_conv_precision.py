"""Convolutions as a GPU computes them in each precision of its tensor cores. The CPU is always exact."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import dlbd
from dlbd import GradientTape, config, ops

from ..arrays import tensor

EPS = float(np.finfo(np.float32).eps)
# What rounding both factors costs at most, relative to sum |a b|, and the rounding of long float32 sums.
BOUNDS = {"float32": 8 * EPS, "tf32x3": 8 * EPS, "tf32": 2.0**-10, "bfloat16": 2.0**-7, "float16": 2.0**-10}

# x, kernel, arguments, transposed: tiles of 64 and of 128, their edges, phases of a stride, groups, one axis, 1 x 1.
CASES = [
    pytest.param((3, 12, 13, 16), (3, 3, 16, 136), {"padding": "same"}, False, marks=pytest.mark.large),
    ((2, 11, 10, 12), (3, 2, 12, 40), {"padding": "same", "strides": 2}, False),
    ((2, 9, 9, 24), (3, 3, 12, 32), {"groups": 2, "dilation_rate": 2}, False),
    ((1, 40, 72), (1, 72, 68), {}, False),
    ((2, 6, 7, 12), (3, 3, 36, 12), {"strides": 2, "padding": "same"}, True),
    ((2, 9, 8, 6), (3, 3, 6, 10), {}, False),  # channels that are no quads: exact in every precision
]


@pytest.fixture(params=BOUNDS)
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = config.matmul_precision()
    config.set_matmul_precision(request.param)
    yield request.param
    config.set_matmul_precision(before)


def results(x: np.ndarray, w: np.ndarray, dy: np.ndarray | None, options: dict, transposed: bool) -> list[np.ndarray]:
    """y, dx and dw."""
    source, kernel = tensor(x), tensor(w)
    with GradientTape() as tape:
        tape.watch(source)
        tape.watch(kernel)
        y = (ops.conv_transpose if transposed else ops.conv)(source, kernel, **options)
    weight = np.ones(y.shape, y.dtype) if dy is None else dy
    found = [y, *tape.gradient(y, [source, kernel], output_gradients=weight)]
    return [np.array(f) for f in found]


def test_infinity_and_nan_propagate(precision):
    x, w, dy = (np.ones(s, np.float32) for s in ((2, 9, 8, 12), (3, 3, 12, 16), (2, 7, 6, 16)))
    x[0, 4, 4, 3], x[1, 0, 0, 0], dy[1, 5, 5, 2] = np.inf, np.nan, -np.inf
    with dlbd.device("cpu"):
        wanted = results(x, w, dy, {}, False)
    for f, reference in zip(results(x, w, dy, {}, False), wanted, strict=True):
        np.testing.assert_array_equal(f, reference)
    x[...], w[1, 1, 5, 9] = 2, -np.inf
    wanted = np.full(dy.shape, 216.0) - np.where(np.arange(16) == 9, np.inf, 0)
    np.testing.assert_array_equal(ops.conv(x, w), wanted)


@pytest.mark.parametrize(("x_shape", "w_shape", "options", "transposed"), CASES)
def test_convolution_and_gradients(precision, x_shape, w_shape, options, transposed):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (x_shape, w_shape))
    with dlbd.device("cpu"):
        dy = rng.standard_normal(results(x, w, None, options, transposed)[0].shape).astype(np.float32)
        wide = [a.astype(np.float64) for a in (x, w, dy)]
        wanted = results(*wide, options, transposed)
        sizes = results(*(np.abs(a) for a in wide), options, transposed)
    found = results(x, w, dy, options, transposed)
    for f, reference, size in zip(found, wanted, sizes, strict=True):
        assert np.all(np.abs(f - reference) <= BOUNDS[precision] * size)
