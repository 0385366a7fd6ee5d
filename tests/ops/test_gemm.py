"""The gemm kernel called directly: every path with every transposition, broadcast, accumulate, bias and errors."""

import itertools
import re

import numpy as np
import pytest

from dlbd import GradientTape, _cpu, backend, ops
from dlbd.backend import DTYPE, FLOAT32, FLOAT64

from ..arrays import tensor
from .table_matmul import COLUMN, PACKED, SKINNY, SMALL

LINEAR, RELU = _cpu.Activation("linear"), _cpu.Activation("relu")


def _shape(batch, m, n, k, trans_a=False, trans_b=False, one_a=False, one_b=False, dtype=FLOAT32, path="auto"):
    return _cpu.GemmShape(batch, m, n, k, trans_a, trans_b, one_a, one_b, DTYPE[dtype], path)


def _stored(x, transposed):
    return np.ascontiguousarray(x.swapaxes(1, 2) if transposed else x)


@pytest.mark.parametrize(
    ("path", "sizes"), [("packed", PACKED), ("small", SMALL), ("skinny", SKINNY), ("skinny", COLUMN)]
)
@pytest.mark.parametrize(("trans_a", "trans_b"), list(itertools.product((False, True), repeat=2)))
@pytest.mark.parametrize(
    ("batch", "one_a", "one_b"), [(1, False, False), (3, False, False), (3, True, False), (3, False, True)]
)
def test_every_path_is_exact_on_integers(path, sizes, trans_a, trans_b, batch, one_a, one_b):
    rng = np.random.default_rng(0)
    for m, n, k in sizes:
        shape = _shape(batch, m, n, k, trans_a, trans_b, one_a, one_b, path=path)
        assert shape.path == path
        a = rng.integers(-3, 4, (1 if one_a else batch, m, k)).astype(np.float32)
        b = rng.integers(-3, 4, (1 if one_b else batch, k, n)).astype(np.float32)
        bias = rng.integers(-9, 10, n).astype(np.float32)
        wanted = np.matmul(a.astype(np.float64), b)
        stored = _stored(a, trans_a), _stored(b, trans_b)
        c = np.full((batch, m, n), np.nan, np.float32)
        _cpu.gemm(shape, *stored, None, c, LINEAR, False)
        np.testing.assert_array_equal(c, wanted)
        _cpu.gemm(shape, *stored, None, c, LINEAR, True)
        np.testing.assert_array_equal(c, 2 * wanted)
        _cpu.gemm(shape, *stored, bias, c, RELU, False)
        np.testing.assert_array_equal(c, np.maximum(wanted + bias, 0))


@pytest.mark.parametrize(("trans_a", "trans_b"), list(itertools.product((False, True), repeat=2)))
@pytest.mark.parametrize(
    ("path", "m", "n", "k"),
    [
        ("packed", 337, 400, 513),  # rounds of 256 steps
        ("packed", 20, 7000, 300),
        ("packed", 700, 33, 1100),
        ("small", 300, 130, 70),
        ("small", 30, 600, 70),
        *(("skinny", m, 530, 4200) for m in (1, 2, 3, 4, 5, 8)),  # dots sum 4096 terms at a time, streams 256
        ("skinny", 530, 1, 4200),
        ("skinny", 9, 300, 300),
    ],
)
def test_every_task_gives_the_same_bits_on_any_thread(path, m, n, k, trans_a, trans_b):
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((1, m, k), np.float32), rng.standard_normal((1, k, n), np.float32)
    stored = _stored(a, trans_a), _stored(b, trans_b)
    shape = _shape(1, m, n, k, trans_a, trans_b, path=path)
    before = _cpu.num_threads()
    results = []
    for threads in (1, 2, 3, 8):
        _cpu.set_num_threads(threads)
        c = np.full((1, m, n), np.nan, np.float32)
        _cpu.gemm(shape, *stored, None, c, LINEAR, False)
        results.append(c)
    _cpu.set_num_threads(before)
    assert all(c.tobytes() == results[0].tobytes() for c in results)
    bound = np.abs(a[0]).astype(np.float64) @ np.abs(b[0])
    assert np.all(np.abs(results[0][0] - a[0].astype(np.float64) @ b[0]) <= 4 * np.finfo(np.float32).eps * bound)


def test_a_long_positive_sum_stays_accurate():
    rng = np.random.default_rng(1)
    k = 20000
    a, b = rng.random((9, k), np.float32), rng.random((k, 33), np.float32)
    wanted = a.astype(np.float64) @ b
    for path in ("packed", "small", "skinny"):
        c = np.empty((9, 33), np.float32)
        _cpu.gemm(_shape(1, 9, 33, k, path=path), a, b, None, c, LINEAR, False)
        assert np.max(np.abs(c - wanted) / wanted) <= 4 * np.finfo(np.float32).eps, path


def test_paths_are_chosen_by_size_and_all_are_reached():
    chosen = {
        _shape(1, 4, 4, 4, dtype=FLOAT64).path: "generic",
        _shape(1, 64, 64, 64).path: "small",
        _shape(1, 512, 512, 512).path: "packed",
        _shape(1, 1, 4096, 4096).path: "skinny",
    }
    assert all(name == wanted for name, wanted in chosen.items())
    assert len(chosen) == 4


def test_nan_and_infinity_propagate():
    a = np.zeros((20, 40), np.float32)
    a[3, 39] = np.nan
    b = np.ones((40, 50), np.float32)
    b[0, 49] = np.inf
    for path in ("generic", "packed", "small", "skinny"):
        c = np.empty((20, 50), np.float32)
        _cpu.gemm(_shape(1, 20, 50, 40, path=path), a, b, None, c, RELU, False)
        assert np.isnan(c[3]).all()
        assert np.isnan(c[:, 49]).all()
        assert (np.delete(c, 3, 0)[:, :49] == 0).all()


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        _shape(1, -1, 2, 3)
    with pytest.raises(ValueError, match="overflows 64 bits"):
        _shape(1, 2**40, 2**40, 1)
    with pytest.raises(ValueError, match="overflows 64 bits"):
        _shape(2**62, 2, 2, 2)
    with pytest.raises(ValueError, match="no path named fast"):
        _shape(1, 1, 1, 1, path="fast")
    with pytest.raises(ValueError, match="only the generic path takes float64"):
        _shape(1, 1, 1, 1, dtype=FLOAT64, path="packed")
    with pytest.raises(TypeError, match="float32 or float64"):
        _shape(1, 1, 1, 1, dtype=backend.INT32)


def test_the_binding_checks_what_it_is_given():
    shape = _shape(1, 2, 3, 4)
    a, b, c = np.zeros((2, 4), np.float32), np.zeros((4, 3), np.float32), np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="a must have 8 elements; received 6"):
        _cpu.gemm(shape, c, b, None, c, LINEAR, False)
    with pytest.raises(TypeError, match="b must be float32; received float64"):
        _cpu.gemm(shape, a, b.astype(np.float64), None, c, LINEAR, False)
    with pytest.raises(ValueError, match="bias must have 3 elements"):
        _cpu.gemm(shape, a, b, np.zeros(2, np.float32), c, LINEAR, False)
    with pytest.raises(ValueError, match="accumulate excludes"):
        _cpu.gemm(shape, a, b, np.zeros(3, np.float32), c, LINEAR, True)
    c.flags.writeable = False
    with pytest.raises(TypeError, match="writable"):
        _cpu.gemm(shape, a, b, None, c, LINEAR, False)


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (2, 3)), ((), (3,)), ((3,), ()), ((2, 4, 3), (3, 3, 5)), ((4,), (3, 2)), ((2, 3), (2,))]
)
def test_matmul_names_the_shapes_that_do_not_fit(a, b):
    with pytest.raises(ValueError, match=r"\[matmul\].*" + re.escape(str(a))):
        ops.matmul(np.ones(a), np.ones(b))


def test_matmul_and_dense_take_integers_as_float32():
    y = ops.matmul(np.arange(6).reshape(2, 3), np.arange(3, dtype=np.uint8))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [5, 14])
    np.testing.assert_array_equal(ops.dense([[1, 2]], [[1], [1]], [0.5]), [[3.5]])


def test_bad_dtypes_are_refused():
    with pytest.raises(TypeError, match="complex64"):
        ops.matmul(np.ones((2, 2), np.complex64), np.ones((2, 2)))


def test_dense_names_what_does_not_fit():
    with pytest.raises(ValueError, match=r"\[dense\] x .* do not fit; received \(2, 3\) and \(2, 3\)"):
        ops.dense(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"\[dense\] bias must have shape \(4,\).*received \(3,\)"):
        ops.dense(np.ones((2, 3)), np.ones((3, 4)), np.ones(3))
    with pytest.raises(ValueError, match=r"\[dense\] activation must be one of .*received 'swoosh'"):
        ops.dense(np.ones((2, 3)), np.ones((3, 4)), activation="swoosh")


def test_gradients_add_up_where_a_tensor_is_used_twice():
    x = tensor(np.arange(4, dtype=np.float32).reshape(2, 2))
    with GradientTape() as tape:
        tape.watch(x)
        y = ops.matmul(x, x)
    ones = np.ones((2, 2))
    np.testing.assert_array_equal(tape.gradient(y, x), ones @ x.numpy().T + x.numpy().T @ ones)


@pytest.mark.parametrize("columns", [1, 3, 16, 35, 1000])
@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 5000])
@pytest.mark.parametrize("kind", ["linear", "relu", "tanh"])
def test_epilogue_backward(rows, columns, kind):
    rng = np.random.default_rng(2)
    dy = rng.standard_normal((rows, columns)).astype(np.float32)
    y = np.tanh(rng.standard_normal((rows, columns))).astype(np.float32)
    slope = {"linear": np.ones_like(y), "relu": (y > 0).astype(np.float32), "tanh": 1 - y * y}[kind]
    dz, db = np.empty_like(dy), np.ones(columns, np.float32)
    before = _cpu.num_threads()
    results = []
    for threads in (1, 2, 3, 8):
        _cpu.set_num_threads(threads)
        sums = db.copy()
        _cpu.epilogue_backward(dy, None if kind == "linear" else y, _cpu.Activation(kind), dz, sums, True)
        results.append((dz.tobytes(), sums.tobytes()))
    _cpu.set_num_threads(before)
    assert all(r == results[0] for r in results)
    np.testing.assert_allclose(dz, dy * slope, rtol=1e-6, atol=1e-6)
    magnitude = np.abs(dz.astype(np.float64)).sum(0) + 1
    assert np.all(np.abs(sums - 1 - dz.sum(0, dtype=np.float64)) <= 4 * np.finfo(np.float32).eps * magnitude)
    _cpu.epilogue_backward(dy, None if kind == "linear" else y, _cpu.Activation(kind), None, sums, False)
    assert np.all(np.abs(sums - dz.sum(0, dtype=np.float64)) <= 4 * np.finfo(np.float32).eps * magnitude)


def test_the_yardsticks_measure_what_they_say():
    sums = np.empty(5, np.float32)
    assert _cpu.measure_fma_peak(1000, sums) % (5 * 1000 * 24) == 0
    x = np.arange(3_000_001, dtype=np.float32)
    y = np.zeros_like(x)
    assert _cpu.measure_copy(x, y) == 2 * x.nbytes
    np.testing.assert_array_equal(x, y)
