"""The harness: cases, one worker process per peer, interleaved rounds, medians of ratios.

Each peer lives in its own process (two OpenMP or BLAS runtimes in one process disturb each other), which is stopped
(SIGSTOP) while another one is timed, so that nobody's idle threads spin on a measured core. Every round times every
peer once on the same case; these machines are noisy, so what counts is the median over rounds of ours / peer.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

# Largest error, as a part of the largest absolute value of the reference, that a float32 result may show.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Case:
    """One row of a table.

    Attributes:
        family: the module of this folder that it belongs to; makes its inputs and its float64 reference.
        op: the function of a peer that runs it; a peer without it sits the case out.
        name: what the table shows.
        sizes: the numbers that ``op`` needs.
        training: forward and backward (gradients of all float inputs) instead of forward alone.
        flop, bytes: the work of one call, for GFLOP/s or GB/s and the fraction of the machine's limit.
        quick: part of ``--quick``.
        tolerance: see TOLERANCE.
    """

    family: str
    op: str
    name: str
    sizes: dict[str, Any]
    training: bool = False
    flop: float = 0.0
    bytes: float = 0.0
    quick: bool = False
    tolerance: float = TOLERANCE

    @property
    def label(self) -> str:
        return f"{self.name}, forward + backward" if self.training else self.name


@dataclass
class Run:
    """How a peer runs a case, made once and called many times.

    Attributes:
        call: does the work and returns when it is finished.
        check: gives the results to compare; ``call`` itself unless given.
        label: which of a peer's ways this is (say "channels_last"); the fastest of several is taken.
        units: how many times the case's work one call does.
        seconds: measures one call by itself instead (an import in a fresh process).
    """

    call: Callable[[], Any] = lambda: None
    check: Callable[[], Any] | None = None
    label: str = ""
    units: int = 1
    seconds: Callable[[], float] | None = None


class WorkerError(Exception):
    """A worker could not do what was asked; the text says why."""


class Worker:
    """A peer's process, seen from the parent."""

    def __init__(self, peer: str, threads: int, scratch: str) -> None:
        self.peer = peer
        self.scratch = scratch
        environment = dict(os.environ)
        for name in ("OMP", "OPENBLAS", "MKL"):
            environment[f"{name}_NUM_THREADS"] = str(threads)
        environment["PYTHONPATH"] = os.pathsep.join([p for p in (environment.get("PYTHONPATH"),) if p])
        command = [sys.executable, str(ROOT / "benchmarks" / "worker.py"), peer, str(threads)]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )
        self.version: str | None = None

    def ready(self) -> bool:
        """Whether the peer could be imported; waits for it. Afterwards the process is stopped until it is asked."""
        hello = self._read()
        self.version = hello.get("version")
        if self.version is not None:
            os.kill(self.process.pid, signal.SIGSTOP)
        return self.version is not None

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise WorkerError(f"the process of {self.peer} ended:\n{self.errors.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        try:
            return self._read()
        finally:
            if self.process.poll() is None:
                os.kill(self.process.pid, signal.SIGSTOP)

    def prepare(self, family: str, index: int) -> dict[str, Any]:
        return self.ask(do="prepare", family=family, index=index, results=os.path.join(self.scratch, "results.npz"))

    def results(self) -> list[np.ndarray]:
        with np.load(os.path.join(self.scratch, "results.npz")) as file:
            return [file[f"arr_{i}"] for i in range(len(file.files))]

    def time(self, budget: float) -> float:
        return float(self.ask(do="time", budget=budget)["seconds"])

    def close(self) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self.errors.close()


@dataclass
class Result:
    """What was measured for one case: seconds per round by peer, and how each peer ran it."""

    case: Case
    seconds: dict[str, list[float]] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    limits: list[dict[str, float]] = field(default_factory=list)

    def median(self, peer: str) -> float:
        return statistics.median(self.seconds[peer])

    def spread(self, peer: str) -> float:
        """Half the interquartile range over the median."""
        values = self.seconds[peer]
        if len(values) < 4:
            return (max(values) - min(values)) / 2 / self.median(peer)
        low, _, high = statistics.quantiles(values, n=4)
        return (high - low) / 2 / self.median(peer)

    def ratio(self, peer: str, ours: str = "dlbd") -> float | None:
        """Median over the rounds of our time / the peer's time: below 1 we are faster."""
        if ours not in self.seconds or peer not in self.seconds:
            return None
        return statistics.median(a / b for a, b in zip(self.seconds[ours], self.seconds[peer], strict=True))

    def limit(self) -> float | None:
        """Seconds that the machine's measured limit (median over the rounds) allows for this case's work."""
        key, work = ("flops", self.case.flop) if self.case.flop else ("bandwidth", self.case.bytes)
        values = [m[key] for m in self.limits if m.get(key)]
        return work / statistics.median(values) if work and values else None


def wrong_by(result: np.ndarray, reference: np.ndarray) -> float:
    """Largest error relative to the reference's largest absolute value; infinite for another shape or NaN."""
    if result.shape != reference.shape:
        return float("inf")
    if not result.size:
        return 0.0
    error = float(np.max(np.abs(result.astype(np.float64) - reference)))
    scale = float(np.max(np.abs(reference)))
    return error / scale if scale else error if np.isfinite(error) else float("inf")


def measure(
    case: Case,
    index: int,
    reference: list[np.ndarray] | None,
    workers: dict[str, Worker],
    rounds: int,
    budget: float,
) -> Result:
    """Check every peer that can run ``case`` against ``reference``, then time them in interleaved rounds."""
    result = Result(case)
    running = []
    for peer, worker in workers.items():
        try:
            prepared = worker.prepare(case.family, index)
            if not prepared["runs"]:
                continue
            if reference is not None:
                found = worker.results()
                errors = [wrong_by(a, b) for a, b in zip(found, reference, strict=True)]
                if not max(errors) <= case.tolerance:
                    raise WorkerError(f"wrong result: relative errors {', '.join(f'{e:.1e}' for e in errors)}")
        except (WorkerError, ValueError) as error:
            result.failures[peer] = str(error)
            continue
        result.ways[peer] = prepared["way"]
        running.append(peer)
    for _ in range(rounds):
        if "dlbd" in workers:
            result.limits.append(workers["dlbd"].ask(do="limits"))
        for peer in running:
            result.seconds.setdefault(peer, []).append(workers[peer].time(budget))
    for worker in workers.values():
        if worker.process.poll() is None:
            worker.ask(do="forget")
    return result
