"""A histogram of numbers whose range nobody knows before the last one has come."""

from __future__ import annotations

import numpy as np

from dlbd.backend import Array

_BINS = 512  # while numbers come; at least half of them are in the range then
_BARS = " ▁▂▃▄▅▆▇█"
_NONE: Array = np.zeros(_BINS // 2)
_SCALE = 2.0**-32  # so that twice the range of numbers is a number, too


class Histogram:
    """Counts and sums in equal bins, which become twice as wide until they hold all that comes.

    Attributes:
        least, greatest: of all numbers so far.
    """

    def __init__(self) -> None:
        self.least, self.greatest = np.inf, -np.inf
        self._low = self._width = 0.0
        self._counts = self._sums = np.zeros(_BINS)

    def add(self, x: Array) -> None:
        """Take in finite numbers, (rows,) float64, at least one."""
        least, greatest = float(x.min()), float(x.max())
        self.least, self.greatest = min(self.least, least), max(self.greatest, greatest)
        x, least, greatest = x * _SCALE, least * _SCALE, greatest * _SCALE
        if not self._width:
            self._low = least
            self._width = max((greatest - least) / _BINS, float(np.spacing(max(abs(least), abs(greatest)))))
        while least < self._low:
            self._counts, self._sums = (np.concatenate([_NONE, _pairs(a)]) for a in (self._counts, self._sums))
            self._low -= _BINS * self._width
            self._width *= 2
        while greatest > self._low + _BINS * self._width:
            self._counts, self._sums = (np.concatenate([_pairs(a), _NONE]) for a in (self._counts, self._sums))
            self._width *= 2
        places = np.minimum((x - self._low) / self._width, _BINS - 1).astype(np.int64)
        self._counts = self._counts + np.bincount(places, minlength=_BINS)
        self._sums = self._sums + np.bincount(places, weights=x, minlength=_BINS)

    @property
    def mean(self) -> float:
        """Of all numbers so far; NaN if there are none."""
        count = self._counts.sum()
        return float(self._sums.sum() / count / _SCALE) if count else np.nan

    def bars(self, count: int) -> str:
        """From the least to the greatest number."""
        low, high = self.least * _SCALE, self.greatest * _SCALE
        there = self._counts > 0
        means = np.clip(self._sums[there] / self._counts[there], low, high)
        heights, _ = np.histogram(means, count, (low, high) if low < high else None, weights=self._counts[there])
        return "".join(_BARS[int(np.ceil(h / heights.max() * (len(_BARS) - 1)))] for h in heights)


def _pairs(bins: Array) -> Array:
    pairs: Array = bins.reshape(-1, 2).sum(axis=1)
    return pairs
