"""What a bug report needs to know about this installation."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import numpy as np

from dlbd import _cpu


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def describe() -> str:
    """Version, build, processor, instruction set, threads and device, one ``name: value`` a line."""
    forced = os.environ.get("DLBD_ISA")
    rows = {
        "dlbd": _version("dlbd"),
        "build": _cpu.build,
        "instruction set": _cpu.isa + (" (forced by DLBD_ISA)" if forced else ""),
        "threads": f"{_cpu.num_threads()} of {os.cpu_count()} cores",
        "device": "cpu",
        "processor": _processor(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "optional": ", ".join(f"{p} {_version(p)}" for p in ("scikit-learn", "matplotlib")),
    }
    width = max(map(len, rows))
    return "\n".join(f"{name + ':':<{width + 1}} {value}" for name, value in rows.items())
