"""How long a call takes on the GPU: device events, CUDA graphs for both sides, turns that alternate.

Everything runs on one stream, PyTorch's, which CuPy and so dlbd are told to use. A call is a graph's replay wherever
that works, so that no side's Python is measured. Memory-bound cases find a cold L2 cache, as they would in a network:
before each turn 256 MiB are overwritten (which also hides the launch). Other cases run back to back for a millisecond.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.gpu_cases.case import DEVICE, Call, torch

FLUSHED = 256 << 20  # bytes: five times an H100's L2
TURN = 1e-3  # seconds that a turn of a warm case lasts at least
MOST_CALLS = 500  # per turn
ROUNDS = (5, 25)  # at least (3 where a turn takes long), at most
LONG_TURN = 0.05  # seconds
WARM_UP = 3  # calls before a capture: cuDNN's search, allocations, lazily loaded kernels


@contextmanager
def shared_stream() -> Iterator[None]:
    """One stream that is neither library's default, current for both."""
    import cupy

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream), cupy.cuda.ExternalStream(stream.cuda_stream):
        yield


@dataclass
class Timed:
    """Something to time: ``call`` launches; ``way`` says how ("graph", "eager")."""

    call: Call
    way: str = "graph"


def recorded(k: Any, call: Call) -> Timed:
    """Ours: the launches of one call, replayed as dlbd replays a training step. The call itself runs once."""
    recording = k.Recording()
    recording.begin()
    try:
        call()
    finally:
        recording.end()
    return Timed(recording.replay)


def warm(call: Call) -> tuple[Timed, Any]:
    """A call as it is, and its results: CuPy's, whose memory a captured graph would not own."""
    for _ in range(WARM_UP):
        results = call()
    torch.cuda.synchronize()
    return Timed(call, "eager"), results


def captured(call: Call) -> tuple[Timed, Any]:
    """A peer's call as a CUDA graph, and its results; as it is where the library refuses."""
    eager, results = warm(call)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            results = call()
    except RuntimeError:
        torch.cuda.synchronize()
        return eager, call()
    graph.replay()
    torch.cuda.synchronize()
    return Timed(graph.replay), results


class Clock:
    def __init__(self) -> None:
        self.scratch = torch.empty(FLUSHED, dtype=torch.uint8, device=DEVICE)

    def _turn(self, call: Call, calls: int, cold: bool) -> tuple[Any, Any]:
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if cold:
            self.scratch.zero_()
        start.record()
        for _ in range(calls):
            call()
        stop.record()
        return start, stop

    def _seconds(self, call: Call, calls: int, cold: bool) -> float:
        start, stop = self._turn(call, calls, cold)
        stop.synchronize()
        return float(start.elapsed_time(stop)) * 1e-3 / calls

    def alternate(self, timed: dict[str, Timed], cold: bool, budget: float) -> dict[str, list[float]]:
        """Seconds per call of each, one turn after the other, for about ``budget`` seconds."""
        calls, turns = {}, 0.0
        for name, one in timed.items():
            self._seconds(one.call, 1, cold)
            once = max(self._seconds(one.call, 1, cold), 1e-7)
            calls[name] = 1 if cold else max(1, min(MOST_CALLS, int(TURN / once)))
            turns += once * calls[name] + (2e-4 if cold else 0.0)
        least = ROUNDS[0] if turns < LONG_TURN * len(timed) else 3
        rounds = max(least, min(ROUNDS[1], int(budget / turns)))
        gc.collect()
        gc.disable()
        try:
            events = [{n: self._turn(one.call, calls[n], cold) for n, one in timed.items()} for _ in range(rounds)]
            torch.cuda.synchronize()
        finally:
            gc.enable()
        return {
            name: [float(start.elapsed_time(stop)) * 1e-3 / calls[name] for start, stop in (e[name] for e in events)]
            for name in timed
        }


def spread(values: list[float]) -> float:
    """Half the interquartile range over the median."""
    middle = statistics.median(values)
    if len(values) < 4:
        return (max(values) - min(values)) / 2 / middle
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2 / middle


def summary(seconds: dict[str, list[float]], ways: dict[str, str], ours: str = "dlbd") -> dict[str, Any]:
    """Median, spread and the median over the rounds of our time / each side's."""
    return {
        name: {
            "median_seconds": statistics.median(values),
            "spread": spread(values),
            "way": ways.get(name, ""),
            "ratio": statistics.median(a / b for a, b in zip(seconds[ours], values, strict=True)),
            "seconds": [float(f"{s:.4g}") for s in values],
        }
        for name, values in seconds.items()
    }


def best(call: Callable[[], Any], clock: Clock, rounds: int = 5) -> float:
    """Shortest of some cold calls, in seconds: for the limits."""
    call()
    return min(clock._seconds(call, 1, True) for _ in range(rounds))
