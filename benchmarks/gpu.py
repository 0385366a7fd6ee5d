"""The GPU benchmark: build, test, sanitize, then check and time every family, in one call of ten minutes.

    python benchmarks/gpu.py [--quick] [--only gemm,conv] [--skip tests,sanitize] [--minutes N] [--json FILE]

Needs a GPU with nvcc, CuPy and PyTorch. Stages have time limits; what no time is left for is dropped and listed.
Status: 0 all is right (a target that is missed shows, but is no failure), 1 something failed or was wrong, 2 no GPU.
--self-check runs every case once at a tiny size against the CPU twin, on the host emulation or a GPU, without peers.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.cli import commit  # noqa: E402
from benchmarks.gpu_cases import FAMILIES, report, stages, worker  # noqa: E402
from benchmarks.harness import ROOT  # noqa: E402

STAGES = ("build", "tests", "sanitize", "measure")
MINUTES = 9.5
BUILD_SHARE, CHECK_SHARE = 0.55, 0.35  # of the time that is left when the stage begins, at most
REPORT_SECONDS = 10.0
CASE_SECONDS = 90.0  # a case that takes longer hangs: its process is ended and the next case begins
TRAINING_SECONDS = 240.0  # torch.compile
LAST_CASE_SECONDS = 15.0  # no case begins later than this before the end
START_SECONDS = 120.0  # importing the libraries, measuring the limits
SMALL_SHAPES_SECONDS = 100.0

_DEVICE = """
import json, cupy
p, d = cupy.cuda.runtime.getDeviceProperties(0), cupy.cuda.Device(0)
r = cupy.cuda.runtime
print(json.dumps({"device": p["name"].decode(), "capability": d.compute_capability, "emulated": "emulated" in
cupy.__version__, "memory_bytes": p["totalGlobalMem"], "multiprocessors": p.get("multiProcessorCount"),
"l2_bytes": p.get("l2CacheSize"), "cuda_driver": r.driverGetVersion(), "devices": r.getDeviceCount()}))
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few shapes of each family, fewer tests, memcheck alone")
    parser.add_argument("--only", default="", help=f"families to measure, comma-separated: {', '.join(FAMILIES)}")
    parser.add_argument("--skip", default="", help=f"stages, comma-separated: {', '.join(STAGES)}")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for everything together")
    parser.add_argument("--json", type=Path, help="default: benchmarks/results/gpu/<date>-<device>.json")
    parser.add_argument("--commit", default=commit(), help="what was measured, where git cannot say")
    parser.add_argument("--self-check", action="store_true", help="every case once at a tiny size, no timing")
    chosen = parser.parse_args()
    chosen.families = [f for f in chosen.only.split(",") if f] or list(FAMILIES)
    chosen.skipped = [s for s in chosen.skip.split(",") if s]
    for unknown in [f for f in chosen.families if f not in FAMILIES] + [s for s in chosen.skipped if s not in STAGES]:
        parser.error(f"there is no {unknown!r}")
    return chosen


def device() -> dict[str, Any]:
    """What GPU this is; SystemExit(2) without one."""
    ran = subprocess.run([sys.executable, "-c", _DEVICE], capture_output=True, text=True)
    if ran.returncode != 0:
        reason = ran.stderr.strip().splitlines()[-1:] or ["no answer"]
        print(
            f"benchmarks/gpu.py needs a GPU, its driver and CuPy; none can be used here: {reason[0]}", file=sys.stderr
        )
        raise SystemExit(2)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    if found["emulated"]:
        print("this is the host emulation, which no benchmark means anything on: use --self-check", file=sys.stderr)
        raise SystemExit(2)
    queries = {
        "driver": ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
        "nvcc": ["nvcc", "--version"],
    }
    for name, command in queries.items():
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[name] = said.strip().splitlines()[-1 if name == "nvcc" else 0]
        except (OSError, subprocess.CalledProcessError):
            found[name] = "unknown"
    return found


def self_check(families: list[str], quick: bool) -> int:
    from benchmarks.gpu_cases import measuring, training

    bad = total = 0
    for family in families:
        for case in worker.cases_of(family, quick):
            total += 1
            try:
                wrong = (training if family == "training" else measuring).self_check(case)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                bad += 1
                print(f"{worker.key(case)}: {wrong}", flush=True)
    print(f"{total - bad} passed, {bad} failed")
    return bad > 0


class Run:
    """Everything that one call finds out."""

    def __init__(self, chosen: argparse.Namespace, about: dict[str, Any], logs: Path) -> None:
        self.chosen, self.about, self.logs = chosen, about, logs
        self.end = time.time() + 60 * chosen.minutes - REPORT_SECONDS
        self.site: Path | None = None
        self.found: dict[str, Any] = {"about": about, "stages": {}, "dropped": [], "limits": None, "rows": []}
        self.failed = False

    def left(self) -> float:
        return self.end - time.time()

    def say(self, text: str) -> None:
        print(f"[{60 * self.chosen.minutes - REPORT_SECONDS - self.left():5.0f} s] {text}", flush=True)

    def drop(self, what: str, why: str) -> None:
        self.found["dropped"].append({"what": what, "why": why})
        self.say(f"DROPPED {what}: {why}")

    def wanted(self, stage: str) -> bool:
        if stage in self.chosen.skipped:
            self.drop(stage, "--skip")
        return stage not in self.chosen.skipped

    def build(self) -> bool:
        if not self.wanted("build"):
            return True
        self.site = self.logs / "site"
        self.say(f"build for {self.about['capability']}")
        limit = time.time() + BUILD_SHARE * self.left()
        result = stages.build(self.site, f"{self.about['capability']}-real", self.logs, limit)
        self.found["stages"]["build"] = result
        self.say(f"build: status {result['status']} after {result['seconds']} s {result.get('module', '')}")
        if result["status"]:
            print(result.get("tail", ""))
        return result["status"] == 0

    def check(self) -> None:
        """Tests and sanitizers side by side: neither is timed."""
        limit = time.time() + CHECK_SHARE * self.left()
        jobs = {}
        if self.wanted("tests"):
            jobs["tests"] = stages.tests(self.site, self.logs, self.chosen.quick)
        if self.wanted("sanitize"):
            seconds = min(SMALL_SHAPES_SECONDS, 0.7 * (limit - time.time()))
            for tool in stages.SANITIZERS[: 1 if self.chosen.quick else None]:
                if stages.sanitizer() is None:
                    self.drop(tool, "there is no compute-sanitizer")
                else:
                    jobs[tool] = stages.sanitize(tool, self.site, self.logs, seconds)
        if jobs:
            self.say(f"side by side: {', '.join(jobs)}")
        for name, job in jobs.items():
            result = job.result(limit)
            if name == "tests":
                result |= stages.counts(self.logs / "tests.xml")
                text = f"{result['passed']} passed, {result['failed']} failed, {result['skipped']} skipped"
            else:
                result |= stages.sanitized(job.log)
                text = f"{result['errors']} errors; {result['ran']}"
            self.found["stages"][name] = result
            self.say(f"{name}: status {result['status']}, {text}")
            for missing in result.get("missing", []):
                self.drop(missing, "it does not exist")
            if result["timed_out"]:
                self.drop(f"the rest of {name}", "its time was up")
            if result["status"] != 0:
                self.failed = True
                print("\n".join(result.get("failing", [])) or result["tail"])

    def measure(self) -> None:
        if not self.wanted("measure"):
            return
        log, request = self.logs / "rows.jsonl", self.logs / "request.json"
        log.touch()
        position, begun, starts = 0, [], 0
        while self.left() > LAST_CASE_SECONDS:
            wanted = {
                "families": self.chosen.families,
                "quick": self.chosen.quick,
                "deadline": self.end - LAST_CASE_SECONDS,
                "done": begun,
                "limits": self.found["limits"],
                "seconds": 0.15 if self.chosen.quick else 0.3,
            }
            request.write_text(json.dumps(wanted))
            command = [sys.executable, "-m", "benchmarks.gpu_cases.worker", str(request), str(log)]
            environment = stages.environment(self.site, DLBD_DEVICE="cuda:0")
            job = stages.Job("measure", command, self.logs / f"measure{starts}.log", environment).start()
            before, starts = len(begun), starts + 1
            position, running = self._follow(job, log, position, begun)
            status = job.finish(time.time())
            if running is None and status == 0:
                return
            if self.left() < 0:
                self.drop(running or "the rest", "its time was up")
                return
            self.failed = True
            self.drop(running or "measure", f"its process ended with status {status}:\n{job.tail()}")
            print(job.tail(6))
            if len(begun) == before:  # another start would end the same way
                return

    def _follow(self, job: stages.Job, log: Path, position: int, begun: list[str]) -> tuple[int, str | None]:
        """Read what the worker writes until it ends or hangs; the position in the log, and the case it was at."""
        assert job.process
        running, since, patience = None, time.time(), START_SECONDS
        while True:
            ended = job.process.poll() is not None
            with log.open(encoding="utf-8") as file:
                file.seek(position)
                while (text := file.readline()).endswith("\n"):
                    position = file.tell()
                    event, since = json.loads(text), time.time()
                    if event["kind"] in ("start", "dropped"):
                        begun.append(event["case"])
                    if event["kind"] == "start":
                        running = event["case"]
                        patience = TRAINING_SECONDS if running.startswith("training") else CASE_SECONDS
                    else:
                        running, patience = self._note(event, running), START_SECONDS
            if ended or time.time() - since > patience or self.left() < 0:
                return position, running
            time.sleep(0.2)

    def _note(self, event: dict[str, Any], running: str | None) -> str | None:
        if event["kind"] == "limits":
            self.found["limits"], self.found["versions"] = event["limits"], event["versions"]
            for name, value in event["limits"].items():
                self.say(f"limit {name}: {value / 1e9:.0f} GB/s or GFLOP/s")
        elif event["kind"] == "dropped":
            self.found["dropped"].append({"what": event["case"], "why": event["why"]})
            return running
        elif event["kind"] == "row":
            self.found["rows"].append({k: v for k, v in event.items() if k != "kind"})
            print(report.line(event), flush=True)
            self.failed |= bool({"dlbd", "case"} & set(event["failures"]))
        return None

    def write(self) -> None:
        self.found["targets"] = report.targets(self.found["rows"])
        name = re.sub(r"[^a-z0-9]+", "-", self.about["device"].lower()).strip("-")
        default = ROOT / "benchmarks" / "results" / "gpu" / f"{self.about['date'][:10]}-{name}.json"
        path = self.chosen.json or default
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")
        print(f"\nTargets ({self.about['device']}, {self.about['commit']}):")
        print("\n".join(report.target_line(t) for t in self.found["targets"]))
        dropped = self.found["dropped"]
        print(f"{len(self.found['rows'])} rows, {len(dropped)} dropped" + (":" if dropped else ""))
        print("\n".join(report.dropped_lines(dropped)))
        print(f"written to {path}")


def main() -> int:
    chosen = arguments()
    if chosen.self_check:
        return self_check(chosen.families, chosen.quick)
    about = device()
    about["date"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    about["commit"], about["dirty"] = chosen.commit, chosen.commit.endswith("-dirty")
    about["command"] = " ".join(sys.argv)
    print(", ".join(f"{k} {v}" for k, v in about.items()), flush=True)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(ROOT / "build" / "inductor"))
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(chosen, about, Path(scratch))
        try:
            if run.build():
                run.check()
                run.measure()
            else:
                run.failed = True
        finally:
            run.write()
    return int(run.failed)


if __name__ == "__main__":
    sys.exit(main())
