"""What runs beside the measurements: the build, the tests on the GPU, compute-sanitizer. Each in its own processes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT

TESTS = (
    "tests/ops",
    "tests/layers",
    "tests/losses",
    "tests/metrics",
    "tests/optimizers",
    "tests/models/test_fit.py",
    "tests/models/test_training.py",
    "tests/golden",
    "tests/test_device.py",
    "tests/test_recording.py",
    "tests/test_autograd.py",
)
QUICK_TESTS = ("tests/ops/test_table.py", "tests/test_device.py")
SANITIZERS = ("memcheck", "racecheck", "initcheck")
TEST_WORKERS = 8  # processes that share the GPU with the sanitizers
SHOWN = 40  # failing tests that the report names
LAST_WORDS = 20.0  # seconds that an interrupted process gets to write its summary


@dataclass
class Job:
    """A process with a time limit; its output goes to a file."""

    name: str
    command: Sequence[str]
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    seconds: float = 0.0
    timed_out: bool = False
    notes: dict[str, Any] = field(default_factory=dict)

    def start(self) -> Job:
        self.started = time.time()
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def finish(self, deadline: float) -> int:
        """The exit status; at the deadline the process is interrupted, then killed with all that it started."""
        assert self.process
        try:
            self.process.wait(max(0.0, deadline - time.time()))
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self._signal(signal.SIGINT)
            try:
                self.process.wait(LAST_WORDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.process.wait()
        self.seconds = time.time() - self.started
        return self.process.returncode

    def _signal(self, number: int) -> None:
        assert self.process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def result(self, deadline: float) -> dict[str, Any]:
        status = self.finish(deadline)
        found = {"status": status, "seconds": round(self.seconds, 1), "timed_out": self.timed_out, **self.notes}
        if status != 0:
            found["tail"] = self.tail()
        return found


def environment(site: Path | None, **more: str) -> dict[str, str]:
    """Where dlbd is found: the fresh build if there is one, else wherever Python has it."""
    found = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1", **more)
    if site is not None:
        found["PYTHONPATH"] = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    return found


def build(site: Path, architecture: str, logs: Path, deadline: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--upgrade", "--no-index"]
    options = {
        "cmake.define.DLBD_CUDA": "ON",
        "cmake.define.DLBD_CUDA_ARCHITECTURES": architecture,
        "build-dir": str(ROOT / "build" / "gpu"),  # kept between calls on a warm machine
    }
    for name, value in options.items():
        command += ["-C", f"{name}={value}"]
    job = Job("build", [*command, "--target", str(site), "."], logs / "build.log", environment(None))
    found = job.start().result(deadline)
    if found["status"] == 0:
        module = subprocess.run(
            [sys.executable, "-c", "from dlbd import _cuda; print(_cuda.build)"],
            env=environment(site),
            cwd=logs,
            capture_output=True,
            text=True,
        )
        found["module"] = (module.stdout or module.stderr).strip().splitlines()[-1:]
        found["status"] = module.returncode
    return found


def tests(site: Path | None, logs: Path, quick: bool) -> Job:
    wanted = QUICK_TESTS if quick else TESTS
    present = [path for path in wanted if (ROOT / path).exists()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--maxfail=200", "--tb=short"]
    command.append(f"--junitxml={logs / 'tests.xml'}")
    if importlib.util.find_spec("xdist"):
        command += ["-n", str(TEST_WORKERS)]
    if quick:
        command += ["-k", "float32"]
    job = Job("tests", [*command, *present], logs / "tests.log", environment(site, DLBD_DEVICE="cuda:0"))
    job.notes["missing"] = [path for path in wanted if path not in present]
    return job.start()


def counts(junit: Path) -> dict[str, Any]:
    """How many passed, failed, were skipped, and which failed."""
    if not junit.exists():
        return {"passed": 0, "failed": 0, "skipped": 0, "failing": [], "incomplete": True}
    cases = list(ElementTree.parse(junit).iter("testcase"))
    failing = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
    skipped = sum(c.find("skipped") is not None for c in cases)
    return {
        "passed": len(cases) - len(failing) - skipped,
        "failed": len(failing),
        "skipped": skipped,
        "failing": [f"{c.get('classname')}::{c.get('name')}" for c in failing[:SHOWN]],
    }


def sanitizer() -> str | None:
    found = shutil.which("compute-sanitizer")
    beside = Path("/usr/local/cuda/bin/compute-sanitizer")
    return found or (str(beside) if beside.exists() else None)


def sanitize(tool: str, site: Path | None, logs: Path, seconds: float) -> Job:
    program = [sys.executable, str(ROOT / "benchmarks" / "gpu_small_shapes.py"), "--seconds", str(int(seconds))]
    command = [str(sanitizer()), "--tool", tool, "--error-exitcode", "99", "--print-limit", "20", *program]
    return Job(tool, command, logs / f"{tool}.log", environment(site, DLBD_DEVICE="cuda:0")).start()


def sanitized(log: Path) -> dict[str, Any]:
    """What a sanitizer's log says: errors, and how far the program came."""
    text = log.read_text(errors="replace")
    errors = re.search(r"ERROR SUMMARY: (\d+)", text) or re.search(r"RACECHECK SUMMARY: (\d+)", text)
    ran = re.search(r"^small shapes: (.*)$", text, re.MULTILINE)
    found = [line for line in text.splitlines() if line.startswith("=========")][:SHOWN]
    return {
        "errors": int(errors[1]) if errors else None,
        "ran": ran[1] if ran else "did not finish",
        "failing": found if errors and int(errors[1]) else [],
    }
