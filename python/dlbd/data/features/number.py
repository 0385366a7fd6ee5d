"""Number: missing values, outliers, scaling."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa
from dlbd.data.features.column import Column, RowError, float64s
from dlbd.data.features.statistics import Counts, Extent, Moments, Quantiles
from dlbd.layers.arguments import one_of

_MISSING = ("drop", "mean", "median", "most_frequent")
_SCALES = ("standard", "minmax", "robust")
_MOST_FREQUENT_OF = 100_000  # different numbers that are counted for missing="most_frequent"
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Number(Column):
    """A number, as one float32.

    First the outliers are clipped, then missing values replaced, then all is scaled, in float64.

    Args:
        name: of the column: numbers, booleans, decimals, or text of numbers.
        missing: what NULL and NaN become: a number, the "mean", "median" or "most_frequent" value of the training rows;
            "drop" leaves the rows out. None, the default: they are an error.
        clip: two fractions, (0.01, 0.99) say: values beyond these quantiles of the training rows become the quantile,
            infinities too. None, the default: values stay, and infinities are errors.
        scale: "standard": to mean 0 and variance 1; "minmax": to 0 and 1 for the least and greatest; "robust": the
            median to 0, the quartiles to a distance of 1. None, the default: as it is. A column with one value
            becomes 0.

    Means, variances and extremes are of the present values in float64. Medians, quantiles, and after ``clip`` all of
    them, are exact up to 16,384 values; beyond that they come from a sketch that is right to 0.1% of the ranks, and
    takes 0.3 megabytes while it learns.

    Raises:
        ValueError: wrong arguments; at :meth:`Features.adapt`: there is no value to learn from, or there are more than
            100,000 different ones for "most_frequent"; later: a missing or infinite value, text that is no number, or
            a result that float32 does not hold.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Number("age", missing="mean", scale="standard")])
        >>> features.adapt(dlbd.data.open({"age": [20.0, None, 40.0]}))
        >>> features.to_numpy(dlbd.data.open({"age": [50, None]}))[0]
        array([[2.],
               [0.]], dtype=float32)
    """

    _: KW_ONLY
    missing: str | float | None = None
    clip: tuple[float, float] | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.missing, str):
            object.__setattr__(self, "missing", one_of(self.missing, _MISSING, "missing", self.name))
        elif self.missing is not None and not np.isfinite(self.missing):
            raise ValueError(f"[{self.name}] missing must be a finite number; received {self.missing}")
        if self.scale is not None:
            object.__setattr__(self, "scale", one_of(self.scale, _SCALES, "scale", self.name))
        if self.clip is not None:
            object.__setattr__(self, "clip", tuple(self.clip))
            if len(self.clip) != 2 or not 0 <= self.clip[0] < self.clip[1] <= 1:
                raise ValueError(
                    f"[{self.name}] clip has two fractions, the lower one first: (0.01, 0.99); received {self.clip}"
                )

    @property
    def learns(self) -> bool:
        """Whether there is anything to learn."""
        return self.clip is not None or self.scale is not None or self.missing in _MISSING[1:]

    def statistics(self, kind: pa.DataType) -> NumberStatistics | None:
        return NumberStatistics(self) if self.learns else None

    @cached_property
    def steps(self) -> tuple[float, float, tuple[float, float] | None, float | None]:
        """What is subtracted, what is multiplied by, the limits, and what stands for a missing value."""
        fill = None if self.missing is None or isinstance(self.missing, str) else float(self.missing)
        if not self.learns:
            return 0.0, 1.0, None, fill
        limits, fill = self.found("limits"), self.found("fill") if fill is None else fill
        return self.found("center"), 1.0 / self.found("width"), None if limits is None else tuple(limits), fill

    def transform(self, column: pa.Array) -> Array:
        x = float64s(column, self.name)
        center, factor, limits, _ = self.steps
        if limits is not None:
            x = np.clip(x, *limits)
        with np.errstate(all="ignore"):
            y = x - center
            y *= factor
            z = y.astype(np.float32)
            if not np.isfinite(z.sum(dtype=np.float64)):
                self.complete(z, x)
        return z.reshape(-1, 1)

    def complete(self, y: Array, x: Array) -> None:
        """Write what missing values become into ``y``, which has all others of the numbers ``x``, clipped perhaps.

        Raises:
            RowError: one cannot be used.
        """
        if self.filled is not None:
            np.copyto(y, self.filled, where=np.isnan(y))
            if np.isfinite(y.sum(dtype=np.float64)):
                return
        y[:] = self._repaired(x)

    @cached_property
    def filled(self) -> np.float32 | None:
        """What a missing value becomes; None where it is an error."""
        center, factor, _, fill = self.steps
        with np.errstate(over="ignore"):
            return None if fill is None else np.float32((fill - center) * factor)

    def _repaired(self, x: Array) -> Array:
        """(rows,) numbers of which some are missing, or cannot be used: clipped, replaced, scaled, as float32."""
        center, factor, limits, fill = self.steps
        self.usable(x)
        if limits is not None:
            x = np.clip(x, *limits)
        if fill is not None:
            x = np.where(np.isnan(x), fill, x)
        with np.errstate(over="ignore", invalid="ignore"):
            y = (x - center) * factor
        large = ~(np.abs(y) <= _LARGEST)
        if large.any():
            row = int(large.argmax())
            raise RowError(row, f"column {self.name!r} holds {x[row]}, of which float32 makes an infinity")
        return y.astype(np.float32)

    def usable(self, x: Array) -> Array:
        """Which numbers are numbers: neither missing nor infinite.

        Raises:
            RowError: one is not, and no argument says what to do with it.
        """
        infinite, missing = np.isinf(x), np.isnan(x)
        if self.clip is None and infinite.any():
            raise RowError(
                int(infinite.argmax()), f"column {self.name!r} holds an infinity; clip=(0.01, 0.99) would limit it"
            )
        if self.missing in (None, "drop") and missing.any():
            raise RowError(
                int(missing.argmax()),
                f"column {self.name!r} has no value (NULL or NaN); missing= says what should stand for it",
            )
        return ~(missing | infinite)


class NumberStatistics:
    """What the arguments of a Number need, and no more."""

    def __init__(self, column: Number) -> None:
        self._column = column
        clips, scale, missing = column.clip is not None, column.scale, column.missing
        self._sketch = Quantiles() if clips or missing == "median" or scale == "robust" else None
        self._moments = Moments() if not clips and (missing == "mean" or scale == "standard") else None
        self._extent = Extent()
        self._counts = Counts(_MOST_FREQUENT_OF) if missing == "most_frequent" else None
        self._statistics = [s for s in (self._moments, self._extent, self._sketch) if s is not None]

    def add(self, column: pa.Array) -> None:
        skipping = column.null_count and self._column.missing not in (None, "drop")
        x = float64s(column.drop_null() if skipping else column, self._column.name)
        with np.errstate(invalid="ignore", over="ignore"):  # result() looks at what became of it
            if not np.isfinite(np.add.reduce(x)):
                x = float64s(column, self._column.name) if skipping else x
                x = x[self._column.usable(x)]
            for statistics in self._statistics:
                statistics.add(x)
            if self._counts is not None:
                self._counts.add(pa.array(x + 0.0))  # -0.0 is 0.0

    def result(self) -> dict[str, Any]:
        name, clip = self._column.name, self._column.clip
        if self._extent.least > self._extent.greatest:
            raise ValueError(f"column {name!r} has no value in the training rows to learn from: leave it out")
        limits = self._limits(*clip) if clip is not None else None
        mean, variance = self._mean_and_variance(limits)
        least, greatest = self._clipped(limits, float(self._extent.least), float(self._extent.greatest))
        low, median, high = self._clipped(limits, *self._sketch.at(0.25, 0.5, 0.75)) if self._sketch else (0.0,) * 3
        center, width = {
            None: (0.0, 1.0),
            "standard": (mean, float(np.sqrt(variance))),
            "minmax": (least, greatest - least),
            "robust": (median, high - low),
        }[self._column.scale]
        if self._column.scale is not None and least == greatest:
            center, width = least, 1.0
        if self._counts is not None and self._counts.overflow:
            raise ValueError(f"column {name!r} has more than {_MOST_FREQUENT_OF:,} different values: none is frequent")
        frequent = self._counts.most_common(1)[0] if self._counts is not None else 0.0
        fill = {"mean": mean, "median": median, "most_frequent": self._clipped(limits, frequent)[0]}
        learned = {
            "center": center,
            "width": width or 1.0,
            "limits": limits,
            "fill": fill.get(self._column.missing) if isinstance(self._column.missing, str) else None,
        }
        if not np.isfinite([center, width, learned["fill"] or 0.0]).all():
            raise ValueError(f"column {name!r} holds numbers from {least} to {greatest}, too large to be scaled")
        return learned

    def _limits(self, lower: float, upper: float) -> list[float]:
        """Of values that are clipped; the extremes are known better than by the sketch."""
        assert self._sketch is not None
        low, high = self._sketch.at(lower, upper)
        return [
            float(self._extent.least) if lower == 0 else low,
            float(self._extent.greatest) if upper == 1 else high,
        ]

    def _mean_and_variance(self, limits: list[float] | None) -> tuple[float, float]:
        if self._moments is not None:
            return float(self._moments.mean), float(self._moments.variance)
        if self._sketch is None or limits is None:
            return 0.0, 1.0
        values, counts = self._sketch.items()
        values = np.clip(values, limits[0], limits[1])
        mean = np.average(values, weights=counts)
        return float(mean), float(np.average((values - mean) ** 2, weights=counts))

    def _clipped(self, limits: list[float] | None, *values: float) -> list[float]:
        return list(values) if limits is None else np.clip(np.array(values), limits[0], limits[1]).tolist()
