"""Rows that are left out: with missing values, or that were there before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa
from dlbd.data.features.column import missing_rows, plain_config, rows_named
from dlbd.data.features.privacy import Pseudonyms
from dlbd.data.features.vector import numbers
from dlbd.data.parts import mixed, words_of

Keep = Callable[[pa.RecordBatch], Array | None]  # which rows of a batch stay; None for all


@dataclass(frozen=True)
class RowStep:
    """Leaves rows out.

    Attributes:
        columns: that decide; all that the features read by default.
        training_only: whether a prediction is made for such rows all the same.
    """

    columns: tuple[str, ...] | None = None

    training_only: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.columns is not None:
            names = [self.columns] if isinstance(self.columns, str) else self.columns
            object.__setattr__(self, "columns", tuple(names))

    def begin(self, columns: Sequence[str]) -> Keep:
        """What to call with each batch of a pass; ``columns`` are all that there are."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return plain_config(self)


@dataclass(frozen=True)
class DropMissing(RowStep):
    """Rows in which a value is missing (NULL or NaN) are left out; where they should be predicted, the answer is NaN.

    Args:
        columns: that decide; by default all that the features read, the target included.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Number("x")], rows=[dlbd.data.DropMissing()])
        >>> features.to_numpy(dlbd.data.open({"x": [1.0, None, 3.0]}))[0].ravel().tolist()
        [1.0, 3.0]
    """

    def begin(self, columns: Sequence[str]) -> Keep:
        names = columns if self.columns is None else self.columns

        def keep(batch: pa.RecordBatch) -> Array | None:
            found = None
            for name in names:
                if name in batch.schema.names and (missing := missing_rows(batch.column(name))) is not None:
                    found = missing if found is None else found | missing
            return None if found is None else ~found

        return keep


@dataclass(frozen=True)
class DropDuplicates(RowStep):
    """Rows equal to an earlier one of the same pass are left out where they have targets; predictions are made for all.

    Rows are compared by a hash of 64 bits: among ten million rows two different ones are taken for equal with a
    probability of 3 in a million. It keeps 8 bytes for each row that differs from all others.

    Args:
        columns: that decide; by default all that the features read, the target included.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Number("x")], rows=[dlbd.data.DropDuplicates()])
        >>> features.to_numpy(dlbd.data.open({"x": [1.0, 2.0, 1.0]}))[0].ravel().tolist()
        [1.0, 2.0]
    """

    training_only: ClassVar[bool] = True

    def begin(self, columns: Sequence[str]) -> Keep:
        names = columns if self.columns is None else self.columns
        seen = _Seen()

        def keep(batch: pa.RecordBatch) -> Array | None:
            words: Array = np.zeros(batch.num_rows, np.uint64)
            for name in names:
                column = batch.column(name)
                own = _words(column)
                if column.null_count:
                    own = np.where(np.asarray(column.is_null()), _NULL, own)
                words = mixed(words ^ own)
            new = seen.new(words)
            return None if new.all() else new

        return keep


class Remaining(NamedTuple):
    """What is left of a batch of rows.

    Attributes:
        batch: the rows that stayed.
        first: the number of the first row that was given, from 0 on.
        kept: which of the rows that were given stayed; None for all.
    """

    batch: pa.RecordBatch
    first: int
    kept: Array | None


def remaining(
    batches: Iterable[pa.RecordBatch], names: list[str], steps: Sequence[RowStep], pseudonyms: Pseudonyms
) -> Iterator[Remaining]:
    """The columns ``names`` of all batches, with pseudonyms, without the rows that the steps leave out.

    Raises:
        ValueError: a column does not exist.
    """
    keeps = [step.begin(names) for step in steps]
    first = 0
    for given in batches:
        batch = pseudonyms.apply(_selected(given, names))
        kept: Array | None = None
        for keep in keeps:
            with rows_named(first, kept):
                mask = keep(batch)
            if mask is not None:
                batch = batch.filter(pa.array(mask))
                kept = mask if kept is None else narrowed(kept, mask)
        yield Remaining(batch, first, kept)
        first += given.num_rows


def _selected(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    given = batch.schema.names
    if given == names:
        return batch
    absent = [name for name in names if name not in set(given)]
    if absent:
        raise ValueError(f"the rows have no column {absent[0]!r}, which the features need; they have {given}")
    return batch.select(names)


def narrowed(kept: Array, mask: Array) -> Array:
    """Which of all rows stay, where ``mask`` says it of those that were kept."""
    kept = kept.copy()
    kept[kept] = mask
    return kept


_NULL = np.uint64(0x6E756C6C)  # unlike 0, which NULL is in a split


def _words(column: pa.Array) -> Array:
    if not pa.types.is_nested(column.type):
        return words_of(column)
    words: Array = np.zeros(len(column), np.uint64)
    for place in numbers(column, "").reshape(len(column), -1).T:
        words = mixed(words ^ words_of(pa.array(place)))
    return words


class _Seen:
    """A set of words, as sorted arrays of which each is at least twice as long as the next."""

    def __init__(self) -> None:
        self._runs: list[Array] = []

    def new(self, words: Array) -> Array:
        """Which words were not there before, nor earlier in ``words``; all are there from now on."""
        distinct, first = np.unique(words, return_index=True)
        fresh = np.ones(len(distinct), bool)
        for run in self._runs:
            places = np.searchsorted(run, distinct)
            fresh &= run[np.minimum(places, len(run) - 1)] != distinct
        mask = np.zeros(len(words), bool)
        mask[first[fresh]] = True
        added = distinct[fresh]
        while self._runs and len(self._runs[-1]) < 2 * len(added):
            added = np.sort(np.concatenate([self._runs.pop(), added]))
        if len(added):
            self._runs.append(added)
        return mask
