"""Rows in a random order, through a pool of bounded size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlbd.backend import Array


class Pool:
    """Places for rows. Once all are taken, rows that come in take the places of rows drawn at random.

    Args:
        like: arrays of the rows' shapes and dtypes.
        places: how many.
        order: where the random numbers come from: the same ones give the same order.

    Attributes:
        places: how many there are.
    """

    def __init__(self, like: Sequence[Array], places: int, order: np.random.Generator) -> None:
        self._rows = [np.empty((places, *a.shape[1:]), a.dtype) for a in like]
        self.places, self._order = places, order
        self._taken = 0

    @property
    def free(self) -> int:
        """How many places are free."""
        return self.places - self._taken

    def fill(self, rows: Sequence[Array]) -> None:
        """Take in rows, at most as many as places are free."""
        end = self._taken + len(rows[0])
        for own, given in zip(self._rows, rows, strict=True):
            own[self._taken : end] = given
        self._taken = end

    def exchange(self, rows: Sequence[Array], drawn: Sequence[Array]) -> None:
        """Draw as many rows as come in, at most as many as there are places, all of which are taken."""
        places = self._order.choice(self.places, len(rows[0]), replace=False)
        self.draw(places, drawn)
        for own, given in zip(self._rows, rows, strict=True):
            own[places] = given

    def draw(self, places: Array, drawn: Sequence[Array]) -> None:
        """Copy the rows of these places."""
        for own, out in zip(self._rows, drawn, strict=True):
            np.take(own, places, axis=0, out=out, mode="clip")  # only then NumPy writes to `out` without a copy

    def last(self) -> Array:
        """The places of the rows that are in it, in a random order."""
        return self._order.permutation(self._taken)
