"""The machine's own limits, measured by small kernels of ours: multiply-add peak and copy bandwidth."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

ISAS = ("baseline", "v3", "v4")
CHUNKS = 64  # equal parts that the threads share out
STEPS = 20_000  # of each: some milliseconds on one thread
COPIED = 16 << 20  # floats: the 64 MB of the largest memory-bound case


def rate(run: Callable[[], float], seconds: float) -> float:
    """Best of what ``run`` returns (its work) per second, over about ``seconds``."""
    best, stop = 0.0, time.perf_counter() + seconds
    while True:
        started = time.perf_counter()
        work = run()
        now = time.perf_counter()
        best = max(best, work / (now - started))
        if now > stop:
            return best


def flops(seconds: float = 0.02) -> float:
    """FLOP/s of the threads in use."""
    from dlbd import _cpu

    sums = np.empty(CHUNKS, np.float32)
    return rate(lambda: _cpu.measure_fma_peak(STEPS, sums), seconds)


@cache
def _copied() -> tuple[np.ndarray, np.ndarray]:
    return np.ones(COPIED, np.float32), np.zeros(COPIED, np.float32)


def bandwidth(seconds: float = 0.02) -> float:
    """Bytes/s read and written by a copy."""
    from dlbd import _cpu

    x, y = _copied()
    return rate(lambda: _cpu.measure_copy(x, y), seconds)


def measure() -> dict[str, float]:
    """Both, right now: asked for in every round, since a busy neighbour halves them for minutes."""
    return {"flops": flops(), "bandwidth": bandwidth()}


def by_isa() -> dict[str, Any]:
    """GFLOP/s of each instruction set that this machine runs and GB/s, on one thread and on all in use."""
    from dlbd import _cpu

    threads = _cpu.num_threads()
    found: dict[str, Any] = {}
    counts = sorted({1, threads})
    for isa in ISAS:
        program = (
            "import json; from dlbd import _cpu; from benchmarks import limits; found = []\n"
            f"for n in {counts}: _cpu.set_num_threads(n); found.append(limits.flops(0.1))\n"
            "print(json.dumps(found))"
        )
        environment = dict(os.environ, DLBD_ISA=isa)
        environment["PYTHONPATH"] = os.pathsep.join([sys.path[0], environment.get("PYTHONPATH", "")])
        command = [sys.executable, "-c", program]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode == 0:  # otherwise this machine does not have it
            for n, value in zip(counts, json.loads(ran.stdout), strict=True):
                found[f"FMA peak, {isa}, {n} thread{'s' * (n > 1)}, GFLOP/s"] = value / 1e9
    for n in counts:
        _cpu.set_num_threads(n)
        found[f"copy of 64 MB, {n} thread{'s' * (n > 1)}, GB/s"] = bandwidth(0.2) / 1e9
    _cpu.set_num_threads(threads)
    return found
