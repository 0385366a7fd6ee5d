"""Parts of a source, the same at every reading: by a hash of a column or of the row's number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, pc

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Part:
    """The rows whose hash, as a fraction of its range, lies in one of the intervals.

    Attributes:
        by: the column that is hashed; None for the row's number.
        seed: another one gives another division.
        intervals: (begin, end) each, the end left out.
        block: of so many rows, one after the other, each has its own of so many equal parts of the range, if the row's
            number decides: few rows, too, are divided evenly.
    """

    by: str | None
    seed: int
    intervals: tuple[tuple[float, float], ...]
    block: int

    def mask(self, batch: pa.RecordBatch, first_row: int) -> Array:
        """Which rows of the batch belong to the part; its first one has this number."""
        if self.by is None:
            fractions = self._of_numbers(first_row, batch.num_rows)
        else:
            fractions = self._hashed(words_of(batch.column(self.by)))
        inside = np.zeros(batch.num_rows, bool)
        for begin, end in self.intervals:
            inside |= (fractions >= begin) & (fractions < end)
        return inside

    def _hashed(self, words: Array) -> Array:
        seeded: Array = mixed(words + mixed(np.array([self.seed % 2**64], np.uint64)))
        return (seeded >> np.uint64(11)) / 2.0**53

    def _of_numbers(self, first: int, count: int) -> Array:
        before = first % self.block
        blocks = -(-(before + count) // self.block)
        numbers = np.arange(first - before, first - before + blocks * self.block, dtype=np.uint64)
        hashed = self._hashed(numbers).reshape(-1, self.block)
        ranks = hashed.argsort(axis=1, kind="stable").argsort(axis=1)
        fractions: Array = ((ranks + hashed) / self.block).reshape(-1)
        return fractions[before : before + count]


def mixed(words: Array) -> Array:
    """The output function of SplitMix64 (Steele, Lea, Flood 2014): 64 bits from 64, each depending on all."""
    z: Array = words + _GOLDEN  # unsigned arithmetic of arrays wraps around without a word
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))  # type: ignore[no-any-return]


def words_of(column: pa.Array) -> Array:
    """64 bits for each value, alike for equal values, whatever the width of their type: integers, times and booleans by
    their number, floats by their float64, all else by its text or bytes. NULL is 0, and all NaN are one.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    if pa.types.is_fixed_size_binary(kind):
        return words_of(column.cast(pa.binary()))
    if pa.types.is_dictionary(kind):
        if len(column.dictionary) > len(column):
            return words_of(decoded(column))
        words: Array = words_of(column.dictionary)[np.asarray(column.indices.fill_null(0))]
        words[np.asarray(column.is_null())] = 0
        return words
    if pa.types.is_timestamp(kind):
        if kind.unit == "ns":
            microseconds, rest = np.divmod(np.asarray(column.view(pa.int64()).fill_null(0)), 1000)
            return microseconds.view(np.uint64) + rest.view(np.uint64) * _GOLDEN
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return np.asarray(column.cast(pa.int64(), safe=False).fill_null(0)).view(np.uint64)
    if pa.types.is_floating(kind):
        numbers = np.asarray(column.cast(pa.float64()).fill_null(0.0)) + 0.0  # -0.0 is 0.0
        numbers[np.isnan(numbers)] = np.nan
        return numbers.view(np.uint64)
    if pa.types.is_temporal(kind):
        width = pa.int64() if kind.bit_width == 64 else pa.int32()
        return np.asarray(column.view(width).cast(pa.int64()).fill_null(0)).view(np.uint64)
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        column = column.cast(pa.string())
    distinct = pc.dictionary_encode(column)
    if isinstance(distinct, pa.ChunkedArray):
        distinct = distinct.combine_chunks()
    hashed = np.array([_hash(value) for value in distinct.dictionary.to_pylist()], np.uint64)
    if not len(hashed):
        return np.zeros(len(column), np.uint64)
    words = hashed[np.asarray(distinct.indices.fill_null(0))]
    words[np.asarray(column.is_null())] = 0
    return words


def _hash(value: str | bytes) -> int:
    data = value.encode() if isinstance(value, str) else value
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def edges(fractions: Sequence[float]) -> list[tuple[float, float]]:
    """An interval for each fraction, one after the other; those that sum up to 1 end there.

    Raises:
        ValueError: one is not above 0, or they sum up to more than 1.
    """
    if not fractions or any(not f > 0 for f in fractions) or sum(fractions) > 1 + 1e-9:
        raise ValueError(f"each part of a split is above 0, all are together at most 1; received {list(fractions)}")
    ends = np.cumsum(fractions)
    if abs(ends[-1] - 1) < 1e-9:
        ends[-1] = 1.0
    begins = [0.0, *ends[:-1].tolist()]
    return list(zip(begins, ends.tolist(), strict=True))
