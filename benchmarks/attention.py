"""Softmax attention: forward, and forward + backward. Causal counts half of the work."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.harness import Case

_SHAPES = [  # B, heads, T, D, causal
    (2, 8, 1024, 64, False),
    (2, 8, 1024, 64, True),
    (1, 8, 4096, 64, True),
    (32, 4, 64, 32, False),
]


def _cases() -> list[Case]:
    cases = []
    for b, h, t, d, causal in _SHAPES:
        name = f"attention B{b} H{h} T{t} D{d}{' causal' if causal else ''}"
        flop = 4.0 * b * h * t * t * d * (0.5 if causal else 1.0)
        sizes = {"b": b, "h": h, "t": t, "d": d, "causal": causal}
        quick = t == 1024 and not causal
        cases.append(Case("attention", "attention", name, sizes, flop=flop, quick=quick))
        # seven products instead of two: the scores are made again in the backward
        cases.append(Case("attention", "attention", name, sizes, training=True, flop=3.5 * flop))
    return cases


CASES = _cases()


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    shape = tuple(case.sizes[k] for k in "bthd")
    return {name: rng.standard_normal(shape, np.float32) for name in ("q", "k", "v", "dy")}


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    q, k, v, dy = (arrays[name] for name in ("q", "k", "v", "dy"))
    return list(references.attention(q, k, v, case.sizes["causal"], dy if case.training else None))
