"""2-D convolution with bias: forward, and forward + gradients of input, kernel and bias.

A strided "same" is given as "valid" on the padded input: libraries disagree on which side an odd pad goes to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import references
from benchmarks.harness import Case

_QUICK = "3x3, 32x13x13x32 -> 64"
_SHAPES = [  # name, N, H, W, C, kernel, F, stride, padding
    ("3x3, 32x28x28x1 -> 32", 32, 28, 28, 1, 3, 32, 1, "valid"),
    ("3x3, 32x13x13x32 -> 64", 32, 13, 13, 32, 3, 64, 1, "valid"),
    ("3x3, 32x5x5x64 -> 64", 32, 5, 5, 64, 3, 64, 1, "valid"),
    ("7x7/2, 8x224x224x3 -> 64", 8, 229, 229, 3, 7, 64, 2, "valid"),
    ("3x3, 8x56x56x64 -> 64", 8, 56, 56, 64, 3, 64, 1, "same"),
    ("3x3, 8x28x28x128 -> 128", 8, 28, 28, 128, 3, 128, 1, "same"),
    ("3x3, 8x14x14x256 -> 256", 8, 14, 14, 256, 3, 256, 1, "same"),
    ("3x3, 8x7x7x512 -> 512", 8, 7, 7, 512, 3, 512, 1, "same"),
    ("1x1, 8x56x56x64 -> 256", 8, 56, 56, 64, 1, 256, 1, "valid"),
    ("3x3/2, 8x56x56x128 -> 128", 8, 57, 57, 128, 3, 128, 2, "valid"),
]


def _cases() -> list[Case]:
    cases = []
    for name, n, h, w, c, k, f, stride, padding in _SHAPES:
        rows, cols = (h, w) if padding == "same" else ((h - k) // stride + 1, (w - k) // stride + 1)
        sizes = {
            "n": n,
            "h": h,
            "w": w,
            "c": c,
            "k": k,
            "f": f,
            "stride": stride,
            "padding": padding,
            "rows": rows,
            "cols": cols,
        }
        flop = 2.0 * n * rows * cols * k * k * c * f
        quick = name == _QUICK
        cases.append(Case("conv", "conv", f"conv {name}", sizes, flop=flop, quick=quick))
        cases.append(Case("conv", "conv", f"conv {name}", sizes, training=True, flop=3 * flop, quick=quick))
    return cases


CASES = _cases()


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    s = case.sizes
    arrays = {
        "x": (s["n"], s["h"], s["w"], s["c"]),
        "w": (s["k"], s["k"], s["c"], s["f"]),
        "b": (s["f"],),
        "dy": (s["n"], s["rows"], s["cols"], s["f"]),
    }
    return {name: rng.standard_normal(shape, np.float32) for name, shape in arrays.items()}


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    x, w, b, dy = (arrays[name] for name in ("x", "w", "b", "dy"))
    stride, padding = case.sizes["stride"], case.sizes["padding"]
    y = references.conv(x, w, b, stride, padding)
    return [y, *references.conv_gradients(x, w, dy, stride, padding)] if case.training else [y]
