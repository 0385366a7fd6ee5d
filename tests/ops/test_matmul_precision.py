"""Products as a GPU computes them: every tile, splits of k, precisions of tensor cores. The CPU is always exact."""

from collections.abc import Iterator

import numpy as np
import pytest

from dlbd import GradientTape, config, ops

from ..arrays import tensor

EPS = float(np.finfo(np.float32).eps)
# What rounding both factors costs at most, relative to sum |a b|: a unit in the last place of either.
BOUNDS = {"float32": 4 * EPS, "tf32x3": 4 * EPS, "tf32": 2.0**-10, "bfloat16": 2.0**-7, "float16": 2.0**-10}

# Chosen so that csrc/cuda/gemm_plan.h takes each tile, at its edge; splits; runs of more than 512 steps.
TILES = [
    (132, 130, 127, 24),  # 128 x 128
    (150, 130, 129, 9),  # 128 x 64
    (300, 60, 61, 9),  # 64 x 64
    (2, 35, 36, 70),  # 32 x 32
    (300, 7, 130, 20),  # 16 x 128
    (300, 130, 7, 20),  # 128 x 16
    (1, 9, 264, 600),  # split
    (1, 2, 3, 40001),  # split, several runs each
]
# Large enough for tensor cores, of which 64 x 64 and 128 x 128 tiles are taken.
PRODUCTS = [(1, 130, 140, 150), (2, 128, 64, 136), (1, 33, 300, 260), (70, 33, 40, 40)]


@pytest.fixture(params=BOUNDS)
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = config.matmul_precision()
    config.set_matmul_precision(request.param)
    yield request.param
    config.set_matmul_precision(before)


def _products(a: np.ndarray, b: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    """A B, dY B^T and A^T dY: operands in all the ways that they are stored."""
    x, w = tensor(a), tensor(b)
    with GradientTape() as tape:
        tape.watch(x)
        tape.watch(w)
        y = ops.matmul(x, w)
    dx, dw = tape.gradient(y, [x, w], output_gradients=tensor(dy))
    return [np.array(y), np.array(dx), np.array(dw)]


def _references(a: np.ndarray, b: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    a, b, dy = (x.astype(np.float64) for x in (a, b, dy))
    return [a @ b, dy @ b.swapaxes(1, 2), a.swapaxes(1, 2) @ dy]


@pytest.mark.parametrize(("batch", "m", "n", "k"), TILES)
def test_every_tile_is_exact_on_integers(batch: int, m: int, n: int, k: int):
    rng = np.random.default_rng(0)
    shapes = (batch, m, k), (batch, k, n), (batch, m, n)
    operands = [rng.integers(-3, 4, s).astype(np.float32) for s in shapes]
    for found, wanted in zip(_products(*operands), _references(*operands), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("batch", "m", "n", "k"), PRODUCTS)
def test_the_error_stays_within_that_of_the_factors(precision: str, batch: int, m: int, n: int, k: int):
    rng = np.random.default_rng(1)
    operands = [rng.standard_normal(s, np.float32) for s in ((batch, m, k), (batch, k, n), (batch, m, n))]
    bounds = _references(*(np.abs(x) for x in operands))
    for found, wanted, bound in zip(_products(*operands), _references(*operands), bounds, strict=True):
        assert np.all(np.abs(found - wanted) <= BOUNDS[precision] * bound)


def test_integers_that_fit_are_exact_in_every_precision(precision: str):
    rng = np.random.default_rng(2)
    operands = [rng.integers(-3, 4, s).astype(np.float32) for s in ((1, 130, 140), (1, 140, 150), (1, 130, 150))]
    for found, wanted in zip(_products(*operands), _references(*operands), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_long_positive_sum_stays_accurate():
    rng = np.random.default_rng(3)
    a, b = rng.random((9, 20000), np.float32), rng.random((20000, 33), np.float32)
    wanted = a.astype(np.float64) @ b
    for precision in ("float32", "tf32x3"):
        config.set_matmul_precision(precision)
        found = np.array(ops.matmul(a, b))
        config.set_matmul_precision("float32")
        assert np.max(np.abs(found - wanted) / wanted) <= BOUNDS[precision]


def test_bias_and_activation_ride_along(precision: str):
    rng = np.random.default_rng(4)
    x, w = rng.integers(-3, 4, (130, 140)).astype(np.float32), rng.integers(-3, 4, (140, 150)).astype(np.float32)
    b = rng.integers(-9, 10, 150).astype(np.float32)
    z = x.astype(np.float64) @ w + b
    np.testing.assert_array_equal(ops.dense(x, w, b, "relu"), np.maximum(z, 0))
    np.testing.assert_allclose(ops.dense(x, w / 64, b / 64, "tanh"), np.tanh(z / 64), rtol=1.3e-6, atol=1e-6)


def test_infinity_and_nan_propagate(precision: str):
    a, b = np.ones((130, 140), np.float32), np.ones((140, 150), np.float32)
    a[3, 139], a[129, 0], b[5, 149] = np.nan, np.inf, -np.inf
    y = np.array(ops.matmul(a, b))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(y, a @ b)
