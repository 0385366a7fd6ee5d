"""Where new arrays live: the CPU (NumPy arrays) or a GPU (CuPy arrays).

A GPU is used where there is one: the package was built with CUDA, a driver and a device are present, and CuPy is
installed. ``DLBD_DEVICE`` ("cpu", "cuda", "cuda:1") decides otherwise for a process, :func:`set_device` for a
program and :func:`device` for a block of one. Data that enters an operation goes to the current device, unless it is
a tensor or a CuPy array already, or stands beside one; what operations return stays where their inputs are.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

CPU = "cpu"


def _extension() -> ModuleType | None:
    try:
        return import_module("dlbd._cuda")
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        warnings.warn(f"the GPU module cannot be loaded ({error}); the CPU is used", RuntimeWarning, stacklevel=2)
        return None


EXTENSION = _extension()  # the kernels of a GPU; None in a build without CUDA


class _Thread(threading.local):
    chosen: str | None = None  # by `with device(...)`
    current: str = CPU  # the process's device as CUDA was told for this thread, which begins with the first GPU


_thread = _Thread()
_process: str | None = None  # chosen by set_device, or found out when first asked for
_cupy: ModuleType | None = None


def cupy() -> ModuleType:
    """CuPy, imported when first needed."""
    global _cupy
    if _cupy is None:
        try:
            import cupy as found
        except ImportError as error:
            raise ImportError(f"a GPU needs CuPy ({error}): pip install 'dlbd[cuda]'") from error
        _cupy = found
    return _cupy


def gpu_count() -> int:
    """How many GPUs this build of the package can use; 0 without CUDA, a driver or a device.

    Example:
        >>> dlbd.config.gpu_count() >= 0
        True
    """
    return len(_usable())


def _usable() -> list[int]:
    """The numbers of the GPUs that this build has code for."""
    return [] if EXTENSION is None else EXTENSION.usable_devices()


def current_device() -> str:
    """The device of new arrays, as :func:`device` takes it: "cpu", "cuda:0", ...

    Example:
        >>> with dlbd.device("cpu"):
        ...     dlbd.config.current_device()
        'cpu'
    """
    if _thread.chosen:
        return _thread.chosen
    name = _process or _found()
    if _thread.current != name:
        _make_current(name)
    return name


def _make_current(name: str) -> None:
    """Tell CUDA, which keeps a current device per thread."""
    if name != CPU:
        cupy().cuda.Device(number_of(name)).use()
    _thread.current = name


def _found() -> str:
    """What DLBD_DEVICE says, or the first GPU that can be used, or the CPU."""
    global _process
    wanted = os.environ.get("DLBD_DEVICE", "").strip()
    if wanted:
        name = _checked(wanted, "DLBD_DEVICE")
    else:
        name = CPU
        if usable := _usable():
            try:
                cupy()
                name = f"cuda:{usable[0]}"
            except ImportError as error:
                warnings.warn(f"there is a GPU, but {error}; the CPU is used", RuntimeWarning, stacklevel=4)
        elif EXTENSION is not None and EXTENSION.device_count():
            reason = f"this build has no code for it ({EXTENSION.build})"
            warnings.warn(f"there is a GPU, but {reason}; the CPU is used", RuntimeWarning, stacklevel=4)
    _process = name
    return name


def number_of(name: str) -> int:
    """Which GPU "cuda:1" is."""
    return int(name.partition(":")[2] or 0)


def _checked(name: Any, asked_by: str) -> str:
    kind, _, number = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind == CPU and not number:
        return CPU
    if kind not in ("cuda", "gpu") or not (number or "0").isdecimal():
        raise ValueError(f'[{asked_by}] expected "cpu", "cuda" or "cuda:<number>"; received {name!r}')
    if EXTENSION is None:
        raise RuntimeError(f"[{asked_by}] {name!r} is not there: dlbd was built without CUDA (see `dlbd info`)")
    usable, count = _usable(), EXTENSION.device_count()
    wanted = int(number) if number else next(iter(usable), 0)
    if wanted >= count:
        raise RuntimeError(f"[{asked_by}] {name!r} is not there: {count} GPUs are present")
    if wanted not in usable:
        raise RuntimeError(f"[{asked_by}] {name!r} cannot be used: this build has no code for it ({EXTENSION.build})")
    cupy()
    return f"cuda:{wanted}"


def set_device(name: str) -> None:
    """Choose the device of arrays and models made from now on, in all threads.

    Args:
        name: "cpu", "cuda" (the first GPU that can be used) or "cuda:<number>".

    Raises:
        ValueError: another name.
        RuntimeError: there is no such GPU, or the package was built without CUDA.
        ImportError: CuPy is not installed.

    Example:
        >>> before = dlbd.config.current_device()
        >>> dlbd.config.set_device("cpu")
        >>> type(dlbd.ops.ones(2).array).__module__
        'numpy'
        >>> dlbd.config.set_device(before)
    """
    global _process
    _process = _checked(name, "set_device")
    _make_current(_process)


@contextmanager
def device(name: str) -> Iterator[None]:
    """Choose the device of arrays and models made in this block, on this thread.

    Args:
        name: "cpu", "cuda" (the first GPU that can be used) or "cuda:<number>".

    Raises:
        ValueError, RuntimeError, ImportError: as :func:`set_device`.

    Example:
        >>> with dlbd.device("cpu"):
        ...     x = dlbd.ops.ones(3)
        >>> x.device
        'cpu'
    """
    wanted = _checked(name, "device")
    before, _thread.chosen = _thread.chosen, wanted
    try:
        if wanted == CPU:
            yield
        else:
            with cupy().cuda.Device(number_of(wanted)):
                yield
    finally:
        _thread.chosen = before
