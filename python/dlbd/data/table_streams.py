"""Tables that come one after the other: from a Python program, or by Arrow's stream interface."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError
from dlbd.data.memory import TableReader
from dlbd.data.programs import Program, ProgramReader


def reader(what: Any, name: str | None = None) -> TableStreamReader:
    """A reader of what has Arrow's stream interface."""
    name = name or f"{type(what).__module__.partition('.')[0]} {type(what).__name__}"
    if isinstance(what, pa.RecordBatchReader):
        return TableStreamReader(Program(what, 0), what.schema, name)

    def stream() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_stream(what)

    return TableStreamReader(Program(stream, 0), stream().schema, name)


class TableStreamReader(ProgramReader):
    """Rows of tables, of which the first one says which columns there are, unless the schema is known."""

    def __init__(self, program: Program, schema: pa.Schema | None, name: str) -> None:
        super().__init__(program, name)
        self.schema = TableReader(program.first[0] if schema is None else schema.empty_table()).schema

    def _batches(
        self, items: Iterator[Any], columns: Sequence[str], rows: int, number: int
    ) -> Generator[pa.RecordBatch, None, None]:
        for item in items:
            table = TableReader(item)
            absent = [name for name in columns if name not in table.schema.names]
            if absent:
                raise SourceError(
                    f"{self.name}: table {number} has no column {absent[0]!r}, which the first one has; it has "
                    f"{table.schema.names}"
                )
            yield from table.scan(columns, None, (), rows)
            number += 1
