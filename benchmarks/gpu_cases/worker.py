"""The process that measures: `python -m benchmarks.gpu_cases.worker REQUEST.json RESULTS.jsonl`.

It appends one line per limit, case begun, row and dropped case, so that what was measured outlives a crash; the parent
starts it again for the cases that are left. The request: families, quick, deadline (Unix time), done (cases to pass
over), seconds (per case).
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.gpu_cases import FAMILIES

COMPILED_AFTER = 60.0  # seconds that torch.compile may take: with less time left it is dropped


def cases_of(family: str, quick: bool) -> list[Any]:
    module = importlib.import_module(f"benchmarks.gpu_cases.{family}")
    return [case for case in module.CASES if case.quick or not quick]


def key(case: Any) -> str:
    return f"{case.family}: {case.name}"


class Log:
    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8")

    def write(self, **values: Any) -> None:
        self.file.write(json.dumps(values) + "\n")
        self.file.flush()


def versions() -> dict[str, str]:
    import cupy
    import torch

    import dlbd

    return {
        "dlbd": dlbd.__version__,
        "pytorch": torch.__version__,
        "cudnn": str(torch.backends.cudnn.version()),
        "cupy": cupy.__version__,
    }


def run(request: dict[str, Any], log: Log) -> None:
    import torch

    from benchmarks.gpu_cases import limits, measuring, timing, training
    from dlbd import _cuda

    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    done, found_limits = set(request["done"]), request.get("limits")
    with timing.shared_stream():
        clock = timing.Clock()
        if found_limits is None:
            found_limits = limits.measure(_cuda, clock)
            log.write(kind="limits", limits=found_limits, versions=versions())
        families = [f for f in FAMILIES if f in request["families"]]
        for i, family in enumerate(families):
            shares = [FAMILIES[f] for f in families[i:]]
            stop = time.time() + (request["deadline"] - time.time()) * shares[0] / sum(shares)
            for case in cases_of(family, request["quick"]):
                if key(case) in done:
                    continue
                if time.time() > stop:
                    log.write(kind="dropped", case=key(case), why="no time left")
                    continue
                log.write(kind="start", case=key(case))
                started = time.time()
                try:
                    if family == "training":
                        late = request["deadline"] - time.time() < COMPILED_AFTER
                        kinds = ("eager", "graph") if late else ("eager", "graph", "compile")
                        row = training.measure(case, kinds)
                        if late:
                            log.write(kind="dropped", case=f"{key(case)}, torch.compile", why="no time left")
                    else:
                        row = measuring.measure(case, _cuda, clock, found_limits, request["seconds"])
                except Exception:
                    row = {"peers": {}, "errors": {}, "failures": {"case": traceback.format_exc(limit=-3)}}
                about = {"family": family, "name": case.name, "precision": getattr(case, "precision", "float32")}
                log.write(kind="row", case=key(case), **about, **row, took=round(time.time() - started, 2))
                torch.cuda.synchronize()  # a broken device ends this process here, and the parent starts another


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text())
    run(request, Log(Path(sys.argv[2])))


if __name__ == "__main__":
    main()
