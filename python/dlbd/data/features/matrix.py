"""The columns that are vectors, side by side in one matrix, as a model with one input takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa
from dlbd.data.features.column import FLOAT32, Column, RowError, float64s
from dlbd.data.features.number import Number

# Numbers of 16 columns are a cache line of a row of the matrix; 4096 rows of them, as float64, half a megabyte.
_COLUMNS, _ROWS = 16, 4096


class Matrix:
    """Writes columns into (rows, width) float32, many numbers at once.

    Args:
        columns: in order; those that are no float32 vectors are left out.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = [c for c in columns if c.dtype == FLOAT32 and len(c.shape) == 1]
        ends = np.cumsum([c.shape[0] for c in self.columns], dtype=int).tolist()
        self.places = {c.name: slice(end - c.shape[0], end) for c, end in zip(self.columns, ends, strict=True)}
        self.width = ends[-1] if ends else 0
        self._groups: list[Column | _Numbers] = []
        for plain, group in groupby(self.columns, lambda c: isinstance(c, Number)):
            members = list(group)
            if plain:
                self._groups += [_Numbers(members[i : i + _COLUMNS]) for i in range(0, len(members), _COLUMNS)]  # type: ignore[arg-type]
            else:
                self._groups += members

    def transform(self, given: Mapping[str, pa.Array], rows: int) -> Array:
        """(rows, width) float32; errors as for :meth:`Column.transform`."""
        y = np.empty((rows, self.width), np.float32)
        for group in self._groups:
            if isinstance(group, _Numbers):
                at = slice(self.places[group.columns[0].name].start, self.places[group.columns[-1].name].stop)
                group.transform([given[c.name] for c in group.columns], y[:, at])
            else:
                group.write(given[group.name], y[:, self.places[group.name]])
        return y


class _Numbers:
    """Some neighbours that are numbers."""

    def __init__(self, columns: Sequence[Number]) -> None:
        self.columns = columns
        center, factor, limits, _ = zip(*(c.steps for c in columns), strict=True)
        self._center, self._factor = np.array(center)[:, None], np.array(factor)[:, None]
        self._clips = any(pair is not None for pair in limits)
        self._limits = np.array([pair or (-np.inf, np.inf) for pair in limits]).T[:, :, None]

    def transform(self, columns: Sequence[pa.Array], out: Array) -> None:
        """Write (rows, columns): the same as each column's own ``transform`` gives."""
        given = [float64s(column, c.name) for column, c in zip(columns, self.columns, strict=True)]
        scratch = np.empty((len(given), min(_ROWS, len(out))))
        for begin in range(0, len(out), _ROWS):
            rows = slice(begin, begin + _ROWS)
            x = scratch[:, : len(out[rows])]
            for row, values in zip(x, given, strict=True):
                row[:] = values[rows]
            try:
                out[rows] = self._scaled(x, [values[rows] for values in given]).T
            except RowError as error:
                raise RowError(begin + error.row, str(error)) from None

    def _scaled(self, x: Array, given: Sequence[Array]) -> Array:
        if self._clips:
            np.clip(x, self._limits[0], self._limits[1], out=x)
        with np.errstate(all="ignore"):
            x -= self._center
            x *= self._factor
            y = x.astype(np.float32)
            whole = np.isfinite(y.sum(axis=1, dtype=np.float64))
        for i in np.flatnonzero(~whole).tolist():
            self.columns[i].complete(y[i], given[i])
        return y
