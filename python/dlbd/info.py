"""What a bug report needs to know about this installation."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import numpy as np

from dlbd import _cpu, devices

_CUPY = ("cupy-cuda12x", "cupy-cuda13x")  # CuPy's wheels, one per CUDA version


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.lower().startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _device() -> str:
    """The current device, and the GPU behind it; why there is none."""
    if devices.EXTENSION is None:
        return "cpu"
    try:
        name = devices.current_device()
    except (RuntimeError, ValueError, ImportError) as error:
        return f"unusable: {error}"
    count, usable = devices.EXTENSION.device_count(), devices.EXTENSION.usable_devices()
    if not count:
        return f"{name} (no driver or no GPU)"
    if not usable:
        return f"{name} (no code for the {count} GPUs present)"
    gpus = [devices.cupy().cuda.runtime.getDeviceProperties(i) for i in range(count)]
    listed = [f"{g['name'].decode()} {g['totalGlobalMem'] >> 30} GiB" for g in gpus]
    notes = ["" if i in usable else " without code for it" for i in range(count)]
    return f"{name} (present: {', '.join(map(str.__add__, listed, notes))})"


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
        "cuda": "not built" if devices.EXTENSION is None else devices.EXTENSION.build,
        "device": _device(),
        "processor": _processor(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "optional": ", ".join(f"{p} {_version(p)}" for p in ("scikit-learn", "matplotlib", *_CUPY)),
    }
    width = max(map(len, rows))
    return "\n".join(f"{name + ':':<{width + 1}} {value}" for name, value in rows.items())
