"""Vocabulary: the number of each known value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa, pc

# Arrow's lookup makes its table anew each time: for more values than this per row of a batch a dict is quicker.
_MANY = 2


class Vocabulary:
    """Values that have numbers.

    Args:
        values: all different: text, whole numbers or booleans.
        first: the number of the first one.
        type: of the values.
    """

    def __init__(self, values: Sequence[Any], first: int, type: pa.DataType) -> None:
        self.values, self.first, self.type = values, first, type
        self._latest: tuple[pa.Array, int, Array] | None = None

    @cached_property
    def _array(self) -> pa.Array:
        return pa.array(self.values, self.type)

    @cached_property
    def numbers(self) -> dict[Any, int]:
        """The number of each value."""
        return {value: i for i, value in enumerate(self.values, self.first)}

    def find(self, column: pa.Array, other: int) -> Array:
        """(rows,) int64: the number of each value, or index of one; ``other`` where it has none, or is NULL."""
        if pa.types.is_dictionary(column.type):
            of = self._numbers_of(column.dictionary, other)
        elif len(self.values) <= _MANY * len(column):
            return self._looked_up(column, other)
        else:
            column = pc.dictionary_encode(column)
            known = [self.numbers.get(value, other) for value in column.dictionary.to_pylist()]
            of = np.array([*known, other], np.int64)
        indices = column.indices
        return of[np.asarray(indices.fill_null(len(of) - 1) if indices.null_count else indices)]  # type: ignore[no-any-return]

    def _looked_up(self, column: pa.Array, other: int) -> Array:
        places = pc.index_in(column, value_set=self._array).fill_null(other - self.first)
        return np.asarray(places).astype(np.int64) + self.first

    def _numbers_of(self, distinct: pa.Array, other: int) -> Array:
        """Of each distinct value, and of NULL behind them; of successive batches they are often the same ones."""
        latest = self._latest
        if latest is None or latest[1] != other or not latest[0].equals(distinct):
            numbers = np.append(self.find(distinct, other), other)
            self._latest = latest = distinct, other, numbers
        return latest[2]
