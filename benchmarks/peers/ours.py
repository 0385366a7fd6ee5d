"""Ours, as a user calls it: dlbd.ops eagerly, a GradientTape for gradients, Sequential.fit for training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dlbd
from benchmarks import overhead
from benchmarks.harness import Case, Run
from benchmarks.memory_bound import ADAM_STEPS
from benchmarks.peers.fit import fit_run, mlp, small, small_run
from dlbd import GradientTape, Tensor, _cpu, ops


class Ours:
    version = dlbd.__version__

    def __init__(self, threads: int) -> None:
        _cpu.set_num_threads(threads)

    @staticmethod
    def to_numpy(x: Any) -> np.ndarray:
        return np.asarray(x)

    @staticmethod
    def _run(case: Case, arrays: dict[str, Any], names: str, f: Callable[..., Any]) -> Run:
        """f of the named arrays; in training also the gradients of sum(f * dy) with respect to all of them."""
        x = [Tensor(arrays[name]) for name in names.split()]
        if not case.training:
            return Run(lambda: f(*x))
        dy = Tensor(arrays["dy"])

        def forward_backward() -> list[Any]:
            with GradientTape(watch_accessed_variables=False) as tape:
                for tensor in x:
                    tape.watch(tensor)
                y = f(*x)
            return [y, *tape.gradient(y, x, output_gradients=dy)]

        return Run(forward_backward)

    def matmul(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "a b", ops.matmul)

    def dense(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "a b bias", lambda a, b, bias: ops.dense(a, b, bias, "relu"))

    def conv(self, case: Case, arrays: dict[str, Any]) -> Run:
        stride, padding = case.sizes["stride"], case.sizes["padding"]
        return self._run(case, arrays, "x w b", lambda x, w, b: ops.conv(x, w, stride, padding, bias=b))

    def max_pool(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", lambda x: ops.max_pool(x, case.sizes["size"], case.sizes["stride"]))

    def average_pool(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", lambda x: ops.average_pool(x, case.sizes["size"], case.sizes["stride"]))

    def lstm(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x w u b", lambda *a: ops.lstm(*a)[0])

    def gru(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x w u b", lambda *a: ops.gru(*a)[0])

    def rnn(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x w u b", lambda *a: ops.rnn(*a)[0])

    def attention(self, case: Case, arrays: dict[str, Any]) -> Run:
        causal = case.sizes["causal"]
        return self._run(case, arrays, "q k v", lambda *a: ops.dot_product_attention(*a, is_causal=causal))

    def softmax(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", ops.softmax)

    def layer_norm(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x gamma beta", lambda *a: ops.layer_normalization(*a, epsilon=1e-3))

    def relu(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", ops.relu)

    def gelu(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", ops.gelu)

    def add(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x y", ops.add)

    def add_row(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x row", ops.add)

    def sum_all(self, case: Case, arrays: dict[str, Any]) -> Run:
        x = Tensor(arrays["x"])
        return Run(lambda: ops.sum(x), check=lambda: np.reshape(ops.sum(x), 1))

    def sum_rows(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", lambda x: ops.sum(x, axis=0))

    def transpose(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x", ops.transpose)

    def adam(self, case: Case, arrays: dict[str, Any]) -> Run:
        variable = dlbd.Variable(arrays["p"])
        optimizer = dlbd.optimizers.Adam()
        optimizer.build([variable])
        optimizer.gradient_slots[id(variable)][...] = arrays["g"]

        def check() -> np.ndarray:
            for _ in range(ADAM_STEPS):
                optimizer.apply()
            return np.array(variable)

        return Run(optimizer.apply, check=check)

    def fit(self, case: Case, arrays: dict[str, Any]) -> Run:
        return fit_run(dlbd, case, arrays)

    def import_library(self, case: Case, arrays: dict[str, Any]) -> Run:
        return overhead.import_run("import dlbd")

    def fit_small(self, case: Case, arrays: dict[str, Any]) -> Run:
        return small_run(dlbd, arrays)

    def step_small(self, case: Case, arrays: dict[str, Any]) -> Run:
        model, epoch = small(dlbd, arrays)
        epoch()
        (steps,) = model._train_steps.values()
        ((step,),) = steps._free.values()
        return Run(step._replay, check=small_run(dlbd, arrays).check)

    def add_small(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x y", ops.add)

    def matmul_small(self, case: Case, arrays: dict[str, Any]) -> Run:
        return self._run(case, arrays, "x y", ops.matmul)

    def call_one(self, case: Case, arrays: dict[str, Any]) -> Run:
        model, x = mlp(dlbd, arrays), Tensor(arrays["x"])
        return Run(lambda: model(x))

    def predict_one(self, case: Case, arrays: dict[str, Any]) -> Run:
        model, x = mlp(dlbd, arrays), arrays["x"]
        return Run(lambda: model.predict(x, verbose=0))
