"""Where files lie: on this machine, in S3, in whatever fsspec knows; folders, globs and lists of them."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow.fs as fs

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError, missing
from dlbd.data.reader import with_client_text
from dlbd.data.scans import Server

try:
    import fsspec
    from fsspec.utils import glob_translate
except ImportError as error:
    raise missing("data", error) from error

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_EXTRAS = {"hdfs": "hdfs", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
_LOCAL = ("", "file")
_OF_CONTENT = (pa.ArrowException, UnicodeError)
_WILD = re.compile(r"[*?[]")


@dataclass(frozen=True)
class File:
    """A file, not opened.

    Attributes:
        name: its address, as errors say it; without a password.
        secrets: what no error may say.
        below: its path below the address that was given.
    """

    filesystem: fs.FileSystem
    path: str
    name: str
    secrets: Sequence[str] = field(default=(), repr=False)
    below: str = ""

    @property
    def suffixes(self) -> list[str]:
        """In lower case, without that of the compression: ``[".csv"]`` for ``table.CSV.gz``."""
        suffixes = [suffix.lower() for suffix in PurePosixPath(self.path).suffixes]
        return suffixes[:-1] if self.compression else suffixes

    @property
    def compression(self) -> str | None:
        return _COMPRESSIONS.get(PurePosixPath(self.path).suffix.lower())

    @property
    def local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def open(self) -> pa.NativeFile:
        """Its bytes, at any position."""
        return self.filesystem.open_input_file(self.path)

    def stream(self) -> pa.NativeFile:
        """Its bytes from the beginning, decompressed."""
        return self.filesystem.open_input_stream(self.path, compression=self.compression)


def server_of(address: str) -> Server | None:
    """The one whose client waits for it without end: HDFS's NameNode, unless it goes by a name of the cluster's."""
    place = re.match(r"hdfs://([^/:@]+):(\d+)", address)
    return (place[1], int(place[2])) if place else None


@contextmanager
def naming(name: str, secrets: Sequence[str] = ()) -> Generator[None, None, None]:
    """Whatever a file system or a format's library raises becomes a SourceError that begins with the name."""
    try:
        yield
    except (SourceError, MemoryError, ImportError):
        raise
    except Exception as error:  # object stores' clients have bases of their own
        if isinstance(error, TypeError | ValueError | LookupError) and not isinstance(error, _OF_CONTENT):
            raise  # the caller's mistake
        raise SourceError(with_client_text(name, error, secrets)) from None


class Location:
    """Files under one address.

    Args:
        address: of a file, a folder or a glob, local or ``scheme://...``.
        options: of the file system: pyarrow's for S3, fsspec's for all others.
        timeout: seconds that a client may wait for its server.

    Attributes:
        remote: whether the files are behind a network.
        name: the address without a password.
    """

    def __init__(self, address: str, options: Mapping[str, Any], timeout: float) -> None:
        scheme, rest = address.split("://", 1) if "://" in address else ("", address)
        credentials, _, place = rest.partition("/")[0].rpartition("@")
        user, has_password, password = credentials.partition(":")
        self._secrets = [str(v) for k, v in options.items() if re.search("secret|password|token|key", k)]
        self._prefix = f"{scheme}://" if scheme not in _LOCAL else ""
        self.remote = scheme not in (*_LOCAL, "memory")
        if scheme in _LOCAL:
            if options:
                raise TypeError(f"{address}: files of this machine take no storage_options")
            self.name = self._path = os.path.abspath(os.path.expanduser(rest))
            self._filesystem: fs.FileSystem = fs.LocalFileSystem()
            return
        if has_password:
            self._secrets.append(password)
            rest = place + rest[len(credentials) + 1 + len(place) :]
            if scheme == "s3":
                options = {"access_key": user, "secret_key": password, **options}
        self.name = f"{scheme}://{rest}"
        with naming(self.name, self._secrets):
            if scheme == "s3":
                self._filesystem, self._path = _s3(options, timeout), rest.rstrip("/")
            else:
                self._filesystem, self._path = _fsspec(scheme, address, options, timeout)
        if scheme == "hdfs":
            self._prefix += rest.partition("/")[0]

    def files(self) -> list[File]:
        """All of them, in the order of their paths. In a folder hidden ones (``.name``, ``_name``) do not count.

        Raises:
            SourceError: there are none, or they may not be listed.
        """
        with naming(self.name, self._secrets):
            info = self._filesystem.get_file_info(self._path)
            wild = info.type == fs.FileType.NotFound and _WILD.search(self._path)
            found = self._matches() if wild else [info]
            paths = dict.fromkeys(path for info in found for path in self._below(info))
        if not paths:
            raise SourceError(f"{self.name}: {self._why_nothing(info)}")
        above = len(self.folder)
        return [File(self._filesystem, path, self._prefix + path, self._secrets, path[above:]) for path in paths]

    @property
    def folder(self) -> str:
        """What the paths of its files have in common: of a glob, what is before the first wildcard."""
        parts = self._path.split("/")
        wild = next((i for i, part in enumerate(parts) if _WILD.search(part)), len(parts))
        return "/".join(parts[:wild])

    def _matches(self) -> list[fs.FileInfo]:
        rest = self._path[len(self.folder) + 1 :]
        selector = fs.FileSelector(self.folder or "/", allow_not_found=True, recursive="/" in rest)
        pattern = re.compile(glob_translate(self._path))
        found = self._filesystem.get_file_info(selector)
        return sorted((info for info in found if pattern.match(info.path)), key=lambda info: info.path)

    def _below(self, info: fs.FileInfo) -> Iterator[str]:
        if info.type == fs.FileType.File:
            yield info.path
        elif info.type == fs.FileType.Directory:
            found = self._filesystem.get_file_info(fs.FileSelector(info.path, recursive=True))
            for path in sorted(f.path for f in found if f.type == fs.FileType.File):
                if not any(part.startswith((".", "_")) for part in path[len(info.path) :].split("/")):
                    yield path

    def _why_nothing(self, info: fs.FileInfo) -> str:
        if info.type == fs.FileType.Directory:
            return "the folder has no files"
        bucket = self._path.partition("/")[0]
        if isinstance(self._filesystem, fs.S3FileSystem):
            with naming(self.name, self._secrets):
                if self._filesystem.get_file_info(bucket).type == fs.FileType.NotFound:
                    return f"there is no bucket {bucket!r}"
        return "no file matches" if _WILD.search(self._path) else "there is no such file or folder"


def _s3(options: Mapping[str, Any], timeout: float) -> fs.FileSystem:
    """pyarrow's own: its reads end within the timeout, and it tells a dead server from a missing file."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")  # pyarrow passes over them
    defaults: dict[str, Any] = {
        "endpoint_override": endpoint,
        "connect_timeout": min(timeout / 4, 5),
        "request_timeout": timeout / 4,  # of silence; all attempts end before our own deadline
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=3),
    }
    return fs.S3FileSystem(**{**defaults, **options})


def _fsspec(scheme: str, address: str, options: Mapping[str, Any], timeout: float) -> tuple[fs.FileSystem, str]:
    if scheme == "hdfs":
        options = {
            "dfs.client.socket-timeout": str(int(timeout * 500)),
            "dfs.client.failover.max.attempts": "3",
            "dfs.client.failover.sleep.base.millis": "100",
            **options,
        }
    try:
        filesystem, path = fsspec.url_to_fs(address, skip_instance_cache=True, **options)
    except ImportError as error:
        raise missing(_EXTRAS.get(scheme, "data"), error) from error
    return fs.PyFileSystem(_Handler(filesystem)), path


class _Handler(fs.FSSpecHandler):  # type: ignore[misc]
    """pyarrow's own asks first whether this is a file, and takes a dead server for a no."""

    def open_input_stream(self, path: str) -> pa.NativeFile:
        return pa.PythonFile(self.fs.open(path, "rb"), "r")

    open_input_file = open_input_stream
