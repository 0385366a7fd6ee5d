"""Records (dicts) that a Python program makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from copy import copy
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from dlbd.data.arrow import as_schema, pa
from dlbd.data.documents import Documents, shown, splits
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.reader import options_of
from dlbd.data.sampling import SAMPLE, sampled

_FIRST_ROWS = 64  # of a scan's first batch; then the size of what came decides
_BATCH_BYTES = 16 << 20
_KEPT = 16384  # records of an iterator, if they take no more bytes than a batch
_PATIENCE = 0.1  # seconds after which a batch goes on with what there is: a slow stream is not waited for

# The keys that a record may have, each with those of the document that it holds; None where anything may be.
_Known = dict[str, "_Known | None"]


def reader(
    what: Any, *, table: Any = None, query: Any = None, parameters: Any = None, schema: Any = None, **options: Any
) -> RecordsReader:
    """See :func:`dlbd.data.open`."""
    options_of(options, ("misfits", "name", "sample"), "a source of records")
    if not callable(what) and not isinstance(what, Iterable):
        raise TypeError(f"dlbd.data.open takes none of these: {shown(what)}; see its documentation for what it takes")
    for argument, value in (("table", table), ("query", query), ("parameters", parameters)):
        if value is not None:
            raise TypeError(f"records have no {argument}; received {value!r}")
    return RecordsReader(what, schema, **options)


class RecordsReader:
    """Records of an iterable, or of the iterators that a function gives, read anew by each scan; or of one iterator,
    which is read once: looking at its first 16,384 records loses nothing, a scan that goes on behind them is the last.

    Args:
        what: an iterable, a function without arguments that gives one, or an iterator; it may be endless.
        schema: the types of some columns, or all; the records have those of the others.
        sample: how many records are looked at for columns and types; 0 for none but the declared ones.
        misfits: what becomes of a value that does not fit its type: "error" (the default), or "null".
        name: what errors call it.

    Attributes:
        once: whether a scan may be the only one.
        endless: whether it may have no end.
    """

    ordered, remote, sorts = True, False, False

    def __init__(
        self, what: Any, schema: Any, sample: int = SAMPLE, misfits: str = "error", name: str | None = None
    ) -> None:
        self.name = name or f"records of {getattr(what, '__qualname__', type(what).__name__)}"
        declared = pa.schema([]) if schema is None else as_schema(schema)
        if sample < 0 or (not sample and schema is None):
            raise ValueError(f"{self.name}: sample is at least 1 where no schema is declared; received {sample}")
        self._known: _Known | None = None
        self._make: Callable[[], Iterable[Any]] = (lambda: what) if isinstance(what, Iterable) else what
        self._once = _Once(what, sample) if isinstance(what, Iterator) else None
        self.once, self.endless = self._once is not None, not isinstance(what, Sized)
        if self._once:
            first = self._once.kept
        else:
            with _opened(self._make) as records:
                first = _Once(records, sample).kept
        self._check(first, 0)
        self.schema, _ = sampled(first, declared)
        if not len(self.schema):
            raise SourceError(f"{self.name}: no record shows a column; declare them (schema=)")
        self._documents = Documents(self.name, self.schema, misfits)
        self._known = _tree(self.schema.names)

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        if self._once is not None:
            kept = self._once.kept
            yield from self._batches(self._once.beginning(), columns, rows, 0)
            yield from self._batches(self._once.rest(self.name), columns, rows, len(kept))
            return
        with _opened(self._make) as records:
            yield from self._batches(records, columns, rows, 0)

    def beginning(self) -> RecordsReader:
        """Of the iterator's first records alone, those that are kept: it can be read again and again."""
        reader = copy(self)
        if self._once is not None:
            reader._make, reader._once = self._once.beginning, None
        return reader

    def _batches(
        self, records: Iterator[Any], columns: Sequence[str], rows: int, number: int
    ) -> Generator[pa.RecordBatch, None, None]:
        """Batches of all records, of which the first has this number."""
        size = _FIRST_ROWS
        while taken := _taken(records, min(size, rows)):
            self._check(taken, number)
            yield self._documents.batch(taken, columns, partial(_label, number))
            number += len(taken)
            size = max(1, min(2 * size, _BATCH_BYTES // _bytes(taken[-1])))

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
        return None

    def abort(self) -> None:
        """Nothing waits here."""


class _Once:
    """An iterator, whose first records are kept so that looking at them loses nothing."""

    def __init__(self, records: Iterator[Any], sample: int) -> None:
        self._records: Iterator[Any] | None = records
        self._room = _BATCH_BYTES
        self._ended = False
        self.kept: list[Any] = []
        self._keep(sample)

    def _keep(self, count: int) -> bool:
        """Keep so many records; False if there are not that many, or no room for them."""
        while len(self.kept) < count and self._room > 0 and not self._ended and self._records is not None:
            taken = list(islice(self._records, 1))
            self.kept += taken
            self._room -= sum(map(_bytes, taken))
            self._ended = not taken
        return len(self.kept) >= count

    def beginning(self) -> Iterator[Any]:
        """The records that are kept, and more while they can be."""
        number = 0
        while self._keep(min(number + 1, _KEPT)) and number < len(self.kept):
            yield self.kept[number]
            number += 1

    def rest(self, name: str) -> Iterator[Any]:
        """The records behind those, once."""
        if self._ended:
            return iter(())
        if self._records is None:
            raise ValueError(f"{name}: an iterator can be read once, and was; open the function that makes it instead")
        records, self._records, self.kept = self._records, None, []
        return records


@contextmanager
def _opened(make: Callable[[], Iterable[Any]]) -> Generator[Iterator[Any], None, None]:
    """An iterator of the records, closed at the end if it can be."""
    records = iter(make())
    try:
        yield records
    finally:
        if isinstance(records, Generator):
            records.close()


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


def _bytes(value: Any) -> int:
    """About how much memory a value takes, at least."""
    if isinstance(value, Mapping):
        return 64 + sum(map(_bytes, value.values()))
    if isinstance(value, (list, tuple)):
        return 64 + len(value) * (_bytes(value[0]) if value else 0)
    return 64 + (
        value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, (str, bytes)) else 0
    )


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
