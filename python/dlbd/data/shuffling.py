"""Rows in a random order, through a pool of bounded size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlbd.backend import Array


class Pool:
    """Places for rows. Once all are taken, rows that come in take the places of rows drawn at random.

    Which ones are drawn depends on the random numbers, and on how many rows came before; not on how they came.

    Args:
        like: arrays of the rows' shapes and dtypes.
        places: how many.
        at_once: this many distinct places are drawn together, if there are so many.
        order: where the random numbers come from.
    """

    def __init__(self, like: Sequence[Array], places: int, at_once: int, order: np.random.Generator) -> None:
        self._rows = [np.empty((places, *a.shape[1:]), a.dtype) for a in like]
        self._places, self._at_once, self._order = places, min(at_once, places), order
        self._taken = 0
        self._drawn = np.empty(0, np.int64)  # places that are next

    @property
    def free(self) -> int:
        """How many places are free."""
        return self._places - self._taken

    def fill(self, rows: Sequence[Array]) -> None:
        """Take in rows, at most as many as places are free."""
        end = self._taken + len(rows[0])
        for own, given in zip(self._rows, rows, strict=True):
            own[self._taken : end] = given
        self._taken = end

    def exchange(self, rows: Sequence[Array], drawn: Sequence[Array]) -> None:
        """Draw as many rows as come in, when no place is free."""
        begin, n = 0, len(rows[0])
        while begin < n:
            if not len(self._drawn):
                self._drawn = self._order.choice(self._places, self._at_once, replace=False)
            places, self._drawn = self._drawn[: n - begin], self._drawn[n - begin :]
            end = begin + len(places)
            self.draw(places, [out[begin:end] for out in drawn])
            for own, given in zip(self._rows, rows, strict=True):
                own[places] = given[begin:end]
            begin = end

    def draw(self, places: Array, drawn: Sequence[Array]) -> None:
        """Copy the rows of these places."""
        for own, out in zip(self._rows, drawn, strict=True):
            np.take(own, places, axis=0, out=out, mode="clip")  # only then NumPy writes to `out` without a copy

    def last(self) -> Array:
        """The places of the rows that are in it, in a random order."""
        return self._order.permutation(self._taken)
