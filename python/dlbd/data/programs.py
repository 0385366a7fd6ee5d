"""Rows that a Python program makes, item by item: what the readers of records and of tables have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing, contextmanager
from copy import copy
from itertools import islice
from typing import Any

import numpy as np

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.memory import TableReader, is_table

BATCH_BYTES = 16 << 20
_KEPT = 16384  # items of an iterator, if they take no more bytes than a batch


class Program:
    """Items of an iterable, or of the iterators that a function gives, made anew each time; or of one iterator, which
    is read once: looking at its beginning loses nothing, going on behind that is possible once.

    Args:
        what: an iterable, a function without arguments that gives one, or an iterator; it may be endless.
        count: how many items are looked at, as far as there are so many and there is room for them.

    Attributes:
        first: these items.
    """

    def __init__(self, what: Any, count: int) -> None:
        self.what = what
        self._make: Callable[[], Iterable[Any]] = (lambda: what) if isinstance(what, Iterable) else what
        self._once = _Once(what) if isinstance(what, Iterator) else None
        self.first: list[Any] = []
        if self._once is not None:
            self.first = self._once.keep(count)
        elif count:
            with _opened(self._make) as items:
                self.first = _Once(items).keep(count)

    @property
    def once(self) -> bool:
        return self._once is not None

    def parts(self, name: str) -> Generator[tuple[Iterator[Any], int], None, None]:
        """Iterators that give all items together, each with the number of its first."""
        if self._once is not None:
            kept = self._once.kept
            yield self._once.beginning(), 0
            yield self._once.rest(name), len(kept)
            return
        with _opened(self._make) as items:
            yield items, 0

    def beginning(self) -> Program:
        """Of an iterator's first items alone, those that are kept: it can be read again and again."""
        program = copy(self)
        if self._once is not None:
            program._make, program._once = self._once.beginning, None
        return program


class _Once:
    """An iterator, whose first items are kept."""

    def __init__(self, items: Iterator[Any]) -> None:
        self._items: Iterator[Any] | None = items
        self._room = BATCH_BYTES
        self._ended = False
        self.kept: list[Any] = []

    def keep(self, count: int) -> list[Any]:
        """The first items, so many if there are, and room for them."""
        while len(self.kept) < count and self._room > 0 and not self._ended and self._items is not None:
            taken = list(islice(self._items, 1))
            self.kept += taken
            self._room -= sum(map(bytes_of, taken))
            self._ended = not taken
        return self.kept

    def beginning(self) -> Iterator[Any]:
        """The items that are kept, and more while they can be."""
        number = 0
        while len(self.keep(min(number + 1, _KEPT))) > number:
            yield self.kept[number]
            number += 1

    def rest(self, name: str) -> Iterator[Any]:
        """The items behind those, once."""
        if self._ended:
            return iter(())
        if self._items is None:
            raise ValueError(f"{name}: an iterator can be read once, and was; open the function that makes it instead")
        items, self._items, self.kept = self._items, None, []
        return items


@contextmanager
def _opened(make: Callable[[], Iterable[Any]]) -> Generator[Iterator[Any], None, None]:
    """An iterator of what ``make`` gives, closed at the end if it can be."""
    items = iter(make())
    try:
        yield items
    finally:
        if isinstance(items, Generator):
            items.close()


def bytes_of(value: Any) -> int:
    """About how much memory a value takes, at least."""
    if isinstance(value, Mapping):
        return 64 + sum(map(bytes_of, value.values()))
    if isinstance(value, (list, tuple)):
        return 64 + len(value) * (bytes_of(value[0]) if value else 0)
    if is_table(value):
        return TableReader(value).bytes
    return 64 + (
        value.nbytes if isinstance(value, np.ndarray) else len(value) if isinstance(value, (str, bytes)) else 0
    )


class ProgramReader(ABC):
    """A reader of a program's items.

    Attributes:
        once: whether a scan may be the only one.
        endless: whether it may have no end.
    """

    ordered, remote, sorts = True, False, False
    schema: pa.Schema

    def __init__(self, program: Program, name: str) -> None:
        self.name = name
        self._program = program
        self.once, self.endless = program.once, not isinstance(program.what, Sized)

    @abstractmethod
    def _batches(
        self, items: Iterator[Any], columns: Sequence[str], rows: int, number: int
    ) -> Generator[pa.RecordBatch, None, None]:
        """Batches of these items, of which the first has this number."""

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        with closing(self._program.parts(self.name)) as parts:
            for items, number in parts:
                yield from self._batches(items, columns, rows, number)

    def beginning(self) -> ProgramReader:
        """Of an iterator's first items alone, those that are kept: it can be read again and again."""
        reader = copy(self)
        reader._program = self._program.beginning()
        return reader

    def count(self, where: Expression | None) -> int | None:
        return None

    def abort(self) -> None:  # noqa: B027
        """Nothing waits here."""
