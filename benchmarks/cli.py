"""The command line of the benchmarks: what to run, the table, the JSON file, the picture."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, Result, Worker, WorkerError, measure
from benchmarks.peers import PEERS

FAMILIES = ("gemm", "conv", "pool", "rnn", "attention", "memory_bound", "training_step", "overhead")
QUICK_PEERS = ("dlbd", "numpy", "pytorch")
SEED = 0


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Check, then time dlbd against its peers. Ratios below 1: dlbd is faster."
    )
    parser.add_argument("--quick", action="store_true", help="a minute: a few shapes, NumPy and PyTorch, five rounds")
    parser.add_argument("--only", default="", help=f"families, comma-separated: {', '.join(FAMILIES)}")
    parser.add_argument("--match", default="", help="only cases whose name contains this")
    parser.add_argument("--peers", default="", help=f"comma-separated, of {', '.join(PEERS)}; default: all installed")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, help="default 15 (quick: 5)")
    parser.add_argument("--budget", type=float, help="seconds per case, peer and round; default 0.1 (quick: 0.03)")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--plot", type=Path, help="draw a picture of the ratios to this file (needs matplotlib)")
    chosen = parser.parse_args(argv)
    chosen.families = [f for f in chosen.only.split(",") if f] or list(FAMILIES)
    chosen.wanted = [p for p in chosen.peers.split(",") if p] or list(QUICK_PEERS if chosen.quick else PEERS)
    for unknown in [f for f in chosen.families if f not in FAMILIES] + [p for p in chosen.wanted if p not in PEERS]:
        parser.error(f"there is no {unknown!r}")
    if "dlbd" not in chosen.wanted:
        chosen.wanted.insert(0, "dlbd")
    chosen.rounds = chosen.rounds or (5 if chosen.quick else 15)
    chosen.budget = chosen.budget or (0.03 if chosen.quick else 0.1)
    return chosen


def machine(threads: int) -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": name,
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
    }


def commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def duration(seconds: float) -> str:
    for unit, factor in (("s ", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:8.2f} {unit}"
    raise AssertionError


def lines(result: Result, ours: str = "dlbd") -> list[str]:
    """The table's lines of one case: time, spread, speed, fraction of the limit, ratio ours / peer."""
    case, limit = result.case, result.limit()
    out = [case.label]
    for peer in result.seconds:
        median = result.median(peer)
        speed = ""
        if case.flop:
            speed = f"{case.flop / median / 1e9:8.1f} GFLOP/s"
        elif case.bytes:
            speed = f"{case.bytes / median / 1e9:8.1f} GB/s   "
        part = f"{limit / median:5.0%} of limit" if limit else ""
        ratio = "" if peer == ours or ours not in result.seconds else f"ratio {result.ratio(peer):5.2f}"
        name = f"{peer} ({result.ways[peer]})" if result.ways[peer] else peer
        out.append(f"  {name:26}{duration(median)} ±{result.spread(peer):4.0%} {speed:17} {part:15} {ratio}".rstrip())
    out += [f"  {peer}: FAILED: {reason.strip().splitlines()[-1]}" for peer, reason in result.failures.items()]
    return out


def as_json(result: Result) -> dict[str, Any]:
    case, limit = result.case, result.limit()
    peers = {}
    for peer, seconds in result.seconds.items():
        peers[peer] = {
            "median_seconds": result.median(peer),
            "spread": result.spread(peer),
            "way": result.ways[peer],
            "ratio": result.ratio(peer),
            "fraction_of_limit": limit / result.median(peer) if limit else None,
            "seconds": [float(f"{s:.4g}") for s in seconds],
        }
    return {
        "family": case.family,
        "name": case.name,
        "training": case.training,
        "flop": case.flop,
        "bytes": case.bytes,
        "peers": peers,
        "failures": result.failures,
    }


def start(wanted: list[str], threads: int, scratch: str) -> dict[str, Worker]:
    workers = {peer: Worker(peer, threads, scratch) for peer in wanted}  # they import side by side
    for peer in wanted:
        try:
            if workers[peer].ready():
                continue
            print(f"{peer}: not installed")
        except WorkerError as error:
            print(f"{peer}: {error}")
        workers.pop(peer).close()
    return workers


def report_limits(limits: dict[str, Any]) -> None:
    for name, value in limits.items():
        print(f"{name:40} {value:8.1f}")


def main(argv: list[str] | None = None) -> int:
    chosen = arguments(argv)
    about = machine(chosen.threads)
    print(", ".join(f"{k} {v}" for k, v in about.items()))
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as scratch:
        workers = start(chosen.wanted, chosen.threads, scratch)
        try:
            if "dlbd" not in workers:
                return 1
            versions = {peer: worker.version for peer, worker in workers.items()}
            print(", ".join(f"{peer} {version}" for peer, version in versions.items()))
            limits = workers["dlbd"].ask(do="machine")
            report_limits(limits)
            for name in chosen.families:
                family = importlib.import_module(f"benchmarks.{name}")
                print(f"\n{name}: {family.__doc__.strip().splitlines()[0]}", flush=True)
                for index, case in enumerate(family.CASES):
                    if (chosen.quick and not case.quick) or chosen.match not in case.label:
                        continue
                    arrays = family.inputs(case, np.random.default_rng(SEED))
                    wide = {
                        k: a.astype(np.float64) if getattr(a, "dtype", None) == np.float32 else a
                        for k, a in arrays.items()
                    }
                    reference = [np.asarray(r) for r in family.reference(case, wide)]
                    result = measure(case, index, reference, workers, chosen.rounds, chosen.budget)
                    print("\n".join(lines(result)), flush=True)
                    results.append(result)
        finally:
            for worker in workers.values():
                worker.close()
    if chosen.json:
        document = {"machine": about, "versions": versions, "limits": limits, "results": [as_json(r) for r in results]}
        chosen.json.write_text(json.dumps(document, indent=1) + "\n")
    if chosen.plot:
        from benchmarks.plot import draw

        draw(results, about, chosen.plot)
    return 1 if any("dlbd" in r.failures for r in results) else 0
