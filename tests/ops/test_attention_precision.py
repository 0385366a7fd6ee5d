"""Attention on tensor cores: every kernel of every precision, at the edges of its tiles. The CPU is always exact."""

from collections.abc import Iterator

import numpy as np
import pytest

from dlbd import GradientTape, config, ops

# What rounding the factors costs at most, relative to the largest number of a result (of normal inputs).
BOUNDS = {"tf32": 2e-3, "bfloat16": 2e-2, "float16": 2e-3}

# B, Tq, Tk, H, D, Dv: tiles of 64 queries and 32 keys, padded from all sides, and of 128 numbers a row.
SIZES = [(1, 70, 75, 2, 5, 7), (1, 40, 75, 1, 128, 80)]
# The least heads for tiles of 128 queries.
MANY = [(96, 65, 65, 1, 4, 4), (96, 65, 33, 1, 72, 72)]


@pytest.fixture(params=BOUNDS)
def precision(request: pytest.FixtureRequest) -> Iterator[str]:
    before = config.matmul_precision()
    config.set_matmul_precision(request.param)
    yield request.param
    config.set_matmul_precision(before)


def _attend(inputs: list[np.ndarray], dy: np.ndarray, **options) -> list[np.ndarray]:
    """The result and the gradients of query, key, value and, if it is given, the bias."""
    tensors = [ops.convert_to_tensor(x) for x in inputs]
    with GradientTape() as tape:
        for t in tensors:
            tape.watch(t)
        y = ops.dot_product_attention(*tensors, **options)
    return [np.array(x) for x in (y, *tape.gradient(y, tensors, output_gradients=dy))]


def _check(precision: str, device: str, sizes: tuple[int, ...], bias: tuple[int, ...] | None = None, **options):
    b, tq, tk, h, d, dv = sizes
    rng = np.random.default_rng(0)
    shapes = [(b, tq, h, d), (b, tk, h, d), (b, tk, h, dv), *([bias] if bias else [])]
    inputs = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    dy = rng.standard_normal((b, tq, h, dv)).astype(np.float32)
    found = _attend(inputs, dy, **options)
    config.set_matmul_precision("float32")
    wanted = _attend(inputs, dy, **options)
    for a, e in zip(found, wanted, strict=True):
        bound = BOUNDS[precision] * np.abs(e).max() if device != "cpu" else 0.0
        np.testing.assert_allclose(a, e, rtol=0, atol=bound)
        # tensor cores were used; tf32 of 128 numbers a row is more than the shared memory of some chips holds
        assert device == "cpu" or (precision == "tf32" and d > 64) or (a != e).any()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_rounding_is_within_its_bound(precision: str, device: str, sizes: tuple[int, ...], causal: bool):
    _check(precision, device, sizes, is_causal=causal)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_with_a_mask_and_a_bias(precision: str, device: str, sizes: tuple[int, ...], causal: bool):
    b, tq, tk, h, _, _ = sizes
    mask = np.random.default_rng(1).random((b, 1, tq, tk)) < 0.6
    mask[0, 0, 3:6] = False  # rows that see nothing
    _check(precision, device, sizes, bias=(h, tq, tk) if causal else (1, tk), mask=mask, is_causal=causal)


@pytest.mark.large
@pytest.mark.parametrize("sizes", MANY)
def test_large_tiles(precision: str, device: str, sizes: tuple[int, ...]):
    b, tq, tk, h, d, _ = sizes
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((b, t, h, d)).astype(np.float32) for t in (tq, tk, tk))
    mask = rng.random((tq, tk)) < 0.6
    found = np.array(ops.dot_product_attention(q, k, v, mask=mask, is_causal=True))
    config.set_matmul_precision("float32")
    wanted = np.array(ops.dot_product_attention(q, k, v, mask=mask, is_causal=True))
    assert device == "cpu" or (precision == "tf32" and d > 64) or (found != wanted).any()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=BOUNDS[precision] * np.abs(wanted).max())


def test_the_same_bits_every_time(precision: str):
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((2, 70, 3, 16)).astype(np.float32) for _ in range(3)]
    first, second = (_attend(inputs, inputs[0], is_causal=True) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nan_and_infinity_reach_the_queries_that_see_them(precision: str):
    rng = np.random.default_rng(0)
    q, k, v = (np.abs(rng.standard_normal((1, 40, 1, 8))).astype(np.float32) for _ in range(3))
    k[0, 30, 0, 2] = np.inf
    q[0, 5, 0, 3] = np.nan
    y = np.array(ops.dot_product_attention(q, k, v, is_causal=True))
    blown = np.isnan(y).all(-1)[0, :, 0]
    np.testing.assert_array_equal(blown, (np.arange(40) >= 30) | (np.arange(40) == 5))
