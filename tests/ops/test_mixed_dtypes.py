"""Operands of different dtypes: a float operation meets in float64 if one tensor is, and each gradient comes back."""

import numpy as np
import pytest

from dlbd import GradientTape, ops

from ..arrays import tensor

SHAPES = {
    "matmul": (ops.matmul, [(2, 3), (3, 4)]),
    "dense": (ops.dense, [(2, 3), (3, 4), (4,)]),
    "conv": (lambda x, w, b: ops.conv(x, w, bias=b), [(2, 5, 5, 3), (3, 3, 3, 4), (4,)]),
    "conv_transpose": (lambda x, w, b: ops.conv_transpose(x, w, bias=b), [(2, 5, 5, 3), (3, 3, 4, 3), (4,)]),
    "attention": (ops.dot_product_attention, [(2, 3, 1, 4), (2, 5, 1, 4), (2, 5, 1, 4), (2, 1, 3, 5)]),
    "rnn": (lambda *a: ops.rnn(*a)[0], [(2, 3, 4), (4, 5), (5, 5), (5,)]),
    "lstm": (lambda *a: ops.lstm(*a[:4], initial_state=a[4:])[0], [(2, 3, 4), (4, 8), (2, 8), (8,), (2, 2), (2, 2)]),
    "gru": (lambda *a: ops.gru(*a)[0], [(2, 3, 4), (4, 6), (2, 6), (2, 6)]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_one_float64_tensor_makes_the_result_float64(name):
    run, shapes = SHAPES[name]
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    wanted = np.array(run(*(tensor(a.astype(np.float64)) for a in arrays)))
    for wide in range(len(arrays)):
        operands = [tensor(a.astype(np.float64) if i == wide else a) for i, a in enumerate(arrays)]
        with GradientTape() as tape:
            for x in operands:
                tape.watch(x)
            y = run(*operands)
        assert y.dtype == np.float64
        np.testing.assert_array_equal(y, wanted)
        gradients = tape.gradient(y, operands)
        assert [g.dtype for g in gradients] == [x.dtype for x in operands]


@pytest.mark.parametrize("name", SHAPES)
def test_arrays_beside_a_float64_tensor_keep_their_precision(name):
    run, shapes = SHAPES[name]
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    wanted = np.array(run(*map(tensor, arrays)))
    np.testing.assert_array_equal(run(tensor(arrays[0]), *arrays[1:]), wanted)
    integers = [np.ones(shape, np.int64) for shape in shapes]
    assert run(*integers).dtype == np.float32
