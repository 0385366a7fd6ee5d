"""Memory, recordings and the way between host and device: what stands between an operation and its kernels.

An operation asks for the twin module that holds its arrays' type, allocates its outputs with :func:`empty` and calls
the kernel by name. Nothing here looks anything up at run time beyond that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

try:
    from dlbd import _cpu
except ImportError as error:
    raise ImportError(
        f"dlbd's compiled part (_cpu) cannot be loaded: {error}. Was the package built? Try `pip install .`"
    ) from error
from dlbd import devices

_cuda: Any = devices.EXTENSION
if _cuda is None:
    devices.current_device()  # a DLBD_DEVICE that names a GPU is an error here, as DLBD_ISA's is: nothing asks again

# NumPy's on the CPU; a cupy.ndarray on a GPU offers what is used of it here.
Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)
UINT8, BOOL = np.dtype(np.uint8), np.dtype(np.bool_)

# The kernels' name of each dtype.
DTYPE = {
    FLOAT32: _cpu.DType.float32,
    FLOAT64: _cpu.DType.float64,
    INT32: _cpu.DType.int32,
    INT64: _cpu.DType.int64,
    UINT8: _cpu.DType.uint8,
    BOOL: _cpu.DType.bool,
}

# Grows whenever a recorded step may have become stale: a variable moved to other memory, was frozen or thawed, or
# what a layer, a loss or a metric reads while it runs was assigned anew.
structure_version = 0

# Grows with each label or index out of range that a read from a GPU met: updates before it did not happen.
faults = 0


def structure_changed() -> None:
    global structure_version
    structure_version += 1


class _Step(threading.local):
    running = False
    host_work: list[Callable[[], None]] | None = None


_step = _Step()


@contextmanager
def running_step() -> Iterator[list[Callable[[], None]]]:
    """While a model's step runs: what its layers note on themselves then does not make it stale.

    Gives the list that :func:`before_each_replay` fills.
    """
    before = _step.running, _step.host_work
    _step.running, _step.host_work = True, []
    try:
        yield _step.host_work
    finally:
        _step.running, _step.host_work = before


def before_each_replay(work: Callable[[], None]) -> None:
    """While a model's step runs: have ``work`` called on the host before each replay of it."""
    if _step.host_work is not None:
        _step.host_work.append(work)


class Versioned:
    """Something whose attributes recorded steps have read: assigning another value makes them stale."""

    _revision = 0
    _unrecorded: ClassVar[frozenset[str]] = frozenset()  # attributes that no step reads

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name, _MISSING)
        object.__setattr__(self, name, value)
        if before is value or name in self._unrecorded or _step.running:
            return
        if not (type(before) is type(value) and isinstance(value, _PLAIN) and before == value):
            self._changed()

    def _changed(self) -> None:
        self.__dict__["_revision"] = self._revision + 1
        structure_changed()


_MISSING = object()
_PLAIN = (bool, int, float, str)


# Which named path each family's shape objects take: "auto" lets the shape choose; tests force others.
path: dict[str, str] = {}


@contextmanager
def forced_path(family: str, name: str) -> Iterator[None]:
    """Make every operation of ``family`` take the kernel path ``name`` (for tests)."""
    before = path.get(family, "auto")
    path[family] = name
    try:
        yield
    finally:
        path[family] = before


def twin(array: Array) -> ModuleType:
    """The extension module whose kernels take this kind of array."""
    if isinstance(array, np.ndarray):
        return _cpu
    if is_device_array(array):
        return _cuda
    raise TypeError(f"no kernels for {type(array).__name__}")


def current_twin() -> ModuleType:
    """The extension module of the current device."""
    return _cpu if _cuda is None or devices.current_device() == devices.CPU else _cuda


def is_device_array(x: Any) -> bool:
    """Whether ``x`` is an array of a GPU that our kernels take: a cupy.ndarray."""
    return devices._cupy is not None and isinstance(x, devices._cupy.ndarray)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], like: Array | None = None) -> Array:
    """An uninitialised C-contiguous array on the device of ``like``, or on the current one."""
    return (current_twin() if like is None else twin(like)).empty(shape, dtype, like)  # type: ignore[no-any-return]


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any], like: Array | None = None) -> Array:
    y = empty(shape, dtype, like)
    twin(y).fill(0.0, y)
    return y


def place(array: Array, like: Array | None = None) -> Array:
    """A NumPy array where ``like`` is, or on the current device: itself on the CPU, a copy on a GPU."""
    if _cuda is None or (isinstance(like, np.ndarray) if like is not None else current_twin() is _cpu):
        return array
    return _cuda.from_host(np.require(array, requirements=["C", "A"]), like)  # type: ignore[no-any-return]


def on_host(array: Array) -> Array:
    """The array for reading on the host: itself on the CPU; from a GPU a copy, once every launch before is done.

    Raises:
        ValueError: a kernel met a label or an index out of range since the last read from the GPU.
    """
    global faults
    if isinstance(array, np.ndarray):
        return array
    y = np.empty(array.shape, array.dtype)
    try:
        _cuda.download(array, y)
    except ValueError:
        faults += 1
        raise
    return y


def copied(array: Array) -> Array:
    """A new NumPy array with the values of ``array``."""
    return np.array(array) if isinstance(array, np.ndarray) else on_host(array)


def write(array: Array, value: Any) -> None:
    """``array[...] = value`` for a number, a NumPy array or an array of the same device."""
    if isinstance(array, np.ndarray):
        array[...] = value
    elif is_device_array(value):
        _cuda.assign(value, array)
    else:
        _cuda.upload(np.require(np.broadcast_to(value, array.shape), array.dtype, ["C", "A"]), array)


def poison(reason: str) -> None:
    """While a step is recorded: it did something that a replay would not repeat, and is called each time instead."""
    _cpu.poison(reason)
    if _cuda is not None:
        _cuda.poison(reason)


@contextmanager
def unrecorded() -> Iterator[None]:
    """What the host launches and reads for itself in here is no part of the step that this thread records."""
    twins = [_cpu] if _cuda is None else [_cpu, _cuda]
    recordings = [twin.swap_recording(None) for twin in twins]
    try:
        yield
    finally:
        for twin, recording in zip(twins, recordings, strict=True):
            twin.swap_recording(recording)


def is_recording() -> bool:
    """Whether this thread records a step, on either device."""
    return bool(_cpu.is_recording() or (_cuda is not None and _cuda.is_recording()))
