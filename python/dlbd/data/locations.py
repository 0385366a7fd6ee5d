"""Where files lie: on this machine, in a store behind a network; folders, globs and lists of them."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs as fs

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError, missing
from dlbd.data.reader import with_client_text

try:
    from fsspec.utils import glob_translate
except ImportError as error:
    raise missing("data", error) from error

_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
# The modules of dlbd.data.stores, by the scheme; those of all other schemes are fsspec's.
_STORES = {
    "s3": "s3",
    "hdfs": "hdfs",
    "gs": "google",
    "gcs": "google",
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
}
_BUCKETS = {"s3": "bucket", "google": "bucket", "azure": "container"}  # what a path begins with
_LOCAL = ("", "file")
_OF_CONTENT = (pa.ArrowException, UnicodeError)
_CREDENTIALS = re.compile(r"(?<=://)([^/:]*):([^/]*)@")
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


def without_password(address: str) -> str:
    """The address as errors say it."""
    return _CREDENTIALS.sub("", address, 1)


def _secrets_in(options: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key, value in options.items():
        if isinstance(value, Mapping):
            found += _secrets_in(value)
        elif re.search("secret|password|token|key|credential", key):
            found.append(str(value))
    return found


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
        scheme = address.partition("://")[0] if "://" in address else ""
        self.remote = scheme not in (*_LOCAL, "memory")
        self._secrets, self._prefix, self._root, self._bucket = _secrets_in(options), "", "", None
        if scheme in _LOCAL:
            if options:
                raise TypeError(f"{address}: files of this machine take no storage_options")
            self.name = self._path = os.path.abspath(os.path.expanduser(address.removeprefix("file://")))
            self._filesystem: fs.FileSystem = fs.LocalFileSystem()
            return
        self.name = without_password(address)
        credentials = _CREDENTIALS.search(address)
        if credentials:
            self._secrets.append(credentials[2])
            if scheme == "s3":
                options = {"access_key": credentials[1], "secret_key": credentials[2], **options}
        kind = _STORES.get(scheme, "store")
        with naming(self.name, self._secrets):
            module = import_module(f"dlbd.data.stores.{kind}")
            store = module.connect(self.name if scheme == "s3" else address, options, timeout)
        self._filesystem, self._path, self._bucket = store.filesystem, store.path, _BUCKETS.get(kind)
        self._secrets += store.secrets
        self._prefix, place = f"{scheme}://", urlsplit(self.name).netloc
        if kind == "azure":  # container@account.dfs.core.windows.net: paths begin with the container
            self._root = place.rpartition("@")[0]
        if kind == "hdfs" or self._root:
            self._prefix += place

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
        names = {path: self._prefix + path[len(self._root) :] for path in paths}
        return [File(self._filesystem, path, name, self._secrets, path[above:]) for path, name in names.items()]

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
        place = self._path.partition("/")[0]
        if self._bucket is not None:
            with suppress(Exception):  # not everyone may ask
                if self._filesystem.get_file_info(place).type == fs.FileType.NotFound:
                    return f"there is no {self._bucket} {place!r}"
        return "no file matches" if _WILD.search(self._path) else "there is no such file or folder"
