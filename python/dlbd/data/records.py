"""Records (dicts) that a Python program makes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from dlbd.data.arrow import as_schema, pa
from dlbd.data.documents import Documents, shown
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.keys import Keys
from dlbd.data.memory import is_table
from dlbd.data.programs import BATCH_BYTES, Program, ProgramReader, bytes_of
from dlbd.data.reader import Reader, options_of
from dlbd.data.sampling import SAMPLE, sampled
from dlbd.data.table_streams import TableStreamReader

_FIRST_ROWS = 64  # of a scan's first batch; then the size of what came decides
_PATIENCE = 0.1  # seconds after which a batch goes on with what there is: a slow stream is not waited for


def reader(
    what: Any,
    *,
    table: Any = None,
    query: Any = None,
    parameters: Any = None,
    schema: Any = None,
    sample: int = SAMPLE,
    **options: Any,
) -> Reader:
    """Records of an iterable, a function that gives one, or an iterator; or tables, if that is what the first item is.

    Args:
        sample: how many items are looked at for columns and types; 0 for none but the declared ones.
        options: see :class:`RecordsReader`.
    """
    options_of(options, ("misfits", "name", "sample"), "a source of records")
    if not callable(what) and not isinstance(what, Iterable):
        raise TypeError(f"dlbd.data.open takes none of these: {shown(what)}; see its documentation for what it takes")
    for argument, value in (("table", table), ("query", query), ("parameters", parameters)):
        if value is not None:
            raise TypeError(f"records have no {argument}; received {value!r}")
    name = options.pop("name", None)
    called = getattr(what, "__qualname__", type(what).__name__)
    if sample < 0 or (not sample and schema is None):
        raise ValueError(f"records of {called}: sample is at least 1 where no schema is declared; received {sample}")
    program = Program(what, sample)
    if program.first and is_table(program.first[0]) and not isinstance(program.first[0], Mapping):
        options_of(options, (), "a source of tables")
        return TableStreamReader(program, None, name or f"tables of {called}")
    return RecordsReader(program, schema, name or f"records of {called}", **options)


class RecordsReader(ProgramReader):
    """Records: dicts, perhaps with others inside.

    Args:
        program: gives them.
        schema: the types of some columns, or all; the first records have those of the others.
        name: what errors call them.
        misfits: what becomes of a value that does not fit its type: "error" (the default), or "null".

    Attributes:
        strict: whether a key that is no column is an error where all columns are read.
    """

    def __init__(self, program: Program, schema: Any, name: str, misfits: str = "error") -> None:
        super().__init__(program, name)
        self._check(program.first, 0)
        self.schema, _ = sampled(program.first, pa.schema([]) if schema is None else as_schema(schema))
        if not len(self.schema):
            raise SourceError(f"{self.name}: no record shows a column; declare them (schema=)")
        self._documents = Documents(self.name, self.schema, misfits)
        self._keys = Keys(self.schema)
        self.strict = bool(program.first)

    def _batches(
        self, records: Iterator[Any], columns: Sequence[str], rows: int, number: int
    ) -> Generator[pa.RecordBatch, None, None]:
        size = _FIRST_ROWS
        strict = self.strict and self._keys.are(columns)
        while taken := _taken(records, min(size, rows)):
            self._check(taken, number)
            if strict:
                self._keys.require(taken, self.name, partial(_label, number))
            yield self._documents.batch(taken, columns, partial(_label, number))
            number += len(taken)
            size = max(1, min(2 * size, BATCH_BYTES // bytes_of(taken[-1])))

    def _check(self, records: Sequence[Any], number: int) -> None:
        """Whether these are dicts."""
        for cls in set(map(type, records)):
            if not issubclass(cls, Mapping):
                row = next(row for row, record in enumerate(records) if type(record) is cls)
                raise SourceError(f"{self.name}: record {number + row} is {shown(records[row])}; a record is a dict")

    def count(self, where: Expression | None) -> int | None:
        what = self._program.what
        return len(what) if where is None and isinstance(what, Sequence) else None


def _label(number: int, row: int) -> str:
    return f"record {number + row}"


def _taken(records: Iterator[Any], size: int) -> list[Any]:
    """The next records, at most so many, or those that come within some time."""
    taken: list[Any] = []
    until = time.monotonic() + _PATIENCE
    for record in records:
        taken.append(record)
        if len(taken) >= size or time.monotonic() > until:
            break
    return taken
