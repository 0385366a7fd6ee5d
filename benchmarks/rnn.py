"""LSTM, GRU and tanh RNN over a whole sequence: forward, and forward + backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.harness import Case

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_SHAPES = [  # op, B, T, D, H
    ("lstm", 32, 50, 10, 64),
    ("lstm", 32, 100, 128, 256),
    ("lstm", 64, 50, 512, 1024),
    ("gru", 32, 100, 128, 256),
    ("rnn", 32, 100, 128, 256),
]


def _cases() -> list[Case]:
    cases = []
    for op, b, t, d, h in _SHAPES:
        name, sizes = f"{op} B{b} T{t} {d} -> {h}", {"b": b, "t": t, "d": d, "h": h}
        flop = 2.0 * b * t * _GATES[op] * h * (d + h)
        quick = (op, h) == ("lstm", 64)
        cases.append(Case("rnn", op, name, sizes, flop=flop, quick=quick))
        cases.append(Case("rnn", op, name, sizes, training=True, flop=3 * flop, quick=quick))
    return cases


CASES = _cases()


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    b, t, d, h = (case.sizes[k] for k in "btdh")
    gates = _GATES[case.op]
    scale = np.float32(h**-0.5)
    return {
        "x": rng.standard_normal((b, t, d), np.float32),
        "w": rng.standard_normal((d, gates * h), np.float32) * np.float32(d**-0.5),
        "u": rng.standard_normal((h, gates * h), np.float32) * scale,
        "b": rng.standard_normal((2, gates * h) if case.op == "gru" else (gates * h,), np.float32) * scale,
        "dy": rng.standard_normal((b, t, h), np.float32),
    }


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    x, w, u, b, dy = (arrays[name] for name in ("x", "w", "u", "b", "dy"))
    return list(getattr(references, case.op)(x, w, u, b, dy if case.training else None))
