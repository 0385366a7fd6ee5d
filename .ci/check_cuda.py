"""Compile every kernel of csrc/cuda for an old and a new GPU and fail on a hot kernel that spills or has a stack frame.

Usage: check_cuda.py [--log BUILD_LOG | --nvcc PATH | --site SITE_PACKAGES] [--arch 75,90a] [--jobs N] [--only gemm,..]

With --log nothing is compiled: it is what ninja printed of a build with DLBD_CUDA_REPORT=ON.

nvcc is found by --nvcc, in SITE_PACKAGES/nvidia/cu13 (PyPI's nvidia-cuda-nvcc), by CUDACXX, on PATH, or in this
Python's packages. Every kernel is hot unless .ci/allowed_spills.txt excuses it. What ptxas said is kept in
build/cuda-check under a hash of the compiler, its flags and all that a source includes from csrc: an unchanged file
costs nothing.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = ROOT / "csrc" / "cuda"
CACHE = ROOT / "build" / "cuda-check"
ARCHITECTURES = ("75", "90a")
FLAGS = ("-c", "-std=c++20", "-O3", "-DDLBD_ISA=cuda", "--extended-lambda", "-Xcompiler=-fPIC,-Wall", "-Xptxas=-v")


@dataclass
class Kernel:
    file: str
    architecture: str
    name: str
    registers: int = 0
    shared: int = 0
    stack: int = 0
    spilled: int = 0


@dataclass
class Excuse:
    file: str
    pattern: str
    reason: str
    used: bool = False

    def covers(self, kernel: Kernel) -> bool:
        return fnmatch.fnmatch(kernel.file, self.file) and re.search(self.pattern, kernel.name) is not None


def excuses() -> list[Excuse]:
    lines = (pathlib.Path(__file__).parent / "allowed_spills.txt").read_text().splitlines()
    return [Excuse(*(f.strip() for f in line.split(" | "))) for line in lines if line and not line.startswith("#")]


def find_nvcc(nvcc: str | None, site: str | None) -> pathlib.Path:
    if nvcc:
        return pathlib.Path(nvcc)
    packages = [site] if site else sys.path
    packaged = [pathlib.Path(p) / "nvidia" / "cu13" / "bin" / "nvcc" for p in packages if p]
    installed = [pathlib.Path(p) for p in (os.environ.get("CUDACXX"), shutil.which("nvcc")) if p]
    for found in packaged if site else installed + packaged:
        if found.exists():
            return found
    raise SystemExit(
        "no nvcc: give --nvcc or --site, set CUDACXX, or pip install nvidia-cuda-nvcc (see CONTRIBUTING.md)"
    )


def included(source: pathlib.Path, known: dict[pathlib.Path, str]) -> None:
    """The texts of the source and of all that it includes by a path of its own."""
    if source in known:
        return
    known[source] = source.read_text()
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', known[source], re.MULTILINE):
        file = (source.parent / name).resolve()
        if file.exists():
            included(file, known)


def digest(source: pathlib.Path, version: str, architecture: str) -> str:
    texts: dict[pathlib.Path, str] = {}
    included(source, texts)
    parts = [version, architecture, *FLAGS]
    parts += [f"{path.relative_to(ROOT)}\n{texts[path]}" for path in sorted(texts)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def compile_one(nvcc: pathlib.Path, version: str, source: pathlib.Path, architecture: str) -> tuple[str, float]:
    """What the compiler said, and the seconds it took; SystemExit where it failed."""
    kept = CACHE / f"{source.stem}-{architecture}-{digest(source, version, architecture)[:24]}.txt"
    if kept.exists():
        return kept.read_text(), 0.0
    started = time.monotonic()
    target = f"-gencode=arch=compute_{architecture},code=sm_{architecture}"
    command = [str(nvcc), *FLAGS, target, str(source), "-o", os.devnull]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    said = ran.stdout + ran.stderr
    if ran.returncode != 0:
        raise SystemExit(f"{source.name} does not compile for sm_{architecture}:\n{said}")
    for old in CACHE.glob(f"{source.stem}-{architecture}-*.txt"):
        old.unlink()
    kept.write_text(said)
    return said, time.monotonic() - started


def kernels(said: str, file: str, architecture: str) -> Iterator[Kernel]:
    """ptxas names a kernel, then its stack, then its registers."""
    kernel = None
    for line in said.splitlines():
        if entry := re.search(r"Compiling entry function '([^']+)'", line):
            kernel = Kernel(file, architecture, entry[1])
        elif kernel is None:
            continue
        elif memory := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            kernel.stack, kernel.spilled = int(memory[1]), int(memory[2]) + int(memory[3])
        elif used := re.search(r"Used (\d+) registers", line):
            kernel.registers = int(used[1])
            smem = re.search(r"(\d+) bytes smem", line)
            kernel.shared = int(smem[1]) if smem else 0
            yield kernel
            kernel = None


def demangle(found: list[Kernel]) -> None:
    names = "\n".join(k.name for k in found)
    try:
        ran = subprocess.run(["c++filt"], input=names, capture_output=True, text=True, check=True)
    except OSError as error:
        raise SystemExit(f"c++filt (binutils) is needed to name kernels: {error}") from None
    for kernel, name in zip(found, ran.stdout.splitlines(), strict=True):
        kernel.name = short(name)


def short(name: str) -> str:
    """Without namespaces and the list of parameters: "rows_kernel<float, 4>"."""
    name = name.replace("(anonymous namespace)::", "").replace("dlbd::cuda::", "").replace("dlbd::", "")
    name = name.removeprefix("void ")
    depth = 0
    for i, letter in enumerate(name):
        if letter == "(" and depth == 0:
            return name[:i]
        depth += (letter == "<") - (letter == ">")
    return name


def jobs_of(only: list[str], architectures: list[str]) -> list[tuple[pathlib.Path, str]]:
    """The largest files first, so that no long one is left for the end; those of hopper/ for Hopper alone."""
    found = []
    for source in sorted(SOURCES.rglob("*.cu"), key=lambda p: -p.stat().st_size):
        if only and source.stem not in only:
            continue
        hopper = "hopper" in source.relative_to(SOURCES).parts
        found += [(source, a) for a in architectures if not hopper or a == "90a"]
    return found


def table(found: list[Kernel]) -> list[str]:
    """One line per kernel: its registers on each architecture, and static shared memory if it has any."""
    architectures = list(dict.fromkeys(k.architecture for k in found))
    rows: dict[tuple[str, str], dict[str, Kernel]] = {}
    for kernel in found:
        rows.setdefault((kernel.file, kernel.name), {})[kernel.architecture] = kernel
    lines = [f"{'registers':97}" + "".join(f"{'sm_' + a:>8}" for a in architectures)]
    for (file, name), per in sorted(rows.items()):
        cells = "".join(f"{per[a].registers if a in per else '':>8}" for a in architectures)
        shared = max(k.shared for k in per.values())
        lines.append(f"{file:26} {name[:70]:70}{cells}" + (f"  {shared} bytes shared" if shared else ""))
    return lines


def judge(found: list[Kernel], whole: bool) -> tuple[list[Kernel], list[str]]:
    """The hot kernels, and what is wrong: kernels that spill without an excuse, excuses that none needs."""
    hot, wrong, excused = [], [], excuses()
    for kernel in found:
        spills = kernel.stack > 0 or kernel.spilled > 0
        covering = [e for e in excused if e.covers(kernel)]
        for excuse in covering:
            excuse.used |= spills
        if not covering:
            hot.append(kernel)
        if spills and not covering:
            memory = f"{kernel.stack} bytes of stack, {kernel.spilled} bytes spilled"
            wrong.append(f"SPILLS {kernel.file} (sm_{kernel.architecture}): {kernel.name}: {memory}")
    if whole:
        wrong += [f"no kernel needs this any more: {e.file} | {e.pattern} | {e.reason}" for e in excused if not e.used]
    return hot, wrong


def logged(log: str) -> Iterator[Kernel]:
    """The kernels of a build's log: ninja names a file and prints what its compiler said, chip by chip."""
    file = ""
    for part in re.split(r"^\[\d+/\d+\] ", log, flags=re.MULTILINE):
        if built := re.match(r"Building CUDA object \S*csrc/cuda/(\S+\.cu)\.o", part):
            file = built[1]
            for chip in re.split(r"(?=^ptxas info\s+: Compiling entry function)", part, flags=re.MULTILINE)[1:]:
                architecture = re.search(r"for 'sm_(\w+)'", chip)
                yield from kernels(chip, file, architecture[1] if architecture else "")


def report(found: list[Kernel], whole: bool) -> bool:
    """Print the table and what is wrong; whether anything is."""
    if not found:
        print("no kernels: was the module built with DLBD_CUDA_REPORT=ON, and anew?")
        return True
    demangle(found)
    hot, wrong = judge(found, whole)
    print("\n".join([*table(hot), *wrong]))
    print(f"{len(found)} kernels, {len(hot)} hot, {len(wrong)} faults")
    return bool(wrong)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=pathlib.Path)
    parser.add_argument("--nvcc")
    parser.add_argument("--site", help="a site-packages folder that holds nvidia/cu13")
    parser.add_argument("--arch", default=",".join(ARCHITECTURES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="files without their ending, comma-separated")
    chosen = parser.parse_args()
    if chosen.log:
        return report(list(logged(chosen.log.read_text())), whole=True)
    nvcc = find_nvcc(chosen.nvcc, chosen.site)
    version = subprocess.run([str(nvcc), "--version"], capture_output=True, text=True, check=True).stdout
    CACHE.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    jobs = jobs_of([f for f in chosen.only.split(",") if f], chosen.arch.split(","))
    if not jobs:
        print(f"no kernels under {SOURCES}")
        return 1
    with ThreadPoolExecutor(chosen.jobs) as pool:
        said = list(pool.map(lambda job: compile_one(nvcc, version, *job), jobs))
    found: list[Kernel] = []
    for (source, architecture), (text, _) in zip(jobs, said, strict=True):
        file = source.relative_to(SOURCES).as_posix()
        found += kernels(text, file, architecture)
        for warning in dict.fromkeys(line for line in text.splitlines() if "warning" in line):
            print(f"{file} (sm_{architecture}): {warning}")
    failed = report(found, whole=not chosen.only and chosen.arch == ",".join(ARCHITECTURES))
    took = sorted(((s, f"{job[0].name} sm_{job[1]}") for job, (_, s) in zip(jobs, said, strict=True)), reverse=True)
    unchanged = sum(seconds == 0 for seconds, _ in took)
    print(
        f"{len(jobs)} compilations, {unchanged} known, {time.monotonic() - started:.0f} s, "
        f"longest {took[0][1]} {took[0][0]:.0f} s"
    )
    return failed


if __name__ == "__main__":
    sys.exit(main())
