"""Parquet: small row groups a few columns at a time, large ones page by page, so that none comes into memory whole."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Generator, Sequence
from functools import reduce
from operator import and_

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression, conjuncts, meets_nan
from dlbd.data.formats.agreement import check, plain, valid
from dlbd.data.locations import File

_BATCH_BYTES = 24 << 20  # a batch costs some microseconds per column, whatever its size
# Read ahead, for all columns together. A request to an object store takes tens of milliseconds, whatever its size.
_BUFFER_BYTES, _REMOTE_BUFFER_BYTES = 4 << 20, 32 << 20
_LEAST_BUFFER = 8 << 10
# A row group up to this size is decoded whole. All columns at once would each keep pages and a dictionary: three times
# the memory, and a batch at a time takes twice the time.
_GROUP_BYTES, _COLUMNS_AT_ONCE = 96 << 20, 16
_FEW_BYTES = 2.5  # of an index, and of its share of the distinct values


class Parquet:
    """Args:
    declared: columns whose type the user has declared.
    """

    options: tuple[str, ...] = ()
    encodes = True

    def __init__(self, declared: pa.Schema) -> None:
        self._declared = declared
        self._last: tuple[object, pq.FileMetaData | None] = (None, None)

    def schema(self, file: File) -> pa.Schema:
        if file.compression:
            raise pa.ArrowInvalid(f"Parquet is compressed inside, and cannot be read in {file.compression}: unpack it")
        return plain(self._metadata(file).schema.to_arrow_schema())

    def _metadata(self, file: File) -> pq.FileMetaData:
        """What the file's footer says. That of a local file is kept: where columns are many it takes tens of megabytes,
        and each thread that reads it takes them anew from the system.
        """
        version = None
        if file.local:
            found = os.stat(file.path)
            version = (file.path, found.st_ino, found.st_size, found.st_mtime_ns)
        known, metadata = self._last
        if metadata is None or version is None or known != version:
            with file.open() as source:
                metadata = pq.read_metadata(source)
            self._last = (version, metadata) if version else (None, None)
        return metadata

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int, encoded: Collection[str] = ()
    ) -> Generator[pa.RecordBatch, None, None]:
        # pq's defaults read a whole row group's bytes first (pre_buffer), or each column's (buffer_size=0)
        total = _BUFFER_BYTES if file.local else _REMOTE_BUFFER_BYTES
        buffer = max(total // len(wanted), _LEAST_BUFFER)
        with file.open() as source:
            metadata = self._metadata(file) if file.local else pq.read_metadata(source)
            check(plain(metadata.schema.to_arrow_schema()), wanted, self._declared)
            groups = _groups(file, metadata, where)
            if not groups:
                return
            few = _few(metadata, groups, {f.name for f in wanted if f.name in encoded and f.type == pa.string()})
            options = {"metadata": metadata, "read_dictionary": few, "pre_buffer": False, "buffer_size": buffer}
            with pq.ParquetFile(source, **options) as parquet:
                width = _row_bytes(parquet, groups[0], wanted.names)
                rows = max(min(rows, int(_BATCH_BYTES / width)), 1)
                most = max(metadata.row_group(group).num_rows for group in groups)
                if file.local and most * width <= _GROUP_BYTES:
                    for group in groups:
                        yield from map(valid, _apart(_whole(parquet, group, wanted.names), rows))
                else:
                    left = sum(metadata.row_group(group).num_rows for group in groups)
                    for batch in parquet.iter_batches(rows, row_groups=groups, columns=wanted.names):
                        yield valid(batch)
                        left -= batch.num_rows
                    _require_none(left)

    def count(self, file: File) -> int | None:
        return int(self._metadata(file).num_rows)


def _whole(parquet: pq.ParquetFile, group: int, names: Sequence[str]) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {}
    for i in range(0, len(names), _COLUMNS_AT_ONCE):
        part = parquet.read_row_group(group, columns=names[i : i + _COLUMNS_AT_ONCE], use_threads=False)
        columns.update(zip(part.column_names, part.columns, strict=True))
    table = pa.table(columns)
    _require_none(parquet.metadata.row_group(group).num_rows - table.num_rows)
    return table


def _require_none(left: int) -> None:
    """Arrow takes the end of a file that shrinks while it is read for the end of its pages."""
    if left:
        raise pa.ArrowInvalid(f"lacks {left} of the rows that its footer names")


def _apart(table: pa.Table, rows: int) -> Generator[pa.RecordBatch, None, None]:
    """Its batches, the last one copied: whoever has that while the next group is read does not keep all of this one."""
    batches = deque(table.to_batches(max_chunksize=rows))
    del table
    while len(batches) > 1:
        yield batches.popleft()
    if batches:
        yield _copy(batches.pop())  # no variable has it


def _copy(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.take(pa.array(np.arange(batch.num_rows)))


def _few(metadata: pq.FileMetaData, groups: Sequence[int], names: Collection[str]) -> list[str]:
    """Which columns of text are stored as indices of a few distinct values: as text each one has at least 4 bytes."""
    left = set(names)
    for group in groups if left else ():
        description = metadata.row_group(group)
        for i in range(description.num_columns):
            column = description.column(i)
            if column.path_in_schema in left and column.total_uncompressed_size > _FEW_BYTES * column.num_values:
                left.remove(column.path_in_schema)
    return sorted(left)


def _groups(file: File, metadata: pq.FileMetaData, where: Expression | None) -> list[int]:
    """The row groups that may have rows that meet the condition, by their statistics."""
    everything = list(range(metadata.num_row_groups))
    known = [c for c in conjuncts(where) if not meets_nan(c)]  # statistics do not tell of NaN
    if not known:
        return everything
    fragment = ds.ParquetFileFormat().make_fragment(file.path, file.filesystem)
    try:
        return [group.id for group in fragment.subset(reduce(and_, known).to_arrow()).row_groups]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # types that do not compare: filtering the rows says so
        return everything


def _row_bytes(parquet: pq.ParquetFile, group: int, names: Sequence[str]) -> float:
    """About how much memory a row takes; dictionaries in the file make it smaller than it is."""
    stored = dict.fromkeys(names, 0)
    description = parquet.metadata.row_group(group)
    for i in range(description.num_columns):
        column = description.column(i)
        name = column.path_in_schema
        name = name if name in stored else name.partition(".")[0]
        if name in stored:
            stored[name] += column.total_uncompressed_size
    rows, schema = max(description.num_rows, 1), parquet.schema_arrow  # which is made anew each time
    return sum(max(size / rows, _width(schema.field(name).type)) for name, size in stored.items()) or 1


def _width(kind: pa.DataType) -> float:
    try:
        return float(kind.bit_width) / 8
    except ValueError:
        return 0
