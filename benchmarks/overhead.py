"""What a call costs beyond its work: import, tiny eager operations, predicting one sample."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.harness import Case, Run
from tests.golden import programs

CASES = [
    Case("overhead", "import_library", "import, beyond NumPy's", {}, quick=True),
    Case("overhead", "add_small", "add of 4 numbers", {}, quick=True),
    Case("overhead", "add_small", "add of 4 numbers", {}, training=True),
    Case("overhead", "matmul_small", "matmul 4x4x4", {}, quick=True),
    Case("overhead", "matmul_small", "matmul 4x4x4", {}, training=True),
    Case("overhead", "call_one", "call the MLP on one sample", {}, quick=True),
    Case("overhead", "predict_one", "predict one sample of the MLP", {}, quick=True),
    Case("overhead", "fit_small", "a batch of fit: Dense(1) on 4 rows", {}, quick=True),
    Case("overhead", "step_small", "the recorded step of that batch alone", {}, quick=True),
]

SMALL_BATCH, SMALL_ROWS, SMALL_RATE = 4, 2048, 0.01


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    if case.op in ("call_one", "predict_one"):
        model = programs.PROGRAMS["003-dense"]
        return {"x": model.data()[0][:1], "weights": programs.initial_weights([(784, 128), (128,), (128, 10), (10,)])}
    if case.op in ("fit_small", "step_small"):
        return {
            "x": rng.standard_normal((SMALL_ROWS, 3), np.float32),
            "y": rng.standard_normal((SMALL_ROWS, 1), np.float32),
        }
    if case.op == "add_small":
        return {name: rng.standard_normal(4, np.float32) for name in ("x", "y", "dy")}
    return {name: rng.standard_normal((4, 4), np.float32) for name in ("x", "y", "dy")}


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    if case.op == "import_library":
        return [np.zeros(1)]
    if case.op in ("call_one", "predict_one"):
        w1, b1, w2, b2 = arrays["weights"]
        z = np.maximum(arrays["x"] @ w1 + b1, 0) @ w2 + b2
        e = np.exp(z - z.max())
        return [e / e.sum()]
    if case.op in ("fit_small", "step_small"):
        return list(descended(arrays["x"].astype(np.float64), arrays["y"].astype(np.float64)))
    x, y, dy = arrays["x"], arrays["y"], arrays["dy"]
    if case.op == "add_small":
        return [x + y, dy, dy] if case.training else [x + y]
    return [x @ y, dy @ y.T, x.T @ dy] if case.training else [x @ y]


def descended(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias, from zero, after one epoch of gradient descent on the mean squared error."""
    kernel, bias = np.zeros((x.shape[1], 1)), np.zeros(1)
    for start in range(0, len(x), SMALL_BATCH):
        rows = slice(start, start + SMALL_BATCH)
        error = 2 / SMALL_BATCH * (x[rows] @ kernel + bias - y[rows])
        kernel, bias = kernel - SMALL_RATE * x[rows].T @ error, bias - SMALL_RATE * error.sum(axis=0)
    return kernel, bias


def import_run(statement: str) -> Run:
    """Time ``statement`` in fresh processes that have imported NumPy already; its modules were compiled before."""
    program = f"import numpy, time; t = time.perf_counter(); {statement}; print('SECONDS', time.perf_counter() - t)"
    command = [sys.executable, "-c", program]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def seconds() -> float:
        out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        return float(out.rsplit("SECONDS", 1)[1])

    return Run(check=lambda: np.zeros(1), seconds=seconds)
