"""Statistics of columns in one pass: each takes batches, and can take in what another one has seen."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa, pc
from dlbd.layers.preprocessing.moments import Moments

__all__ = ["Counts", "Extent", "Moments", "Quantiles"]

# A sketch keeps its first values as they are. When there are more it has sorted lists of 4096: of two that stand for
# equally many values it keeps every second one. The error of a rank is then at most levels / (4 * 4096) of the count,
# below 0.1% up to 2**28 values; it is far less in practice, as errors alternate (Munro and Paterson 1980).
_EXACT, _GROUP = 16_384, 4_096


class Extent:
    """The least and the greatest value, of each place of a row."""

    def __init__(self) -> None:
        self.least: Any = np.inf
        self.greatest: Any = -np.inf

    def add(self, x: Array) -> None:
        """Take in (rows, ...) numbers."""
        if len(x):
            self.least = np.minimum(self.least, np.minimum.reduce(x))
            self.greatest = np.maximum(self.greatest, np.maximum.reduce(x))

    def merge(self, other: Extent) -> None:
        """Take in what another one has seen."""
        self.least = np.minimum(self.least, other.least)
        self.greatest = np.maximum(self.greatest, other.greatest)


class Quantiles:
    """A sketch of how values are distributed: exact up to 16,384 values, beyond that ranks are right to 0.1%.

    It depends on the values and their order alone, not on how they are cut into batches.
    """

    def __init__(self) -> None:
        self.count = 0
        self._recent: list[Array] = []  # not in any level yet
        self._held = 0
        self._levels: list[Array | None] = []  # sorted; each value of level l stands for 2**l
        self._merges = 0

    def add(self, x: Array) -> None:
        """Take in finite numbers, (rows,) float64."""
        self.count += len(x)
        self._recent.append(x.copy())
        self._held += len(x)
        if self._held <= _EXACT and not self._levels:
            return
        values = np.concatenate(self._recent)
        whole = len(values) // _GROUP * _GROUP
        for group in values[:whole].reshape(-1, _GROUP):
            self._keep(np.sort(group), 0)
        self._recent, self._held = [values[whole:].copy()], len(values) - whole

    def merge(self, other: Quantiles) -> None:
        """Take in what another one has seen."""
        self.count += other.count - other._held
        for level, values in enumerate(other._levels):
            if values is not None:
                self._keep(values, level)
        for values in other._recent:
            self.add(values)

    def _keep(self, values: Array, level: int) -> None:
        while level < len(self._levels) and (there := self._levels[level]) is not None:
            self._merges += 1
            values = np.sort(np.concatenate([there, values]))[self._merges % 2 :: 2].copy()
            self._levels[level] = None
            level += 1
        self._levels += [None] * (level + 1 - len(self._levels))
        self._levels[level] = values

    def items(self) -> tuple[Array, Array]:
        """Sorted values, and how many each stands for."""
        parts, weights = [np.concatenate([*self._recent, np.empty(0)])], [1]
        for level, values in enumerate(self._levels):
            if values is not None:
                parts.append(values)
                weights.append(1 << level)
        values = np.concatenate(parts)
        counts = np.repeat(np.array(weights, np.float64), [len(part) for part in parts])
        order = np.argsort(values, kind="stable")
        return values[order], counts[order]

    def at(self, *fractions: float) -> list[float]:
        """The values below which these fractions lie, between two values by a straight line, as in NumPy."""
        values, counts = self.items()
        ranks = np.cumsum(counts) - (counts + 1) / 2
        return np.interp(np.array(fractions) * (self.count - 1), ranks, values).tolist()  # type: ignore[no-any-return]


class Counts:
    """How often each value occurs.

    Args:
        limit: how many different values are remembered; beyond it, by :attr:`overflow`.
        prune: forget rare values when there are many more, so that counts of frequent ones are a little low (lossy
            counting, Manku and Motwani 2002), instead of noting the overflow.
    """

    def __init__(self, limit: int, prune: bool = False) -> None:
        self.limit, self.prune = limit, prune
        self._overflow = False
        self._parts: list[tuple[pa.Array, Array]] = []  # values, and how often they occur; one may be in several parts
        self._held = 0  # values of all parts
        self._whole = True  # whether there is at most one part, in which no value is twice

    def add(self, values: pa.Array) -> None:
        """Take in values, or indices of distinct ones; NULL does not count."""
        if self._overflow:
            return
        if pa.types.is_dictionary(values.type):
            counts = np.bincount(np.asarray(values.indices.drop_null()), minlength=len(values.dictionary))
            there = np.flatnonzero(counts)
            self._take(values.dictionary.take(pa.array(there)), counts[there])
        else:
            found = pc.value_counts(values.drop_null())
            self._take(found.field(0), np.asarray(found.field(1)))

    def merge(self, other: Counts) -> None:
        """Take in what another one has seen."""
        self._overflow |= other.overflow
        for values, counts in other._parts:
            self._take(values, counts)

    def _take(self, values: pa.Array, counts: Array) -> None:
        if pa.types.is_string(values.type):
            values = values.cast(pa.large_string())  # all parts together may have more than 2 GB
        elif pa.types.is_floating(values.type):
            values = pc.add(values, 0.0)  # -0.0 is 0.0
        self._parts.append((values, counts))
        self._held, self._whole = self._held + len(values), False
        if self._held > 2 * self.limit:
            self._join()

    def _join(self) -> None:
        """Make one part of all."""
        if self._whole:
            return
        encoded = pc.dictionary_encode(pa.concat_arrays([values for values, _ in self._parts]))
        counts = np.bincount(np.asarray(encoded.indices), np.concatenate([n for _, n in self._parts])).astype(np.int64)
        values, least = encoded.dictionary, 1
        while len(values) > self.limit:
            if not self.prune:
                self._overflow, values, counts = True, values[:0], counts[:0]
                break
            values, counts = values.filter(pa.array(counts > least)), counts[counts > least]
            least += 1
        self._parts, self._held, self._whole = [(values, counts)], len(values), True

    @property
    def overflow(self) -> bool:
        """Whether there were more different values than the limit; none is known then."""
        self._join()
        return self._overflow

    @property
    def of(self) -> dict[Any, int]:
        """How often each value occurs."""
        self._join()
        pairs = (zip(values.to_pylist(), counts.tolist(), strict=True) for values, counts in self._parts)
        return dict(chain(*pairs))

    def most_common(self, most: int | None = None) -> list[Any]:
        """The values, the most frequent first; of equally frequent ones the smaller first."""
        self._join()
        if not self._parts:
            return []
        values, counts = self._parts[0]
        table = pa.table({"count": counts, "value": values})
        order = pc.sort_indices(table, sort_keys=[("count", "descending"), ("value", "ascending")])
        return values.take(order[:most]).to_pylist()  # type: ignore[no-any-return]
