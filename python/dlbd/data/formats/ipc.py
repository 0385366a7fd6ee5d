"""Arrow IPC: files (also Feather) and streams, record batch by record batch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import pyarrow.dataset as ds

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.formats.agreement import check, plain
from dlbd.data.locations import File

_MAGIC = b"ARROW1"
_HEADER = 8  # the magic, padded: what follows in a file is a stream and its table of contents


class Ipc:
    """Args:
    declared: columns whose type the user has declared.
    """

    options: tuple[str, ...] = ()

    def __init__(self, declared: pa.Schema) -> None:
        self._declared = declared

    def schema(self, file: File) -> pa.Schema:
        with closing(_source(file)) as source:
            return plain(pa.ipc.open_stream(source).schema)

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        found = self.schema(file)
        check(found, wanted, self._declared)
        options = pa.ipc.IpcReadOptions(included_fields=sorted(found.names.index(name) for name in wanted.names))
        if file.compression is None and _has_contents(file):
            with file.open() as source, pa.ipc.open_file(source, options=options) as contents:
                for i in range(contents.num_record_batches):
                    yield contents.get_batch(i)
        else:
            with closing(_source(file)) as source:
                yield from pa.ipc.open_stream(source, options=options)

    def count(self, file: File) -> int | None:
        if file.compression is not None or not _has_contents(file):
            return None
        return int(ds.IpcFileFormat().make_fragment(file.path, file.filesystem).count_rows())


def _has_contents(file: File) -> bool:
    """Whether it is a file, with a table of contents at its end that tells when it is cut off; not a stream."""
    with file.stream() as source:
        return bool(source.read(len(_MAGIC)) == _MAGIC)


def _source(file: File) -> pa.NativeFile:
    """At the beginning of the stream."""
    skipped = _HEADER if _has_contents(file) else 0
    source = file.stream()
    source.read(skipped)
    return source
