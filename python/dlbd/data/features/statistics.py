"""Statistics of columns in one pass: each takes batches, and can take in what another one has seen."""

from __future__ import annotations

from collections import Counter
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
        prune: forget rare values when there are too many, so that counts of frequent ones are a little low (lossy
            counting, Manku and Motwani 2002), instead of noting the overflow.
    """

    def __init__(self, limit: int, prune: bool = False) -> None:
        self.limit, self.prune = limit, prune
        self.overflow = False
        self.of: Counter[Any] = Counter()

    def add(self, values: pa.Array) -> None:
        """Take in values; NULL does not count."""
        if self.overflow:
            return
        found = pc.value_counts(values.drop_null())
        self._take(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))

    def merge(self, other: Counts) -> None:
        """Take in what another one has seen."""
        self.overflow |= other.overflow
        self._take(other.of)

    def _take(self, counts: dict[Any, int]) -> None:
        self.of.update(counts)
        least = 1
        while len(self.of) > self.limit:
            if not self.prune:
                self.overflow, self.of = True, Counter()
                return
            self.of = Counter({value: n for value, n in self.of.items() if n > least})
            least += 1

    def most_common(self, most: int | None = None) -> list[Any]:
        """The values, the most frequent first; of equally frequent ones the smaller first."""
        ordered = sorted(self.of.items(), key=lambda item: (-item[1], item[0]))
        return [value for value, _ in ordered[:most]]
