"""The machine's own limits, measured by small kernels of ours: multiply-add peak and copy bandwidth."""

from __future__ import annotations

from typing import Any


def measure() -> dict[str, float]:
    """FLOP/s and copied bytes/s (read + write) of the threads in use, right now; empty where it cannot be measured."""
    return {}


def by_isa() -> dict[str, Any]:
    """The peak of each instruction set that this machine runs, on one thread and on all in use."""
    return {}
