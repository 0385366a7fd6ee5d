"""Arrays of several chunks: what kernels do in whole packs, in every dtype, and where packs do not fit."""

import numpy as np
import pytest

from dlbd import _cpu, backend, ops

from ..arrays import tensor

DTYPES = [np.float32, np.float64, np.int32, np.int64, np.uint8]
SIZES = [4096, 5003]  # a multiple of every chunk, and not


def numbers(dtype, n, seed=0):
    return np.random.default_rng(seed).integers(0 if dtype == np.uint8 else -90, 100, n).astype(dtype)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_operations_of_one_array(dtype, n):
    x = numbers(dtype, n)
    np.testing.assert_array_equal(ops.negative(tensor(x)), -x)
    np.testing.assert_array_equal(ops.clip(tensor(x), 3, 40), np.clip(x, 3, 40))
    np.testing.assert_array_equal(ops.isfinite(tensor(x)), np.isfinite(x))
    for target in (*DTYPES, np.bool_):
        wanted = x.astype(np.int64).clip(0).astype(target) if target == np.uint8 and x.dtype.kind == "f" else x
        np.testing.assert_array_equal(ops.cast(tensor(x), np.dtype(target).name), wanted.astype(target))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_operations_of_several_arrays(dtype, n):
    x, y = numbers(dtype, n), numbers(dtype, n, 1)
    y[y == 0] = 7
    a, b = tensor(x), tensor(y)
    np.testing.assert_array_equal(a * b, x * y)
    np.testing.assert_array_equal(a // b, x // y)
    np.testing.assert_array_equal(a <= b, x <= y)
    np.testing.assert_array_equal(ops.where(a <= b, a, b), np.where(x <= y, x, y))
    np.testing.assert_array_equal(ops.maximum(a, tensor(y[:1])), np.maximum(x, y[:1]))


@pytest.mark.parametrize(
    "shapes", [((40, 128), (128,)), ((40, 128), (40, 1)), ((40, 127), (127,)), ((2, 20011), (2, 1))]
)
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_broadcasting_to_many_elements(dtype, shapes):
    x, y = (numbers(dtype, shape) for shape in shapes)
    np.testing.assert_array_equal(tensor(x) + tensor(y), x + y)
    np.testing.assert_array_equal(tensor(y) > tensor(x), y > x)
    np.testing.assert_array_equal(ops.where(tensor(y > 9), tensor(x), tensor(y)), np.where(y > 9, x, y))


@pytest.mark.parametrize("kind", ["linear", "relu"])
@pytest.mark.parametrize("columns", [1, 3, 20, 128, 257])
@pytest.mark.parametrize("rows", [0, 5, 130, 9000])
def test_the_way_back_through_bias_and_activation(rows, columns, kind):
    rng = np.random.default_rng(0)
    dy, y = rng.integers(-9, 9, (2, min(rows, 200_000 // columns), columns)).astype(np.float32)
    slope = np.ones_like(y) if kind == "linear" else (y > 0).astype(np.float32)
    for accumulate in (False, True):
        given, saved = tensor(dy).array, tensor(y).array
        dz, db = backend.empty(dy.shape, dy.dtype, given), tensor(np.ones(columns, np.float32))
        act = _cpu.Activation(kind)
        backend.twin(given).epilogue_backward(given, None if kind == "linear" else saved, act, dz, db.array, accumulate)
        np.testing.assert_array_equal(tensor(dz), dy * slope)
        np.testing.assert_array_equal(db, (dy * slope).sum(0) + (1 if accumulate else 0))
