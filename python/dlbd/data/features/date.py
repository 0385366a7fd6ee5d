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
            "second"; ("year", "month", "weekday", "hour") by default. With a time zone they are those of its clocks:
            later rows of another zone are read on the clocks of the training rows. (Arrow knows no summer time after
            2037.)
        missing, scale: of each part, see :class:`Number`; ``scale`` is "standard" by default.

    Raises:
        ValueError: as for :class:`Number`, text that is no date, or times with a zone where the training rows had none,
            or the other way round.

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
        if isinstance(self.parts, str) or not self.parts:
            raise ValueError(f"[{self.name}] parts is a tuple of at least one name; received {self.parts!r}")
        parts = tuple(one_of(part, tuple(_PARTS), "parts", self.name) for part in self.parts)
        object.__setattr__(self, "parts", parts)
        plain = Number(self.name, missing=self.missing, scale=self.scale)
        object.__setattr__(self, "missing", plain.missing)
        object.__setattr__(self, "scale", plain.scale)

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
        return _DateStatistics(self, self._plain) if self._plain.learns or pa.types.is_temporal(kind) else None

    def transform(self, column: pa.Array) -> Array:
        times = as_times(column, self.name) if self.learned is None else self._on_clocks(column, self.found("zone"))
        found = [number.transform(_PARTS[part](times)) for part, number in zip(self.parts, self._numbers, strict=True)]
        return np.concatenate(found, axis=1)

    def _on_clocks(self, column: pa.Array, zone: str | None) -> pa.Array:
        """The times as the clocks of a zone show them."""
        times = as_times(column, self.name, zone)
        given = _zone(times.type)
        if given == zone or times.null_count == len(times):
            return times
        if given is None or zone is None:
            raise ValueError(
                f"column {self.name!r} holds times {_of_zone(given)}; in training there were times {_of_zone(zone)}: "
                "cast them, with schema= for one"
            )
        return times.cast(pa.timestamp(times.type.unit, zone))


class _DateStatistics:
    def __init__(self, column: Date, plain: Number) -> None:
        self._name = column.name
        self._parts = {part: NumberStatistics(plain) for part in column.parts} if plain.learns else {}
        self._zone: str | None = None

    def add(self, column: pa.Array) -> None:
        times = as_times(column, self._name)
        self._zone = _zone(times.type)
        for part, statistics in self._parts.items():
            statistics.add(_PARTS[part](times))

    def result(self) -> dict[str, Any]:
        return {"zone": self._zone} | {part: statistics.result() for part, statistics in self._parts.items()}


def _zone(kind: pa.DataType) -> str | None:
    return kind.tz if pa.types.is_timestamp(kind) else None


def _of_zone(zone: str | None) -> str:
    return "without a zone" if zone is None else f"of the zone {zone!r}"


def as_times(column: pa.Array, name: str, zone: str | None = None) -> pa.Array:
    """Dates and texts as timestamps; texts say the offset of their zone if there is one.

    Raises:
        ValueError: they are something else.
    """
    column = decoded(column)
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        raise ValueError(f"column {name!r} should hold dates or times; received values of type {kind}")
    return as_type(column, pa.timestamp("us", None if pa.types.is_date(kind) else zone), name)
