"""Rows as clients of databases give them, a tuple of Python values each, to record batches."""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError

# Rows whose values are held as Python's: few enough to be in the cache still when they are converted.
_CHUNK = 256

# Values of a batch at most: bounds memory where there are many columns.
_VALUES = 1 << 20

_CODES = {
    pa.int8(): "b",
    pa.int16(): "h",
    pa.int32(): "i",
    pa.int64(): "q",
    pa.uint8(): "B",
    pa.uint16(): "H",
    pa.uint32(): "I",
    pa.uint64(): "Q",
    pa.float32(): "f",
    pa.float64(): "d",
}

# What making an array of values raises where one does not fit.
_MISFIT = (pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError)

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "string": (str,),
    "large_string": (str,),
    "binary": (bytes,),
    "large_binary": (bytes,),
    "date32[day]": (datetime.date,),
    "null": (),
}


@dataclass(frozen=True)
class Column:
    """How the values of a column become Arrow's.

    Attributes:
        name, type: of the column in the batch.
        described: what the store calls the type, for messages; may be empty.
        types: of the Python values that fit, beside None.
        make: the array of a sequence of such values.
    """

    name: str
    type: pa.DataType
    described: str = ""
    types: tuple[type, ...] = ()
    make: Callable[[Sequence[Any]], pa.Array] | None = None

    @property
    def code(self) -> str | None:
        """struct's letter, for numbers that come as such."""
        return _CODES.get(self.type) if self.make is None else None

    def array(self, values: Sequence[Any], source: str) -> pa.Array:
        """The values as an array.

        Raises:
            SourceError: one does not fit.
        """
        allowed = {type(None), *(self.types or python_types(self.type))}
        try:
            # of all that clients give for floats Arrow itself takes no more than is allowed, and is quicker to say so
            if (self.make is None and pa.types.is_floating(self.type)) or set(map(type, values)) <= allowed:
                return self._made(values)
        except _MISFIT:
            pass
        raise SourceError(f"{source}: column {self.name!r} {self._misfit(values, allowed)}") from None

    def _made(self, values: Sequence[Any]) -> pa.Array:
        return pa.array(values, self.type) if self.make is None else self.make(values)

    def _misfit(self, values: Sequence[Any], allowed: set[type]) -> str:
        declared = f"is declared {self.described} and holds" if self.described else "holds"
        for value in values:
            try:
                fits = type(value) in allowed and len(self._made([value])) == 1
            except _MISFIT:
                fits = False
            if not fits:
                shown = repr(value) if len(repr(value)) < 100 else repr(value)[:97] + "..."
                return f"{declared} {shown} ({type(value).__name__}), which is no {self.type}; schema= may say another"
        return f"{declared} values that are no {self.type} together"


def python_types(kind: pa.DataType) -> tuple[type, ...]:
    if pa.types.is_integer(kind):
        return (int,)
    if pa.types.is_floating(kind):
        return (float, int)
    if pa.types.is_decimal(kind):
        return (decimal.Decimal,)
    if pa.types.is_timestamp(kind):
        return (datetime.datetime,)
    if pa.types.is_time(kind):
        return (datetime.time,)
    if pa.types.is_duration(kind):
        return (datetime.timedelta,)
    return _PYTHON_TYPES[str(kind)]


def numbers_first(columns: Iterable[Column]) -> list[Column]:
    """In the order in which rows are converted the quickest."""
    return sorted(columns, key=lambda column: column.code is None)


def batches_of(
    tuples: Iterator[tuple[Any, ...]], columns: Sequence[Column], rows: int, source: str
) -> Generator[pa.RecordBatch, None, None]:
    """Batches of at most so many rows.

    Numbers are packed by ``struct`` as each row comes, while it is in the cache: the quickest that the standard library
    has. It takes no None, so that a column leaves this path when its first NULL is met.

    Raises:
        SourceError: a value is not of its column's type; the message has both.
    """
    rows = min(rows, max(1, _VALUES // max(len(columns), 1)))
    layout = _Layout(columns, [i for i, column in enumerate(columns) if column.code], rows)
    while True:
        begin = layout.count
        rejected = layout.fill(tuples, source)
        if rejected is not None or layout.count in (begin, rows):
            if layout.count:
                yield layout.batch()
            elif rejected is None:
                return
        if rejected is not None:
            layout = _Layout(columns, layout.fitting(rejected), rows)
            layout.fill(iter([rejected]), source)


class _Layout:
    """A batch in the making: a row-wise buffer for numbers without NULL, and tuples of the other columns."""

    def __init__(self, columns: Sequence[Column], packed: Sequence[int], rows: int) -> None:
        self.count = 0
        self._columns, self._packed, self._rows = columns, packed, rows
        self._loose = [i for i in range(len(columns)) if i not in set(packed)]
        self._struct = struct.Struct("=" + "".join(columns[i].code or "" for i in packed))
        self._buffer = bytearray(self._struct.size * rows)
        self._dtype = np.dtype([(str(i), f"={columns[i].code}") for i in packed])
        self._arrays: list[list[pa.Array]] = [[] for _ in self._loose]

    def fill(self, tuples: Iterator[tuple[Any, ...]], source: str) -> tuple[Any, ...] | None:
        """Take some rows, none if the batch is full or there are no more. Gives the row that does not fit, if any."""
        pack, buffer, size = self._struct.pack_into, self._buffer, self._struct.size
        numbers, others = _pick(self._packed), _pick(self._loose)
        offset = self.count * size
        taken = islice(tuples, min(_CHUNK if self._loose else self._rows, self._rows - self.count))
        values: list[tuple[Any, ...]] = []
        row: tuple[Any, ...] = ()
        rejected = None
        try:
            if not self._loose:
                for row in taken:
                    pack(buffer, offset, *row)
                    offset += size
            elif not self._packed:
                values = list(taken)
            else:
                for row in taken:
                    pack(buffer, offset, *numbers(row))
                    values.append(others(row))
                    offset += size
        except (struct.error, OverflowError):
            rejected = row
        if not self._loose:
            self.count = offset // size
        else:
            self.count += len(values)
            for i, arrays, column in zip(self._loose, self._arrays, zip(*values, strict=True), strict=bool(values)):
                arrays.append(self._columns[i].array(column, source))
        return rejected

    def fitting(self, row: tuple[Any, ...]) -> list[int]:
        """The columns that can still be packed after this row was not."""
        kept = [i for i in self._packed if type(row[i]) in python_types(self._columns[i].type)]
        return kept if len(kept) < len(self._packed) else []

    def batch(self) -> pa.RecordBatch:
        """All rows so far; the next ones begin another batch."""
        arrays: dict[int, pa.Array] = {}
        if self._packed:
            table = np.frombuffer(self._buffer, self._dtype, self.count)
            for i in self._packed:
                arrays[i] = pa.array(table[str(i)].copy(), self._columns[i].type)  # the buffer is used again
        for i, parts in zip(self._loose, self._arrays, strict=True):
            arrays[i] = pa.concat_arrays(parts)
            parts.clear()
        self.count = 0
        names = [column.name for column in self._columns]
        return pa.RecordBatch.from_arrays([arrays[i] for i in range(len(names))], names)


def _pick(indices: Sequence[int]) -> Callable[[Any], Any]:
    """Takes these values of a row, as a tuple."""
    if not indices:
        return itemgetter(slice(0))
    if indices[-1] - indices[0] == len(indices) - 1:
        return itemgetter(slice(indices[0], indices[-1] + 1))
    return itemgetter(*indices)
