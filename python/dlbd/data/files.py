"""Files of rows: CSV, JSON lines, Parquet, Arrow IPC, text; one, or a folder, a glob or a list of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Protocol, TypeVar

from dlbd.data.arrow import as_schema, pa, require_distinct
from dlbd.data.deadline import watched
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.formats.csv import Csv
from dlbd.data.formats.ipc import Ipc
from dlbd.data.formats.json import Json
from dlbd.data.formats.parquet import Parquet
from dlbd.data.formats.partitions import may_have, schema_of, values_of, with_values
from dlbd.data.formats.text import Text
from dlbd.data.idx import IdxReader, is_idx
from dlbd.data.images import IMAGE_SUFFIXES, ClassFolderReader
from dlbd.data.locations import File, Location, naming, without_password
from dlbd.data.reader import Reader, options_of
from dlbd.data.scans import FileReader, Server, cut_off
from dlbd.data.stores.hdfs import name_nodes

T = TypeVar("T")


class Format(Protocol):
    """What the files' reader asks of a format."""

    encodes: bool  # whether batches() takes ``encoded``: columns of text that may be indices of distinct values

    def schema(self, file: File) -> pa.Schema | None:
        """Its columns; None if the file has neither rows nor a word on columns."""
        ...

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        """Its rows with these columns, whose types are those of the first file."""
        ...

    def count(self, file: File) -> int | None:
        """How many rows it has, if that is written somewhere."""
        ...


_FORMATS: dict[str, Any] = {"csv": Csv, "json": Json, "parquet": Parquet, "arrow": Ipc, "text": Text}
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".txt": "text",
    **dict.fromkeys(IMAGE_SUFFIXES, "images"),
}
_ALL = (*_FORMATS, "texts", "images", "idx")


def reader(
    what: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    table: str | None = None,
    query: Any = None,
    parameters: Any = None,
    schema: Any = None,
    timeout: float = 30.0,
    format: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Reader:
    """The reader of files.

    Args:
        what: a file, a folder, a glob (``**`` for any number of folders), or a list of them. The files of a folder or a
            glob are read in the order of their paths, those of a list in the list's. Folders ``column=value`` are a
            column, as Hive and Spark write them.
        schema: types of columns that the files do not say themselves.
        format: "csv", "json", "parquet", "arrow", "text" (rows of lines), "texts" (a file is a row, its folder the
            label), "images" (the same), "idx"; from the suffix by default.
        storage_options: of the file system: pyarrow's ``S3FileSystem`` for S3, fsspec's for others.
        options: of the format: see :class:`Csv`, :class:`Json`, :class:`Text`, :class:`IdxReader`.
    """
    if table is not None or query is not None or parameters is not None:
        raise TypeError(f"files have no table=, query= or parameters=; received {what!r}")
    if format not in (None, *_ALL):
        raise ValueError(f"format is one of {', '.join(_ALL)}; received {format!r}")
    addresses = [os.fspath(a) for a in ([what] if isinstance(what, str | os.PathLike) else what)]
    servers = [server for address in addresses for server in name_nodes(address, storage_options or {})]
    declared = pa.schema([]) if schema is None else as_schema(schema)

    def locate(address: str) -> Location:
        return Location(address, storage_options or {}, timeout)

    def make() -> Reader:
        locations = [locate(address) for address in addresses]
        name = locations[0].name if len(locations) == 1 else f"{locations[0].name} and {len(locations) - 1} more"
        remote = any(location.remote for location in locations)
        files = [file for location in locations for file in location.files()]
        kind = format or _format_of(files, locations[0], name)
        if kind == "idx":
            options_of(options, ("labels",), "an IDX file")
            return IdxReader(files, locate, name, remote, servers, **options)
        if format is None:
            of_files = "text" if kind == "texts" else kind
            files = [file for file in files if _suffix_format(file) == of_files]
        if kind in ("images", "texts"):
            if len(locations) > 1:
                raise ValueError(f"{name}: {kind} by class lie in one folder; received {len(locations)} addresses")
            options_of(options, ("encoding",) if kind == "texts" else (), f"a folder of {kind}")
            return ClassFolderReader(files, locations[0].folder, kind, name, remote, servers, **options)
        of_kind = _FORMATS[kind](declared, **options_of(options, _FORMATS[kind].options, f"{kind} files"))
        return FilesReader(files, of_kind, declared, name, remote, servers)

    if not any("://" in address for address in addresses):
        return make()
    return _within(timeout, make, without_password(addresses[0]), servers)


def _within(seconds: float, make: Callable[[], T], name: str, servers: list[Server]) -> T:
    """What ``make`` gives, unless it takes longer: a server that does not answer is noticed before the first row."""
    ended = threading.Event()

    def made() -> Generator[T, None, None]:
        try:
            yield make()
        finally:
            ended.set()

    with closing(watched(made, seconds, name, lambda: cut_off(servers, ended.is_set))) as result:
        return next(result)


def _suffix_format(file: File) -> str | None:
    if is_idx(file.path):
        return "idx"
    return _SUFFIXES.get(file.suffixes[-1]) if file.suffixes else None


def _format_of(files: Sequence[File], location: Location, name: str) -> str:
    """From the suffixes; files of no known one do not count."""
    found = sorted({kind for kind in map(_suffix_format, files) if kind})
    if len(found) != 1:
        such = f"files of several formats, {', '.join(found)}" if found else "no file with the suffix of a format"
        raise ValueError(f"{name}: {such}: pass format=, one of {', '.join(_ALL)}")
    inside = len(location.folder) + 1
    if found == ["text"] and all("/" in file.path[inside:] for file in files):
        return "texts"
    return found[0]


class FilesReader(FileReader):
    """Rows of files of one format, one file after the other."""

    encoded: frozenset[str] = frozenset()

    def __init__(
        self,
        files: Sequence[File],
        format: Format,
        declared: pa.Schema,
        name: str,
        remote: bool,
        servers: list[Server],
    ) -> None:
        super().__init__(name, remote, servers)
        self._files, self._format = files, format
        own = self._gathered(format, declared) if isinstance(format, Json) else self._schema(declared)
        self._values = [values_of(file.below) for file in files]
        folders = schema_of([file.name for file in files], self._values, declared.names)
        self._folders = pa.schema([field for field in folders if field.name not in own.names])
        self._own = own.names
        self.schema = pa.schema([*own, *self._folders])

    def _schema(self, declared: pa.Schema) -> pa.Schema:
        """Of the first file that has one; the types of columns without a value, of the first file with a value."""
        types: dict[str, pa.DataType] = {}
        for file in self._files:
            with naming(file.name, file.secrets):
                found = self._format.schema(file)
            if found is not None:
                require_distinct(found.names, file.name)
                if not types:
                    types = dict(zip(found.names, found.types, strict=True))
                for field in found:
                    if field.name in types and pa.types.is_null(types[field.name]):
                        types[field.name] = field.type
                if not any(map(pa.types.is_null, types.values())):
                    break
        return pa.schema(list(types.items())) if types else self._nothing_but(declared)

    def _gathered(self, format: Json, declared: pa.Schema) -> pa.Schema:
        """Of as many lines as it takes to see keys that most lines lack."""
        return format.gathered(self._files) or self._nothing_but(declared)

    def _nothing_but(self, declared: pa.Schema) -> pa.Schema:
        if not len(declared):
            raise SourceError(f"{self.name}: is empty: no rows and no names of columns")
        return declared

    @property
    def strict(self) -> bool:
        """See :class:`dlbd.data.reader.Sparse`."""
        return isinstance(self._format, Json) and self._format.strict

    @strict.setter
    def strict(self, value: bool) -> None:
        if isinstance(self._format, Json):
            self._format.strict = value

    def _batches(
        self, columns: Sequence[str], where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        own = [name for name in columns if name not in self._folders.names] or self._own[:1]
        wanted = pa.schema([self.schema.field(name) for name in own])
        read: Any = self._format.batches
        if self._format.encodes:
            read = partial(read, encoded=self.encoded)
        asked = pa.schema([field for field in self._folders if field.name in columns])
        known = where if where is None or where.columns <= set(self._own) else None  # to the files
        for file, values in zip(self._files, self._values, strict=True):
            if may_have(values, self._folders, where):
                with naming(file.name, file.secrets), closing(read(file, wanted, known, rows)) as found:
                    yield from (with_values(batch, values, asked, columns) for batch in found) if len(asked) else found

    def _count(self) -> int | None:
        total = 0
        for file in self._files:
            with naming(file.name, file.secrets):
                count = self._format.count(file)
            if count is None:
                return None
            total += count
        return total
