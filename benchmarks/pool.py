"""Max and average pooling: forward, and forward + backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.harness import Case

_SHAPES = [  # N, H, W, C, window, stride
    (32, 26, 26, 32, 2, 2),
    (8, 112, 112, 64, 3, 2),
]


def _cases() -> list[Case]:
    cases = []
    for op in ("max_pool", "average_pool"):
        for n, h, w, c, size, stride in _SHAPES:
            rows, cols = (h - size) // stride + 1, (w - size) // stride + 1
            sizes = {"n": n, "h": h, "w": w, "c": c, "size": size, "stride": stride, "rows": rows, "cols": cols}
            read, written = 4.0 * n * h * w * c, 4.0 * n * rows * cols * c
            name = f"{op} {size}x{size}/{stride}, {n}x{h}x{w}x{c}"
            quick = (op, n) == ("max_pool", 32)
            cases.append(Case("pool", op, name, sizes, bytes=read + written, quick=quick))
            # backward reads x (max only) and dy, writes dx
            backward = read + written + (read if op == "max_pool" else 0)
            total = read + written + backward
            cases.append(Case("pool", op, name, sizes, training=True, bytes=total, quick=quick))
    return cases


CASES = _cases()


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    s = case.sizes
    return {
        "x": rng.standard_normal((s["n"], s["h"], s["w"], s["c"]), np.float32),
        "dy": rng.standard_normal((s["n"], s["rows"], s["cols"], s["c"]), np.float32),
    }


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    x, dy, size, stride = arrays["x"], arrays["dy"], case.sizes["size"], case.sizes["stride"]
    forward = getattr(references, case.op)(x, size, stride)
    if not case.training:
        return [forward]
    return [forward, getattr(references, f"{case.op}_gradient")(x, dy, size, stride)]
