"""Window: stretches of a time series as samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlbd.backend import Array
from dlbd.data.arrow import pa, pc
from dlbd.data.features.block import Block, joined
from dlbd.data.features.column import missing_rows, plain_config
from dlbd.layers.arguments import positive


@dataclass(frozen=True)
class Window:
    """Successive rows as one sample, and what comes after them as its target.

    A sample is the (length, width) float32 of all columns side by side in ``length`` successive rows. Its target is
    that of the ``horizon`` rows which follow, (horizon, ...); with a horizon of 0 that of the window's last row, its
    weight as well. Windows go on over the edges of batches. Rows that are left out are not there: the rows around them
    are neighbours. A prediction is made for the window that ends in a row, and stands in that row's place; the first
    ``length - 1`` rows of a group have none.

    Args:
        length: rows of a window.
        stride: rows between the beginnings of two windows in training; 1 by default. Predictions are made for all.
        horizon: rows of a target; 1 by default.
        by: the column that tells apart series whose rows are mixed or follow each other; None for one series. Rows
            without a value there are a series as well. The last
            ``length + horizon - 1`` rows of each series stay in memory.
        smoothing: of the columns, not of the target: a whole number for the mean of so many rows up to each one; a
            fraction a for exponential smoothing, ``s += a * (x - s)`` from row to row, which takes some microseconds a
            row. None by default.

    Raises:
        ValueError: wrong arguments; later: the source has no order of rows, or a column is no float32 vector.

    Example:
        >>> rows = dlbd.data.open({"t": [1, 2, 3, 4, 5], "load": [10.0, 20.0, 30.0, 40.0, 50.0]}, order_by="t")
        >>> features = dlbd.data.Features(
        ...     [dlbd.data.Number("load")], target="load", window=dlbd.data.Window(length=3, horizon=1)
        ... )
        >>> features.adapt(rows)
        >>> x, y = features.to_numpy(rows)
        >>> x[0].tolist(), y[0].tolist()
        ([[10.0], [20.0], [30.0]], [40.0])
    """

    length: int
    stride: int = 1
    horizon: int = 1
    by: str | None = None
    smoothing: int | float | None = None

    def __post_init__(self) -> None:
        positive(self.length, "length", "Window")
        positive(self.stride, "stride", "Window")
        if not isinstance(self.horizon, int) or self.horizon < 0:
            raise ValueError(f"[Window] horizon must be a whole number, at least 0; received {self.horizon!r}")
        smoothing = self.smoothing
        whole = isinstance(smoothing, int) and smoothing >= 1
        if smoothing is not None and not whole and not (isinstance(smoothing, float) and 0 < smoothing < 1):
            raise ValueError(
                f"[Window] smoothing is a number of rows, or a fraction between 0 and 1; received {smoothing!r}"
            )

    def get_config(self) -> dict[str, Any]:
        return plain_config(self)


@dataclass
class _Series:
    """What is left of one series: rows that the next windows need."""

    rows: dict[str, Array] = field(default_factory=dict)
    count: int = 0  # of all rows so far
    smoothed: Any = None  # the last smoothed row, or the rows that the next means need


class Windows:
    """A pass over batches of rows, of which it makes samples."""

    def __init__(self, window: Window, targets: bool) -> None:
        self._window = window
        self._ahead = window.horizon if targets else 0
        self._stride = window.stride if targets else 1
        self._series: dict[Any, _Series] = {}

    def block(self, block: Block, by: pa.Array | None) -> Block:
        """The samples that end with rows of this block; ``kept`` says with which."""
        rows = _by_row(block)
        merged: list[dict[str, Array]] = []
        starts: list[Array] = []
        ends: list[Array] = []
        offset = 0
        for key, places in _groups(by, block.size):
            series = self._series.setdefault(key, _Series())
            new = {name: array[places] for name, array in rows.items()}
            new["x"] = self._smoothed(new["x"], series)
            whole = {name: np.concatenate([series.rows.get(name, a[:0]), a]) for name, a in new.items()}
            held = len(whole["x"]) - len(new["x"])
            begins = self._begins(series.count, len(new["x"]))
            starts.append(begins - (series.count - held) + offset)
            ends.append(places[begins + self._span - 1 - series.count])
            series.count += len(new["x"])
            series.rows = {name: a[max(0, len(a) - self._span + 1) :].copy() for name, a in whole.items()}
            merged.append(whole)
            offset += len(whole["x"])
        if not merged:
            merged, starts, ends = [rows], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        joint = {
            name: np.concatenate([m[name] for m in merged]) if len(merged) > 1 else merged[0][name] for name in rows
        }
        first, last = np.concatenate(starts), np.concatenate(ends)
        if len(merged) > 1:
            order = np.argsort(last)
            first, last = first[order], last[order]
        kept = np.zeros(block.size, bool)
        kept[last] = True
        return self._samples(joint, first, kept, block)

    @property
    def _span(self) -> int:
        """Rows of a window and its target."""
        return self._window.length + self._ahead

    def _begins(self, count: int, new: int) -> Array:
        """The rows of the series in which those windows begin that end, target included, in the ``new`` rows."""
        first = max(0, count - self._span + 1)
        first += -first % self._stride
        return np.arange(first, count + new - self._span + 1, self._stride)

    def _samples(self, rows: dict[str, Array], first: Array, kept: Array, block: Block) -> Block:
        length, horizon = self._window.length, self._window.horizon
        if len(first) and len(rows["x"]) >= length:
            views = sliding_window_view(rows["x"], length, axis=0).swapaxes(1, 2)
            evenly = bool((np.diff(first) == self._stride).all())
            x = views[first[0] : first[-1] + 1 : self._stride] if evenly else views[first]
        else:
            x = np.empty((0, length, *rows["x"].shape[1:]), np.float32)
        after = first[:, None] + length + np.arange(horizon) if horizon else first + length - 1
        y = {name[2:]: rows[name][after] for name in rows if name.startswith("y.")}
        weight = rows["weight"][first + length - 1] if "weight" in rows else None
        return Block({"window": x}, y if isinstance(block.y, dict) else y.get(""), weight, len(first), kept)

    def _smoothed(self, x: Array, series: _Series) -> Array:
        smoothing = self._window.smoothing
        if smoothing is None:
            return x
        if isinstance(smoothing, int):
            before = x[:0] if series.smoothed is None else series.smoothed
            padded = np.concatenate([np.zeros((smoothing - 1 - len(before), x.shape[1]), x.dtype), before, x])
            sums = np.zeros(x.shape)
            for age in range(smoothing):  # always in this order, wherever a batch ends
                begin = smoothing - 1 - age
                sums += padded[begin : begin + len(x)]
            both = np.concatenate([before, x])
            series.smoothed = both[max(0, len(both) - smoothing + 1) :].copy()
            counts = np.minimum(np.arange(series.count, series.count + len(x)) + 1, smoothing)
            return (sums / counts[:, None]).astype(np.float32)
        y = np.empty_like(x)
        state = series.smoothed
        for i, row in enumerate(x.astype(np.float64)):
            state = row if state is None else state + smoothing * (row - state)
            y[i] = state
        series.smoothed = state
        return y


def _by_row(block: Block) -> dict[str, Array]:
    """All arrays of a block that have a row for each of its rows."""
    rows = {"x": joined(list(block.x.values()), list(block.x))}
    if rows["x"].ndim != 2 or rows["x"].dtype != np.float32:
        name, array = next(iter(block.x.items()))
        raise ValueError(
            f"windows are of columns that are float32 vectors; {name!r} is {array.dtype} {array.shape[1:]}"
        )
    if block.y is not None:
        targets = block.y if isinstance(block.y, dict) else {"": block.y}
        rows |= {f"y.{name}": y for name, y in targets.items()}
    if block.weight is not None:
        rows["weight"] = block.weight
    return rows


def _groups(by: pa.Array | None, size: int) -> list[tuple[Any, Array]]:
    """The series of a batch, and the places of their rows."""
    if not size:
        return []
    if by is None:
        return [(None, np.arange(size))]
    missing = missing_rows(by)
    if missing is not None:  # NaN, which is unlike itself, too
        by = pc.if_else(pa.array(missing), pa.scalar(None, by.type), by)
    distinct = pc.dictionary_encode(by, null_encoding="encode")
    codes = np.asarray(distinct.indices)
    order = np.argsort(codes, kind="stable")
    keys = distinct.dictionary.to_pylist()
    edges = np.searchsorted(codes[order], np.arange(len(keys) + 1))
    return [(key, order[edges[i] : edges[i + 1]]) for i, key in enumerate(keys)]
