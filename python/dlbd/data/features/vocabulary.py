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

    @cached_property
    def _array(self) -> pa.Array:
        return pa.array(self.values, self.type)

    @cached_property
    def numbers(self) -> dict[Any, int]:
        """The number of each value."""
        return {value: i for i, value in enumerate(self.values, self.first)}

    def find(self, column: pa.Array, other: int) -> Array:
        """(rows,) int64: the number of each value; ``other`` where it has none, or is NULL."""
        if len(self.values) <= _MANY * len(column):
            places = pc.index_in(column, value_set=self._array).fill_null(other - self.first)
            return np.asarray(places).astype(np.int64) + self.first
        distinct = pc.dictionary_encode(column)
        known = [self.numbers.get(value, other) for value in distinct.dictionary.to_pylist()]
        return np.array([*known, other], np.int64)[np.asarray(distinct.indices.fill_null(len(known)))]  # type: ignore[no-any-return]
