"""Arrow IPC: files (also Feather) and streams, record batch by record batch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pyarrow.dataset as ds

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.formats.agreement import check, plain, valid
from dlbd.data.locations import File

_MAGIC = b"ARROW1"
_HEADER = 8  # the magic, padded: what follows in a file is a stream and its table of contents


class Ipc:
    """Args:
    declared: columns whose type the user has declared.
    """

    options: tuple[str, ...] = ()
    encodes = False

    def __init__(self, declared: pa.Schema) -> None:
        self._declared = declared

    def schema(self, file: File) -> pa.Schema:
        with self._opened(file, pa.ipc.IpcReadOptions()) as contents:
            return plain(contents.schema)

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        found = self.schema(file)
        check(found, wanted, self._declared)
        included = [i for i, name in enumerate(found.names) if wanted.get_field_index(name) >= 0]
        with self._opened(file, pa.ipc.IpcReadOptions(included_fields=included)) as contents:
            if isinstance(contents, pa.ipc.RecordBatchFileReader):
                for i in range(contents.num_record_batches):
                    yield valid(contents.get_batch(i))
            else:
                for batch in contents:
                    yield valid(batch)

    def count(self, file: File) -> int | None:
        if file.compression is not None or not _is_file(file):
            return None
        return int(ds.IpcFileFormat().make_fragment(file.path, file.filesystem).count_rows())

    @contextmanager
    def _opened(self, file: File, options: pa.ipc.IpcReadOptions) -> Generator[Any, None, None]:
        """A reader of the file, whose table of contents tells when it is cut off, or of the stream."""
        is_file = _is_file(file)
        if is_file and file.compression is None:
            with file.open() as source, pa.ipc.open_file(source, options=options) as contents:
                yield contents
        else:
            with file.stream() as source:
                source.read(_HEADER if is_file else 0)
                yield pa.ipc.open_stream(source, options=options)


def _is_file(file: File) -> bool:
    """With a table of contents at its end; not a stream."""
    with file.stream() as source:
        return bool(source.read(len(_MAGIC)) == _MAGIC)
