"""What moves bytes: elementwise, softmax, normalisation, reduction, copies, the optimizer. GB/s against a copy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.harness import Case

ADAM_STEPS = 2  # that the check makes; the timed calls go on from there


def _cases() -> list[Case]:
    rows = {"rows": 4096, "columns": 1000}
    n, big = 4096 * 1000, {"rows": 4096, "columns": 4096}
    million = 10_000_000
    return [
        Case("memory_bound", "softmax", "softmax 4096x1000", rows, bytes=8.0 * n, quick=True),
        Case("memory_bound", "softmax", "softmax 4096x1000", rows, training=True, bytes=20.0 * n),
        Case("memory_bound", "layer_norm", "layer norm 4096x1000", rows, bytes=8.0 * n, quick=True),
        Case("memory_bound", "layer_norm", "layer norm 4096x1000", rows, training=True, bytes=20.0 * n),
        Case("memory_bound", "relu", "relu 4096x1000", rows, bytes=8.0 * n),
        Case("memory_bound", "gelu", "gelu 4096x1000", rows, bytes=8.0 * n),
        Case("memory_bound", "add", "add 4096x4096", big, bytes=12.0 * 4096**2, quick=True),
        Case("memory_bound", "add_row", "add 4096x4096 + 4096", big, bytes=8.0 * 4096**2),
        Case("memory_bound", "sum_all", "sum of 4096x4096", big, bytes=4.0 * 4096**2),
        Case("memory_bound", "sum_rows", "sum over rows 4096x4096", big, bytes=4.0 * 4096**2),
        Case("memory_bound", "transpose", "transpose 4096x4096", big, bytes=8.0 * 4096**2),
        Case("memory_bound", "adam", "Adam, 10 M parameters", {"n": million}, bytes=28.0 * million, quick=True),
    ]


CASES = _cases()


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    if case.op == "adam":
        n = case.sizes["n"]
        return {"p": rng.standard_normal(n, np.float32), "g": rng.standard_normal(n, np.float32)}
    shape = case.sizes["rows"], case.sizes["columns"]
    arrays = {name: rng.standard_normal(shape, np.float32) for name in ("x", "y", "dy")}
    return arrays | {name: rng.standard_normal(shape[-1:], np.float32) for name in ("row", "gamma", "beta")}


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    if case.op == "adam":
        return [references.adam(arrays["p"], arrays["g"], ADAM_STEPS)]
    x, dy = arrays["x"], arrays["dy"]
    if case.op == "softmax":
        y = references.softmax(x)
        return [y, references.softmax_gradient(y, dy)] if case.training else [y]
    if case.op == "layer_norm":
        gamma, epsilon = arrays["gamma"], 1e-3
        y = references.layer_norm(x, gamma, arrays["beta"], epsilon)
        return [y, *references.layer_norm_gradients(x, gamma, dy, epsilon)] if case.training else [y]
    forward = {
        "relu": lambda: np.maximum(x, 0),
        "gelu": lambda: references.gelu(x),
        "add": lambda: x + arrays["y"],
        "add_row": lambda: x + arrays["row"],
        "sum_all": lambda: np.sum(x, keepdims=True).reshape(1),
        "sum_rows": lambda: np.sum(x, axis=0),
        "transpose": lambda: np.ascontiguousarray(x.T),
    }
    return [forward[case.op]()]
