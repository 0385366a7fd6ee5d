"""Settings of the process: threads and the default dtype."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from dlbd import _cpu, backend

_floatx = "float32"
_epsilon = 1e-7


def num_threads() -> int:
    """How many threads the kernels use."""
    return int(_cpu.num_threads())


def set_num_threads(n: int | None) -> None:
    """Use ``n`` threads; None for the default: the cores that this process may use. Results do not depend on it."""
    count = int(_cpu.default_num_threads()) if n is None else operator.index(n)
    if count < 1:
        raise ValueError(f"[set_num_threads] expected at least 1 thread; received {n}")
    _cpu.set_num_threads(count)
    backend.structure_changed()


def floatx() -> str:
    """The dtype of new layers: "float32" unless changed."""
    return _floatx


def set_floatx(value: Any) -> None:
    """Make new layers compute in "float32" or "float64" (slow: for checks)."""
    global _floatx
    name = np.dtype(value).name
    if name not in ("float32", "float64"):
        raise ValueError(f"[set_floatx] expected float32 or float64; received {value!r}")
    _floatx = name


def epsilon() -> float:
    """The small number that losses keep away from zero with: 1e-7 unless changed."""
    return _epsilon


def set_epsilon(value: float) -> None:
    global _epsilon
    _epsilon = float(value)


def image_data_format() -> str:
    """Always "channels_last"."""
    return "channels_last"
