"""One peer's process: prepares cases and times them when the parent says so (one JSON object a line)."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402

from benchmarks import limits  # noqa: E402
from benchmarks.harness import Run  # noqa: E402
from benchmarks.peers import PEERS  # noqa: E402

SEED = 0


def fastest(runs: list[Run]) -> Run:
    """The quickest of a peer's ways, by three short turns each."""
    if len(runs) == 1:
        return runs[0]
    best = [float("inf")] * len(runs)
    for run in runs:
        run.call()
    for _ in range(3):
        for i, run in enumerate(runs):
            best[i] = min(best[i], timed(run, 0.02))
    return runs[best.index(min(best))]


def timed(run: Run, budget: float) -> float:
    """Seconds of one unit of work, averaged over about ``budget`` seconds of calls."""
    if run.seconds:
        return run.seconds() / run.units
    started = time.perf_counter()
    run.call()
    one = max(time.perf_counter() - started, 1e-7)
    if one > 5 * budget:  # so long that a cold start does not show
        return one / run.units
    count = max(1, int(budget / one))
    started = time.perf_counter()
    for _ in range(count):
        run.call()
    return (time.perf_counter() - started) / count / run.units


def prepare(peer: Any, request: dict[str, Any]) -> tuple[Run | None, dict[str, Any]]:
    family = importlib.import_module(f"benchmarks.{request['family']}")
    case = family.CASES[request["index"]]
    make = getattr(peer, case.op, None)
    made = make(case, family.inputs(case, np.random.default_rng(SEED))) if make else None
    if not made:
        return None, {"runs": False}
    runs = list(made) if isinstance(made, (list, tuple)) else [made]
    run = fastest(runs)
    results = (run.check or run.call)()
    if not isinstance(results, (list, tuple)):
        results = [results]
    np.savez(request["results"], *[peer.to_numpy(r) for r in results if r is not None])
    return run, {"runs": True, "way": run.label}


def main() -> None:
    # What the libraries print must not reach the parent's pipe.
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**values: Any) -> None:
        pipe.write(json.dumps(values) + "\n")
        pipe.flush()

    name, threads = sys.argv[1], int(sys.argv[2])
    if threads < len(os.sched_getaffinity(0)):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        peer = PEERS[name](threads)
    except ImportError as error:
        answer(version=None, reason=str(error))
        return
    answer(version=peer.version)
    run: Run | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                run, prepared = prepare(peer, request)
                answer(**prepared)
            elif request["do"] == "time":
                assert run is not None
                answer(seconds=timed(run, request["budget"]))
            elif request["do"] == "limits":
                answer(**limits.measure())
            elif request["do"] == "machine":
                answer(**limits.by_isa())
            else:
                run = None
                answer()
        except Exception:
            answer(error=traceback.format_exc(limit=-3))


if __name__ == "__main__":
    main()
