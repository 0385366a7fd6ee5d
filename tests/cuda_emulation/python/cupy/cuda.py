"""Devices, streams and memory of the emulated CuPy."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from types import SimpleNamespace
from typing import Any

_libc = ctypes.CDLL(None)
_libc.free.argtypes = [ctypes.c_void_p]
_libc.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]

_DEVICES = 2
_ALIGNMENT = 512  # as CuPy's pool


class OutOfMemoryError(MemoryError):
    pass


memory = SimpleNamespace(OutOfMemoryError=OutOfMemoryError)


class _Local(threading.local):
    def __init__(self) -> None:
        self.device = 0
        self.streams: dict[int, Stream] = {}


_local = _Local()


class _Memory:
    """A block of exactly the bytes asked for, so that AddressSanitizer sees what is beyond it."""

    def __init__(self, size: int, device_id: int) -> None:
        self.ptr = 0
        limit = int(os.environ.get("DLBD_EMULATION_MEMORY", 1 << 34))
        if size > limit:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        self.size, self.device_id = size, device_id
        if size:
            found = ctypes.c_void_p()
            if _libc.posix_memalign(ctypes.byref(found), _ALIGNMENT, size):
                raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
            self.ptr = found.value
            ctypes.memset(self.ptr, 0xFF, size)

    def __del__(self) -> None:
        if self.ptr:
            _libc.free(self.ptr)


class MemoryPointer:
    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self._offset = mem, offset

    @property
    def ptr(self) -> int:
        return self.mem.ptr + self._offset

    @property
    def device_id(self) -> int:
        return self.mem.device_id

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self._offset + offset)


class Memory(_Memory):
    def __init__(self, size: int) -> None:
        super().__init__(size, _local.device)


class UnownedMemory:
    def __init__(self, ptr: int, size: int, owner: Any, device_id: int) -> None:
        self.ptr, self.size, self.device_id, self._owner = ptr, size, device_id, owner


class MemoryPool:
    """Hands out blocks; a free one is used again by this pool alone. As CuPy's, it does not outlive its last user:
    blocks that are in use then go with it."""

    def __init__(self, allocator: Any = None) -> None:
        self._allocator = allocator or (lambda size: MemoryPointer(Memory(size), 0))
        self._free: dict[int, list[Any]] = {}
        self._in_use: dict[int, Any] = {}
        self._bytes = 0

    def malloc(self, size: int) -> MemoryPointer:
        if size == 0:
            return MemoryPointer(Memory(0), 0)
        free = self._free.get(size)
        if free:
            block = free.pop()
        else:
            block = self._allocator(size).mem
            self._bytes += size
        self._in_use[block.ptr] = block
        return MemoryPointer(_Lent(block, weakref.ref(self)), 0)

    def total_bytes(self) -> int:
        return self._bytes

    def free_all_blocks(self) -> None:
        self._free.clear()


class _Lent:
    def __init__(self, block: Any, pool: Any) -> None:
        self._pool = pool
        self.ptr, self.device_id, self.size = block.ptr, block.device_id, block.size

    def __del__(self) -> None:
        pool = self._pool()
        if pool is not None:
            pool._free.setdefault(self.size, []).append(pool._in_use.pop(self.ptr))


def alloc(size: int) -> MemoryPointer:
    return MemoryPointer(_Memory(size, _local.device), 0)


class Device:
    def __init__(self, device: int | None = None) -> None:
        self.id = _local.device if device is None else int(device)
        if not 0 <= self.id < _DEVICES:
            raise ValueError(f"no device {self.id}")
        self._before: list[int] = []

    def __enter__(self) -> Device:
        self._before.append(_local.device)
        self.use()
        return self

    def __exit__(self, *exc: object) -> None:
        Device(self._before.pop()).use()

    def use(self) -> None:
        from dlbd import _cuda

        _local.device = self.id
        _cuda.set_device(self.id)

    def synchronize(self) -> None:
        pass

    @property
    def compute_capability(self) -> str:
        return os.environ.get("DLBD_EMULATION_CAPABILITY", "80")

    @property
    def mem_info(self) -> tuple[int, int]:
        return runtime.memGetInfo()


class Stream:
    def __init__(self, null: bool = False, non_blocking: bool = False, ptr: int = 0) -> None:
        self.ptr = ptr
        self.synchronized = 0  # tests count

    def __enter__(self) -> Stream:
        self._before = get_current_stream()
        self.use()
        return self

    def __exit__(self, *exc: object) -> None:
        self._before.use()

    def use(self) -> Stream:
        _local.streams[_local.device] = self
        return self

    def synchronize(self) -> None:
        self.synchronized += 1

    def record(self, event: Any = None) -> Any:
        return event or Event()

    def wait_event(self, event: Any) -> None:
        pass


Stream.null = Stream()


class Event:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.done = True

    def record(self, stream: Any = None) -> None:
        pass

    def synchronize(self) -> None:
        pass


def alloc_pinned_memory(size: int) -> Any:
    return (ctypes.c_char * size)()


def get_current_stream(device_id: int | None = None) -> Stream:
    return _local.streams.get(_local.device if device_id is None else device_id, Stream.null)


def is_available() -> bool:
    return True


def _properties(device: int) -> dict[str, Any]:
    return {"name": b"host emulation", "totalGlobalMem": 1 << 34}


runtime = SimpleNamespace(
    getDeviceCount=lambda: _DEVICES,
    memGetInfo=lambda: (1 << 33, 1 << 34),
    getDevice=lambda: _local.device,
    driverGetVersion=lambda: 13000,
    getDeviceProperties=_properties,
    CUDARuntimeError=RuntimeError,
)
