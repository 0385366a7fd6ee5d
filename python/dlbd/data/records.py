"""Records (dicts) that a Python program makes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from dlbd.data.arrow import as_schema, pa
from dlbd.data.documents import Documents, shown, splits
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.memory import is_table
from dlbd.data.programs import BATCH_BYTES, Program, ProgramReader, bytes_of
from dlbd.data.reader import Reader, options_of
from dlbd.data.sampling import SAMPLE, sampled
from dlbd.data.table_streams import TableStreamReader

_FIRST_ROWS = 64  # of a scan's first batch; then the size of what came decides
_PATIENCE = 0.1  # seconds after which a batch goes on with what there is: a slow stream is not waited for

# The keys that a record may have, each with those of the document that it holds; None where anything may be.
_Known = dict[str, "_Known | None"]


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
    """

    def __init__(self, program: Program, schema: Any, name: str, misfits: str = "error") -> None:
        super().__init__(program, name)
        self._known: _Known | None = None
        self._check(program.first, 0)
        self.schema, _ = sampled(program.first, pa.schema([]) if schema is None else as_schema(schema))
        if not len(self.schema):
            raise SourceError(f"{self.name}: no record shows a column; declare them (schema=)")
        self._documents = Documents(self.name, self.schema, misfits)
        self._known = _tree(self.schema.names)

    def _batches(
        self, records: Iterator[Any], columns: Sequence[str], rows: int, number: int
    ) -> Generator[pa.RecordBatch, None, None]:
        size = _FIRST_ROWS
        while taken := _taken(records, min(size, rows)):
            self._check(taken, number)
            yield self._documents.batch(taken, columns, partial(_label, number))
            number += len(taken)
            size = max(1, min(2 * size, BATCH_BYTES // bytes_of(taken[-1])))

    def _check(self, records: Sequence[Any], number: int) -> None:
        """Whether these are dicts with names as keys, and known ones."""
        for cls in set(map(type, records)):
            if not issubclass(cls, Mapping):
                row = next(row for row, record in enumerate(records) if type(record) is cls)
                raise SourceError(f"{self.name}: record {number + row} is {shown(records[row])}; a record is a dict")
        if self._known is not None and (found := _unknown(records, self._known)):
            row, key = found
            raise SourceError(
                f"{self.name}: record {number + row} has the key {key!r}, which is no column; columns are the keys, of "
                "text, of the first records (sample=) and those declared (schema=)"
            )

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


def _tree(names: Sequence[str]) -> _Known:
    """The keys of records that have these columns."""
    known: _Known = dict.fromkeys(names)
    for head in {head for name in names for head, _ in splits(name)} - known.keys():
        known[head] = _tree([name[len(head) + 1 :] for name in names if name.startswith(f"{head}.")])
    return known


def _unknown(records: Sequence[Any], known: _Known) -> tuple[int, str] | None:
    """The row and the key of a record that has one that is not known."""
    for key in set().union(*records) - known.keys():
        return next(row for row, record in enumerate(records) if key in record), str(key)
    for key, inner in known.items():
        if inner is not None:
            nested = [record.get(key) for record in records]
            found = _unknown([v if type(v) is dict or isinstance(v, Mapping) else {} for v in nested], inner)
            if found:
                return found[0], f"{key}.{found[1]}"
    return None
