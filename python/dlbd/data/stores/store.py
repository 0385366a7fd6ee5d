"""What connecting to a store gives, and the stores of fsspec that have no module of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.fs as fs

from dlbd.data.arrow import pa
from dlbd.data.errors import missing

try:
    import fsspec
except ImportError as error:
    raise missing("data", error) from error


@dataclass(frozen=True)
class Store:
    """A store, with the path in it that an address names.

    Attributes:
        secrets: what its client knows and no error may say.
    """

    filesystem: fs.FileSystem
    path: str
    secrets: Sequence[str] = field(default=(), repr=False)


def connect(address: str, options: Mapping[str, Any], timeout: float) -> Store:
    """Whatever fsspec knows.

    Args:
        options: of its file system.
        timeout: seconds that the client may wait for its server, if it can be told so.

    Raises:
        ImportError: its client is not installed.
    """
    try:
        filesystem, path = fsspec.url_to_fs(address, skip_instance_cache=True, **options)
    except ImportError as error:
        raise missing("data", error) from error
    return Store(arrow(filesystem), path)


def connected(kind: Any, address: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """A new file system of one of fsspec's classes, and the path in it."""
    given = {**kind._get_kwargs_from_urls(address), **options}
    return kind(skip_instance_cache=True, **given), kind._strip_protocol(address).rstrip("/")


def arrow(filesystem: fsspec.AbstractFileSystem, **streams: Any) -> fs.FileSystem:
    """The file system as pyarrow reads it.

    Args:
        streams: options of files that are read from the beginning to the end. Where there are some, those that are read
            at any position are not read ahead: their formats do so.
    """
    return fs.PyFileSystem(_Handler(filesystem, streams))


class _Handler(fs.FSSpecHandler):  # type: ignore[misc]
    """pyarrow's own asks first whether this is a file, and takes a dead server for a no."""

    def __init__(self, filesystem: fsspec.AbstractFileSystem, streams: Mapping[str, Any]) -> None:
        super().__init__(filesystem)
        self._streams = streams

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return pa.PythonFile(self.fs.open(path, "rb", **self._streams), "r")

    def open_input_file(self, path: str) -> pa.NativeFile:
        options = {"cache_type": "none"} if self._streams else {}
        return pa.PythonFile(self.fs.open(path, "rb", **options), "r")
