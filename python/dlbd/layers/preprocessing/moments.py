"""Mean and variance in one pass."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dlbd.backend import Array


class Moments:
    """Count, mean and sum of squared deviations, in float64, of all batches so far.

    Chan, Golub and LeVeque: "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: Any = 0.0
        self.squares: Any = 0.0

    def add(self, batch: Array, reduced: tuple[int, ...] = (0,)) -> None:
        """Take in a batch; its ``reduced`` axes become one number."""
        own = Moments()
        own.count = prod(batch.shape[a] for a in reduced)
        if own.count == 0:
            return
        mean = np.add.reduce(batch, axis=reduced, dtype=np.float64, keepdims=True) / own.count
        x = batch - mean
        np.square(x, out=x)
        own.mean, own.squares = mean.squeeze(reduced), np.add.reduce(x, axis=reduced)
        self.merge(own)

    def merge(self, other: Moments) -> None:
        """Take in what another one has seen."""
        if other.count == 0:
            return
        apart = other.mean - self.mean
        self.count += other.count
        self.mean = self.mean + apart * (other.count / self.count)
        self.squares = self.squares + other.squares + apart**2 * (other.count * (1 - other.count / self.count))

    @property
    def variance(self) -> Any:
        """The mean squared deviation."""
        return self.squares / self.count
