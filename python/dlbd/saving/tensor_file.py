"""Files of named arrays in the safetensors format, with checksums: our own reader, which trusts nothing, and writer.

Eight bytes: the length of the header, little-endian. The header, JSON: for each array its dtype, its shape and where
its bytes begin and end, and under ``__metadata__`` strings. Then the bytes
(https://github.com/huggingface/safetensors).

Two strings are ours: "checksums" holds the CRC-32 of each array's bytes, "checksum" that of the header with eight zeros
in its own place. With them a changed byte is found wherever it lies; other readers pay no attention to them.
"""

from __future__ import annotations

import math
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import Array
from dlbd.saving.atomic import replacing
from dlbd.saving.text import from_text, to_text

# The reference implementation's limit.
MAX_HEADER = 100_000_000
_MAX_AXES = 32  # of NumPy 1
_LENGTH = 8  # bytes of the header's length
_METADATA = "__metadata__"

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",  # the upper half of a float32
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
_NAMES = {np.dtype(kind): name for name, kind in _DTYPES.items() if name != "BF16"}
_CHECKSUM = re.compile(rb'"checksum":"([0-9a-f]{8})"')
_NO_CHECKSUM = "0" * 8


def write(path: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write ``arrays`` (of the host or of a GPU) and ``metadata`` in place of the file at ``path``, all or nothing.

    Raises:
        OSError: as :func:`dlbd.saving.atomic.replacing`.
        ValueError: the header gets longer than readers accept.
    """
    # Larger elements first: each array then lies at a multiple of its element's size.
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    sums = dict.fromkeys((name for name, _ in ordered), _NO_CHECKSUM)
    header = _header(ordered, metadata, sums)
    if len(header) > MAX_HEADER:
        raise ValueError(f"{path}: a header of {len(header)} bytes is more than the {MAX_HEADER} that readers accept")
    with replacing(path) as file:
        file.write(len(header).to_bytes(_LENGTH, "little"))
        file.write(header)
        for name, array in ordered:
            data = _bytes(backend.on_host(array))
            sums[name] = f"{zlib.crc32(data):08x}"
            file.write(data)
        header = _header(ordered, metadata, sums)
        sealed = header.replace(_mark(_NO_CHECKSUM), _mark(f"{zlib.crc32(header):08x}"), 1)
        file.seek(_LENGTH)
        file.write(sealed)


def _header(ordered: list[tuple[str, Array]], metadata: Mapping[str, str], sums: Mapping[str, str]) -> bytes:
    strings = {"checksum": _NO_CHECKSUM, **metadata, "checksums": to_text(sums)}
    entries: dict[str, Any] = {_METADATA: strings}
    at = 0
    for name, array in ordered:
        end = at + array.nbytes
        kind = _NAMES[array.dtype.newbyteorder("<")]
        entries[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, end]}
        at = end
    text = to_text(entries).encode()
    return text + b" " * (-len(text) % 8)  # the first array begins at a multiple of 8


def _mark(checksum: str) -> bytes:
    return f'"checksum":"{checksum}"'.encode()


def _bytes(array: Array) -> memoryview:
    little = np.require(array, array.dtype.newbyteorder("<"), "C")
    return little.reshape(-1).view(np.uint8).data


class TensorFile:
    """A file of named arrays, open for reading. All of its header is checked before anything else is read.

    Args:
        path: the file. Nothing but this file is ever opened.

    Attributes:
        metadata: the header's strings.
        sealed: whether the file has checksums.

    Raises:
        ValueError: the file is no such file, or broken. The message begins with its path.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # which does not wait for a pipe's other end
        self._file = open(handle, "rb", buffering=0)  # noqa: SIM115
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fault(self, text: str) -> ValueError:
        """An error about this file."""
        return ValueError(f"{self.path}: {text}")

    # The header

    def _read_header(self) -> None:
        status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise self.fault("is not a regular file")
        size = status.st_size
        if size < _LENGTH:
            raise self.fault(f"is cut off or not of the safetensors format: it has {size} bytes")
        length = int.from_bytes(self._exactly(_LENGTH, "the header's length"), "little")
        if length > min(size - _LENGTH, MAX_HEADER):
            raise self.fault(
                f"is cut off or not of the safetensors format: its header has {length} bytes of the file's {size}"
            )
        raw = bytes(self._exactly(length, "the header"))
        try:
            header = from_text(raw, "the header")
            self._check(header, size - _LENGTH - length)
        except ValueError as error:
            raise self.fault(str(error)) from error
        self._begin = _LENGTH + length
        self._check_seal(raw)

    def _check(self, header: Any, available: int) -> None:
        """Entries whose bytes lie one after the other and fill the rest of the file."""
        if not isinstance(header, dict):
            raise ValueError("the header is not a JSON object")
        self.metadata: dict[str, str] = header.pop(_METADATA, {})
        if not isinstance(self.metadata, dict) or not all(isinstance(v, str) for v in self.metadata.values()):
            raise ValueError(f"the header's {_METADATA} must hold strings")
        self._entries = {name: _Entry(name, given) for name, given in header.items()}
        end = 0
        for entry in sorted(self._entries.values(), key=lambda entry: (entry.begin, entry.end)):
            if entry.begin != end:
                kind = "overlap" if entry.begin < end else "leave a gap"
                raise ValueError(f"the bytes of {entry.name!r} and of the array before it {kind}")
            end = entry.end
        if end != available:
            raise ValueError(f"is cut off or has bytes too many: its arrays take {end} bytes, it holds {available}")

    def _check_seal(self, raw: bytes) -> None:
        self.sealed = "checksum" in self.metadata or "checksums" in self.metadata
        self._sums: dict[str, Any] = {}
        if not self.sealed:
            return
        found = _CHECKSUM.search(raw)
        if found is None or found[1].decode() != self.metadata.get("checksum"):
            raise self.fault("is broken: its checksum is missing")
        blank = raw[: found.start()] + _mark(_NO_CHECKSUM) + raw[found.end() :]
        if f"{zlib.crc32(blank):08x}" != self.metadata["checksum"]:
            raise self.fault("is broken: the header does not have its checksum")
        try:
            self._sums = from_text(self.metadata.get("checksums", ""), "the list of checksums")
        except ValueError as error:
            raise self.fault(str(error)) from error
        if not isinstance(self._sums, dict) or self._sums.keys() != self._entries.keys():
            raise self.fault("is broken: there must be a checksum for each array")

    # The arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entry(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of an array, as :meth:`read` gives it."""
        entry = self._entries[name]
        return entry.shape, np.dtype("f4" if entry.dtype == "BF16" else _DTYPES[entry.dtype]).newbyteorder("=")

    def read(self, name: str) -> Array:
        """A new array. ValueError if its bytes do not have their checksum."""
        entry = self._entries[name]
        self._file.seek(self._begin + entry.begin)
        data = self._exactly(entry.end - entry.begin, f"the array {name!r}")
        if self.sealed and f"{zlib.crc32(data.data):08x}" != self._sums[name]:
            raise self.fault(f"is broken: the array {name!r} does not have its checksum")
        raw = data.view(_DTYPES[entry.dtype] if entry.dtype != "BOOL" else np.uint8).reshape(entry.shape)
        if entry.dtype == "BOOL":
            return np.not_equal(raw, 0)
        if entry.dtype == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw if sys.byteorder == "little" else raw.astype(raw.dtype.newbyteorder("="))

    def verify(self) -> None:
        """Read everything once. ValueError if an array does not have its checksum."""
        for name in self._entries:
            self.read(name)

    def total_bytes(self) -> int:
        """The size of all arrays together."""
        return sum(entry.end - entry.begin for entry in self._entries.values())

    def _exactly(self, count: int, what: str) -> Array:
        """The next ``count`` bytes. They lie inside the file: whoever calls has made sure."""
        data = np.empty(count, np.uint8)
        view, done = data.data, 0
        while done < count:
            got = self._file.readinto(view[done:])
            if not got:
                raise self.fault(f"is cut off in {what}")
            done += got
        return data


class _Entry:
    """What the header says of one array."""

    __slots__ = ("begin", "dtype", "end", "name", "shape")

    def __init__(self, name: str, given: Any) -> None:
        if not isinstance(given, dict) or given.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"the entry of {name!r} must have dtype, shape and data_offsets")
        kind, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
        if not isinstance(kind, str) or kind not in _DTYPES:
            raise ValueError(f"{name!r} has dtype {kind!r}; expected one of {sorted(_DTYPES)}")
        if not _are_sizes(shape):
            raise ValueError(f"{name!r} has shape {shape!r}, which is none")
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(type(n) is int for n in offsets)):
            raise ValueError(f"{name!r} has data_offsets {offsets!r}, which are none")
        if not 0 <= offsets[0] <= offsets[1]:
            raise ValueError(f"{name!r} has data_offsets {offsets!r}, which are none")
        needed = math.prod(shape) * np.dtype(_DTYPES[kind]).itemsize
        if needed != offsets[1] - offsets[0]:
            raise ValueError(
                f"{name!r} of shape {shape} and dtype {kind} takes {needed} bytes; received {offsets[1] - offsets[0]}"
            )
        self.name, self.dtype, self.shape = name, kind, tuple(shape)
        self.begin, self.end = offsets


def _are_sizes(value: Any) -> bool:
    """Whether ``value`` is a list of integers that NumPy takes as sizes: their product, zeros apart, is an int64."""
    if not isinstance(value, list) or len(value) > _MAX_AXES or not all(type(n) is int for n in value):
        return False
    return all(0 <= n < 2**63 for n in value) and math.prod(n or 1 for n in value) < 2**63
