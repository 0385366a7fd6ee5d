"""Date: the parts of a time, as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, pc
from dlbd.data.features.column import Column, RowError, as_type, float64s, missing_rows
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
# Seconds that each takes, and its values.
_OF_CLOCK = {"hour": (3600, np.arange(24.0)), "minute": (60, np.arange(60.0)), "second": (1, np.arange(60.0))}
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86_400
_DAYS = 10_000_000  # before and after 1970: the years that Arrow's calendar has
_SPAN = 1024  # days that are looked up together
_NO_TIME = pa.array([None], pa.float64())


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

    @cached_property
    def _latest(self) -> dict[int, tuple[Array, Array]]:
        """Of each part the latest values, and the numbers that they became: they often come again."""
        return {}

    def write(self, column: pa.Array, out: Array) -> None:
        times = as_times(column, self.name) if self.learned is None else self._on_clocks(column, self.found("zone"))
        missing = missing_rows(times)
        for place, (number, (values, which)) in enumerate(zip(self._numbers, parts_of(times, self.parts), strict=True)):
            latest = self._latest.get(place)
            if latest is None or latest[0] is not values:
                self._latest[place] = latest = values, number.transform(pa.array(values))[:, 0]
            out[:, place] = latest[1][which]
            if missing is not None:
                try:
                    out[missing, place] = number.transform(_NO_TIME)[0]
                except RowError as error:
                    raise RowError(int(missing.argmax()), str(error)) from None

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
        missing = missing_rows(times)
        for statistics, (values, which) in zip(self._parts.values(), parts_of(times, list(self._parts)), strict=True):
            statistics.add(pa.array(values[which], mask=missing))

    def result(self) -> dict[str, Any]:
        return {"zone": self._zone} | {part: statistics.result() for part, statistics in self._parts.items()}


def _zone(kind: pa.DataType) -> str | None:
    return kind.tz if pa.types.is_timestamp(kind) else None


def _of_zone(zone: str | None) -> str:
    return "without a zone" if zone is None else f"of the zone {zone!r}"


def parts_of(times: pa.Array, parts: Sequence[str]) -> Iterator[tuple[Array, Array]]:
    """Of each part: some values, float64, and which of them each row has; any one where there is no time."""
    if times.type.tz is not None:
        times = pc.local_timestamp(times)
    second = _TICKS[times.type.unit]
    ticks = times.view(pa.int64())
    least, greatest = pc.min_max(ticks).as_py().values()
    first, last = (0, len(times)) if least is None else (t // (_DAY * second) for t in (least, greatest))
    if last - first >= len(times) or max(-first, last) > _DAYS:
        for part in parts:
            yield float64s(_PARTS[part](times), part), np.arange(len(times))
        return
    # fewer days than rows: the calendar is asked once for each
    first, end = first // _SPAN * _SPAN, (last // _SPAN + 1) * _SPAN
    ticks = np.asarray(ticks.fill_null(least) if ticks.null_count else ticks)
    days = ticks // (_DAY * second)
    clock = ticks - days * (_DAY * second) if any(part in _OF_CLOCK for part in parts) else ticks
    for part in parts:
        if part in _OF_CLOCK:
            length, values = _OF_CLOCK[part]
            which = clock // (length * second)
            yield values, which - which // len(values) * len(values)
        else:
            yield _of_days(part, first, end), days - first


@lru_cache(32)
def _of_days(part: str, first: int, end: int) -> Array:
    return float64s(_PARTS[part](pa.array(np.arange(first, end, dtype=np.int32)).view(pa.date32())), part)


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
