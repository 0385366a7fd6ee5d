"""Devices, memory and recordings: what stands between an operation and its kernels.

An operation asks for the twin module that holds its arrays' type, allocates its outputs with :func:`empty` and calls
the kernel by name. Nothing here looks anything up at run time beyond that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
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


def structure_changed() -> None:
    global structure_version
    structure_version += 1


class _Step(threading.local):
    running = False


_step = _Step()


@contextmanager
def running_step() -> Iterator[None]:
    """While a model's step runs: what its layers note on themselves then does not make it stale."""
    before, _step.running = _step.running, True
    try:
        yield
    finally:
        _step.running = before


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
    raise TypeError(f"no kernels for {type(array).__name__}")


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], like: Array) -> Array:
    """An uninitialised C-contiguous array on the device of ``like``."""
    return twin(like).empty(shape, dtype)  # type: ignore[no-any-return]


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any], like: Array) -> Array:
    y = empty(shape, dtype, like)
    twin(like).fill(0.0, y)
    return y
