"""Matrix products, and Dense with bias and relu: forward, and forward + backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Case

_QUICK = {(32, 128, 784), (128, 512, 512), (1024, 1024, 1024), (8, 4096, 4096)}
_PRODUCTS = [  # M, N, K
    (32, 128, 784),
    (32, 10, 128),
    (128, 512, 512),
    (256, 1024, 1024),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (1, 4096, 4096),
    (8, 4096, 4096),
    (64, 64, 64),
]


def _cases() -> list[Case]:
    cases = []
    for m, n, k in _PRODUCTS:
        sizes, flop, quick = {"m": m, "n": n, "k": k}, 2.0 * m * n * k, (m, n, k) in _QUICK
        cases.append(Case("gemm", "matmul", f"matmul {m}x{n}x{k}", sizes, flop=flop, quick=quick))
    for m, n, k in [(32, 128, 784), (256, 1024, 1024)]:
        name, sizes, flop = f"dense {m}x{n}x{k} + bias, relu", {"m": m, "n": n, "k": k}, 2.0 * m * n * k
        cases.append(Case("gemm", "dense", name, sizes, flop=flop))
        cases.append(Case("gemm", "dense", name, sizes, training=True, flop=3 * flop))
    return cases


CASES = _cases()


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    m, n, k = case.sizes["m"], case.sizes["n"], case.sizes["k"]
    arrays = {"a": (m, k), "b": (k, n), "bias": (n,), "dy": (m, n)}
    return {name: rng.standard_normal(shape, np.float32) for name, shape in arrays.items()}


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    a, b = arrays["a"], arrays["b"]
    if case.op == "matmul":
        return [a @ b]
    z = a @ b
    z += arrays["bias"]
    y = np.maximum(z, 0, out=z)
    if not case.training:
        return [y]
    dz = arrays["dy"] * (y > 0)
    return [y, dz @ b.T, a.T @ dz, dz.sum(0)]
