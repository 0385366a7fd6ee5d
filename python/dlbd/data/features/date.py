"""Date: the parts of a time, as numbers."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, pc
from dlbd.data.features.column import Column, as_type
from dlbd.data.features.number import Number, NumberStatistics
from dlbd.layers.arguments import one_of

_PARTS = {
    "year": pc.year,
    "quarter": pc.quarter,
    "month": pc.month,
    "day": pc.day,
    "weekday": pc.day_of_week,
    "yearday": pc.day_of_year,
    "hour": pc.hour,
    "minute": pc.minute,
    "second": pc.second,
}


@dataclass(frozen=True)
class Date(Column):
    """The parts of a date or time, each as one float32.

    Args:
        name: of the column: dates, timestamps, or text such as "2026-11-26" and "2026-11-26 10:30:00".
        parts: some of "year", "quarter", "month", "day", "weekday" (0 is Monday), "yearday", "hour", "minute",
            "second"; ("year", "month", "weekday", "hour") by default. With a time zone they are those of its clocks.
        missing, scale: of each part, see :class:`Number`; ``scale`` is "standard" by default.

    Raises:
        ValueError: as for :class:`Number`, or text that is no date.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Date("when", parts=("year", "weekday", "hour"), scale=None)])
        >>> features.to_numpy(dlbd.data.open({"when": ["2026-11-26 10:30:00"]}))[0]
        array([[2026.,    3.,   10.]], dtype=float32)
    """

    _: KW_ONLY
    parts: tuple[str, ...] = ("year", "month", "weekday", "hour")
    missing: str | float | None = None
    scale: str | None = "standard"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        for part in self.parts:
            one_of(part, tuple(_PARTS), "parts", self.name)
        if not self.parts:
            raise ValueError(f"[{self.name}] parts must name at least one; received none")
        Number(self.name, missing=self.missing, scale=self.scale)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.parts),)

    @property
    def _plain(self) -> Number:
        return Number(self.name, missing=self.missing, scale=self.scale)

    @cached_property
    def _numbers(self) -> list[Number]:
        """One for each part."""
        plain = self._plain
        return [replace(plain, learned=self.found(part)) if plain.learns else plain for part in self.parts]

    def statistics(self, kind: pa.DataType) -> _DateStatistics | None:
        return _DateStatistics(self, self._plain) if self._plain.learns else None

    def transform(self, column: pa.Array) -> Array:
        times = as_times(column, self.name)
        found = [number.transform(_PARTS[part](times)) for part, number in zip(self.parts, self._numbers, strict=True)]
        return np.concatenate(found, axis=1)


class _DateStatistics:
    def __init__(self, column: Date, plain: Number) -> None:
        self._name, self._parts = column.name, {part: NumberStatistics(plain) for part in column.parts}

    def add(self, column: pa.Array) -> None:
        times = as_times(column, self._name)
        for part, statistics in self._parts.items():
            statistics.add(_PARTS[part](times))

    def result(self) -> dict[str, Any]:
        return {part: statistics.result() for part, statistics in self._parts.items()}


def as_times(column: pa.Array, name: str) -> pa.Array:
    """Dates and texts as timestamps.

    Raises:
        ValueError: they are something else.
    """
    column = decoded(column)
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        raise ValueError(f"column {name!r} should hold dates or times; received values of type {kind}")
    return as_type(column, pa.timestamp("us"), name)
