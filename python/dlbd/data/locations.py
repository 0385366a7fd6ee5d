"""Where files lie: on this machine, in a store behind a network; folders, globs and lists of them."""

from __future__ import annotations

import codecs
import io
import os
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

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
_KEYS = re.compile(r"(?<=^s3://)([^/:@]+):([^@]*)@")  # a secret key has slashes, which may not be escaped
# What a folder may hold to be read; a link to nothing is an error then.
_READ = (fs.FileType.File, fs.FileType.NotFound)
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

    def text(self, encoding: str, errors: str = "strict", newline: str | None = None) -> io.TextIOWrapper:
        """Its text from the beginning, without the mark that some programs put in front of UTF-8."""
        if codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-8-sig"
        return io.TextIOWrapper(self.stream(), encoding, errors, newline)


def without_password(address: str) -> str:
    """The address as errors say it."""
    found = _credentials(address)
    return address if found is None else address[: found.start()] + address[found.end() :]


def _credentials(address: str) -> re.Match[str] | None:
    return _CREDENTIALS.search(address) or _KEYS.search(address)


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
    except (SourceError, ImportError):
        raise
    except Exception as error:  # object stores' clients have bases of their own
        mistakes = TypeError | ValueError | LookupError | MemoryError  # of the caller, or of this machine
        if isinstance(error, mistakes) and not isinstance(error, _OF_CONTENT):
            raise
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
        folder: what the paths of its files have in common: of a glob, what is before the first wildcard.
    """

    def __init__(self, address: str, options: Mapping[str, Any], timeout: float) -> None:
        scheme = address.partition("://")[0] if "://" in address else ""
        self.remote = scheme not in (*_LOCAL, "memory")
        self._secrets, self._prefix, self._root, self._bucket = _secrets_in(options), "", "", None
        if scheme in _LOCAL:
            if options:
                raise TypeError(f"{address}: files of this machine take no storage_options")
            self.name = self.folder = self._path = os.path.abspath(os.path.expanduser(address.removeprefix("file://")))
            self._filesystem: fs.FileSystem = fs.LocalFileSystem()
            return
        self.name = without_password(address)
        credentials = _credentials(address)
        if credentials:
            user, password = map(unquote, credentials.groups())
            self._secrets += [credentials[2], password]
            if scheme == "s3":
                options = {"access_key": user, "secret_key": password, **options}
        kind = _STORES.get(scheme, "store")
        with naming(self.name, self._secrets):
            module = import_module(f"dlbd.data.stores.{kind}")
            store = module.connect(self.name if scheme == "s3" else address, options, timeout)
        self._filesystem, self._path, self._bucket = store.filesystem, store.path, _BUCKETS.get(kind)
        self.folder = self._path
        self._secrets += store.secrets
        self._prefix, place = f"{scheme}://", urlsplit(self.name).netloc
        if kind == "azure":  # container@account.dfs.core.windows.net: paths begin with the container
            self._root = place.rpartition("@")[0]
        if kind == "hdfs" or self._root:
            self._prefix += place

    def files(self) -> list[File]:
        """All of them, in the order of their paths. Hidden ones (``.name``, ``_name`` unless it is ``_name=value``) do
        not count in a folder, nor for a wildcard.

        Raises:
            SourceError: there are none, or they may not be listed.
        """
        with naming(self.name, self._secrets):
            info = self._filesystem.get_file_info(self._path)
            found = [] if info.type == fs.FileType.NotFound else [info]
            if not found and _WILD.search(self._path):
                parts = self._path.split("/")
                wild = next(i for i, part in enumerate(parts) if _WILD.search(part))
                self.folder = "/".join(parts[:wild])
                found = sorted(self._matches(self.folder, parts[wild:]), key=lambda info: info.path)
            paths = dict.fromkeys(path for info in found for path in self._below(info))
        if not paths:
            raise SourceError(f"{self.name}: {self._why_nothing(info)}")
        above = len(self.folder)
        names = {path: self._prefix + path[len(self._root) :] for path in paths}
        return [File(self._filesystem, path, name, self._secrets, path[above:]) for path, name in names.items()]

    def _matches(self, folder: str, pattern: Sequence[str]) -> Iterator[fs.FileInfo]:
        """What lies below the folder and has names that match, one after the other."""
        if pattern[0] == "**":
            matching = re.compile(glob_translate("/".join(pattern)))
            for info in self._listed(folder, recursive=True):
                if matching.match(info.path[len(folder) + 1 :]):
                    yield info
            return
        matching = re.compile(glob_translate(pattern[0]))
        for info in self._listed(folder, hidden=pattern[0].startswith((".", "_"))):
            if matching.match(info.base_name):
                if len(pattern) == 1:
                    yield info
                elif info.type == fs.FileType.Directory:
                    yield from self._matches(info.path, pattern[1:])

    def _below(self, info: fs.FileInfo) -> Iterator[str]:
        if info.type == fs.FileType.Directory:
            yield from (f.path for f in self._listed(info.path, recursive=True) if f.type in _READ)
        elif info.type in _READ:
            yield info.path

    def _listed(self, folder: str, recursive: bool = False, hidden: bool = False) -> list[fs.FileInfo]:
        """What is in a folder, in the order of the paths."""
        what = fs.FileSelector(folder or "/", allow_not_found=True, recursive=recursive)
        if isinstance(self._filesystem, fs.LocalFileSystem):
            what = list(_walked(folder, recursive))
        found = sorted(self._filesystem.get_file_info(what), key=lambda info: info.path)
        return found if hidden else [info for info in found if not _is_hidden(info.path[len(folder) + 1 :])]

    def _why_nothing(self, info: fs.FileInfo) -> str:
        if info.type == fs.FileType.Directory:
            return "the folder has no files"
        place = self._path.partition("/")[0]
        if self._bucket is not None:
            with suppress(Exception):  # not everyone may ask
                if self._filesystem.get_file_info(place).type == fs.FileType.NotFound:
                    return f"there is no {self._bucket} {place!r}"
        return "no file matches" if _WILD.search(self._path) else "there is no such file or folder"


def _walked(folder: str, recursive: bool) -> Iterator[str]:
    """All paths in a folder of this machine, or below it. Links are followed, but not back to where they lie; those to
    nothing are there, too, which Arrow passes over.
    """
    folder = folder or "/"
    if not os.path.exists(folder):
        return
    above = {folder: {os.path.realpath(folder)}}
    for directory, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        passed = above.pop(directory)
        places = {name: os.path.realpath(os.path.join(directory, name)) for name in folders}
        folders[:] = [name for name, place in places.items() if place not in passed]
        above |= {os.path.join(directory, name): passed | {places[name]} for name in folders}
        yield from (os.path.join(directory, name) for name in (*folders, *names))
        if not recursive:
            return


def _raise(error: OSError) -> None:
    raise error


def _is_hidden(path: str) -> bool:
    """As Spark has it: files of the system, or of a job that is not over; folders ``_column=value`` are data."""
    return any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in path.split("/"))
