"""JAX on the CPU: every case under jit, gradients by vjp inside the same jit."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp

from benchmarks import overhead
from benchmarks.harness import Case, Run
from benchmarks.memory_bound import ADAM_STEPS

Arrays = dict[str, Any]


class Jax:
    version = jax.__version__

    def __init__(self, threads: int) -> None:
        pass  # XLA takes the cores that the process may use, which the worker has set

    @staticmethod
    def to_numpy(x: Any) -> np.ndarray:
        return np.asarray(x)

    @staticmethod
    def _run(case: Case, arrays: Arrays, names: str, f: Callable[..., Any], ways: Any = lambda r: r) -> Run:
        x = [jnp.asarray(arrays[n]) for n in names.split()]
        if not case.training:
            jitted = jax.jit(f)
            return Run(lambda: jax.block_until_ready(jitted(*x)), check=lambda: ways([jitted(*x)]))
        dy = jnp.asarray(arrays["dy"])

        @jax.jit
        def forward_backward(dy: Any, *x: Any) -> Any:
            y, back = jax.vjp(f, *x)
            return [y, *back(dy)]

        return Run(lambda: jax.block_until_ready(forward_backward(dy, *x)), check=lambda: forward_backward(dy, *x))

    def matmul(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "a b", jnp.matmul)

    def dense(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "a b bias", lambda a, b, bias: jax.nn.relu(a @ b + bias))

    def conv(self, case: Case, arrays: Arrays) -> Run:
        strides, padding = (case.sizes["stride"],) * 2, case.sizes["padding"].upper()
        layout = ("NHWC", "HWIO", "NHWC")

        def f(x: Any, w: Any, b: Any) -> Any:
            return jax.lax.conv_general_dilated(x, w, strides, padding, dimension_numbers=layout) + b

        return self._run(case, arrays, "x w b", f)

    def max_pool(self, case: Case, arrays: Arrays) -> Run:
        window, strides = (1, *[case.sizes["size"]] * 2, 1), (1, *[case.sizes["stride"]] * 2, 1)

        def f(x: Any) -> Any:
            return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, "VALID")

        return self._run(case, arrays, "x", f)

    def average_pool(self, case: Case, arrays: Arrays) -> Run:
        size = case.sizes["size"]
        window, strides = (1, size, size, 1), (1, *[case.sizes["stride"]] * 2, 1)

        def f(x: Any) -> Any:
            return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, strides, "VALID") / size**2

        return self._run(case, arrays, "x", f)

    def _scan(self, case: Case, arrays: Arrays, states: int, step: Callable[..., Any], project: Any) -> Run:
        units = case.sizes["h"]

        def f(x: Any, w: Any, u: Any, b: Any) -> Any:
            z = jnp.swapaxes(project(x, w, b), 0, 1)
            start = (jnp.zeros((x.shape[0], units), x.dtype),) * states
            _, y = jax.lax.scan(lambda state, z: step(state, z, u, b), start, z)
            return jnp.swapaxes(y, 0, 1)

        return self._run(case, arrays, "x w u b", f)

    def lstm(self, case: Case, arrays: Arrays) -> Run:
        def step(state: Any, z: Any, u: Any, b: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(z + h @ u, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        return self._scan(case, arrays, 2, step, lambda x, w, b: x @ w + b)

    def gru(self, case: Case, arrays: Arrays) -> Run:
        def step(state: Any, a: Any, u: Any, b: Any) -> Any:
            (h,) = state
            az, ar, ah = jnp.split(a, 3, axis=-1)
            rz, rr, rh = jnp.split(h @ u + b[1], 3, axis=-1)
            z = jax.nn.sigmoid(az + rz)
            h = z * h + (1 - z) * jnp.tanh(ah + jax.nn.sigmoid(ar + rr) * rh)
            return (h,), h

        return self._scan(case, arrays, 1, step, lambda x, w, b: x @ w + b[0])

    def rnn(self, case: Case, arrays: Arrays) -> Run:
        def step(state: Any, z: Any, u: Any, b: Any) -> Any:
            h = jnp.tanh(z + state[0] @ u)
            return (h,), h

        return self._scan(case, arrays, 1, step, lambda x, w, b: x @ w + b)

    def attention(self, case: Case, arrays: Arrays) -> Run:
        causal = case.sizes["causal"]
        return self._run(case, arrays, "q k v", lambda *a: jax.nn.dot_product_attention(*a, is_causal=causal))

    def softmax(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x", jax.nn.softmax)

    def layer_norm(self, case: Case, arrays: Arrays) -> Run:
        def f(x: Any, gamma: Any, beta: Any) -> Any:
            return jax.nn.standardize(x, epsilon=1e-3) * gamma + beta

        return self._run(case, arrays, "x gamma beta", f)

    def relu(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x", jax.nn.relu)

    def gelu(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x", jax.nn.gelu)

    def add(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x y", jnp.add)

    def add_row(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x row", jnp.add)

    def sum_all(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x", lambda x: jnp.sum(x).reshape(1))

    def sum_rows(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x", lambda x: jnp.sum(x, 0))

    def transpose(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x", jnp.transpose)

    def adam(self, case: Case, arrays: Arrays) -> Run:
        def step(p: Any, m: Any, v: Any, t: Any, g: Any) -> Any:
            m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1
            alpha = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            return p - m * alpha / (jnp.sqrt(v) + 1e-7), m, v, t

        jitted = jax.jit(step, donate_argnums=(0, 1, 2, 3))
        p, g = jnp.array(arrays["p"]), jnp.asarray(arrays["g"])
        state = [p, jnp.zeros_like(p), jnp.zeros_like(p), jnp.zeros((), jnp.float32)]

        def call() -> None:
            state[:] = jitted(*state, g)
            jax.block_until_ready(state)

        def check() -> Any:
            state[:] = [jnp.array(arrays["p"]), jnp.zeros_like(g), jnp.zeros_like(g), jnp.zeros((), jnp.float32)]
            for _ in range(ADAM_STEPS):
                call()
            return state[0]

        return Run(call, check=check)

    def add_small(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x y", jnp.add)

    def matmul_small(self, case: Case, arrays: Arrays) -> Run:
        return self._run(case, arrays, "x y", jnp.matmul)

    def import_library(self, case: Case, arrays: Arrays) -> Run:
        return overhead.import_run("import jax")

    def call_one(self, case: Case, arrays: Arrays) -> Run:
        w1, b1, w2, b2 = (jnp.asarray(w) for w in arrays["weights"])
        predict = jax.jit(lambda x: jax.nn.softmax(jax.nn.relu(x @ w1 + b1) @ w2 + b2))
        x = jnp.asarray(arrays["x"])
        return Run(lambda: jax.block_until_ready(predict(x)))
