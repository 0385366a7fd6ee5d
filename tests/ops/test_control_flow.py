"""Loops and choices over functions, their gradients, and gradients of one's own."""

import numpy as np
import pytest

import dlbd
from dlbd import GradientTape, Variable, ops

from ..arrays import tensor


def test_choices():
    assert ops.cond(tensor(np.array(1.0 > 0)), lambda: "yes", lambda: "no") == "yes"
    branches = [lambda x: x, lambda x: 2 * x, lambda x: 3 * x]
    assert [ops.switch(i, branches, 5) for i in (-1, 0, 1, 2, 9)] == [5, 5, 10, 15, 15]


def test_loops():
    assert ops.while_loop(lambda i: i < 10, lambda i: i + 4, 0) == 12
    assert ops.while_loop(lambda i, _: i < 10, lambda i, x: [i + 1, x + i], [0, 0], maximum_iterations=3) == [3, 3]
    x = Variable([2.0])
    with GradientTape() as tape:
        y = ops.fori_loop(0, 3, lambda _, y: y * x, ops.ones(1))
        z = ops.while_loop(lambda z: z < 10.0, lambda z: z * x, x)
    np.testing.assert_array_equal(y, [8])
    np.testing.assert_array_equal(z, [16])
    np.testing.assert_array_equal(tape.gradient([y, z], x), [12 + 32])


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_a_running_sum_with_its_gradient(reverse):
    x = Variable(np.arange(6.0).reshape(3, 2))
    with GradientTape() as tape:
        last, sums = ops.scan(lambda c, v: (c + v, c + v), ops.zeros(2), x, reverse=reverse)
    values = x.numpy()
    wanted = np.cumsum(values[::-1], 0)[::-1] if reverse else np.cumsum(values, 0)
    np.testing.assert_array_equal(sums, wanted)
    np.testing.assert_array_equal(last, wanted[0 if reverse else -1])
    steps = np.array([[1, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(tape.gradient(sums, x), steps if reverse else steps[::-1])


def test_scan_over_nests_and_over_nothing():
    xs = {"a": np.arange(3.0), "b": np.ones((3, 2))}
    carry, ys = ops.scan(lambda c, x: (c + 1, (x["a"] * 2, {"b": x["b"].shape})[:1]), 0, xs)
    assert carry == 3
    np.testing.assert_array_equal(ys[0], [0, 2, 4])
    assert ops.scan(lambda c, x: (c + 1, None), 0, length=4) == (4, None)


def test_maps():
    x = tensor(np.arange(6, dtype=np.float32).reshape(3, 2))
    for function in (ops.map, ops.vectorized_map):
        np.testing.assert_array_equal(function(lambda row: ops.sum(row), x), [1, 5, 9])
        np.testing.assert_array_equal(function(lambda pair: pair[0] * pair[1], (x, x)), x.numpy() ** 2)


@pytest.mark.parametrize("n", [1, 2, 7, 16])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(n, reverse):
    x = np.random.default_rng(0).standard_normal((2, n, 3)).astype(np.float32)
    turned = x[:, ::-1] if reverse else x
    wanted = np.maximum.accumulate(turned, axis=1)
    found = ops.associative_scan(ops.maximum, tensor(x), reverse, axis=1)
    np.testing.assert_array_equal(found, wanted[:, ::-1] if reverse else wanted)
    pair = ops.associative_scan(lambda a, b: (a[0] + b[0], a[1] * b[1]), (tensor(x), tensor(x)), axis=1)
    np.testing.assert_allclose(pair[0], np.cumsum(x, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(pair[1], np.cumprod(x, 1), rtol=1e-5, atol=1e-6)


def test_a_gradient_of_ones_own():
    @ops.custom_gradient
    def doubled(x, y):
        def gradient(*args, upstream=None):
            (upstream,) = args or (upstream,)
            return upstream * 10.0, None

        return x * y, gradient

    a, b = Variable([2.0, 3.0]), Variable([5.0, 7.0])
    with GradientTape() as tape:
        z = ops.sum(doubled(a, b) * a)
    np.testing.assert_array_equal(z, 20 + 63)
    da, db = tape.gradient(z, [a, b])
    np.testing.assert_array_equal(da, [10 + 20, 21 + 30])
    assert db is None

    wrong = ops.custom_gradient(lambda x: (x, lambda dy: ops.sum(dy)))
    with GradientTape() as tape:
        y = wrong(a)
    with pytest.raises(ValueError, match=r"an argument has shape \(2,\), its gradient \(\)"):
        tape.gradient(y, a)


def test_a_step_with_a_choice_in_it_trains():
    class Choosy(dlbd.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((1,), "ones")

        def call(self, x):
            return ops.cond(ops.sum(x) > 0, lambda: x * self.w, lambda: -x * self.w)

    model = dlbd.Sequential([Choosy()])
    model.compile("sgd", "mse")
    x = np.array([[1.0], [-2.0], [3.0], [-4.0]])
    model.fit(x, abs(x), batch_size=1, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.layers[0].w, [1])
