"""Dates: their parts."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import dlbd
from dlbd.data import Date, Features

ALL = ("year", "quarter", "month", "day", "weekday", "yearday", "hour", "minute", "second")
TIMES = [datetime.datetime(2026, 11, 26, 10, 30, 59), datetime.datetime(1969, 2, 28, 23, 0, 1)]


def transformed(date: Date, column: Any) -> np.ndarray:
    features = Features([date])
    rows = dlbd.data.open({"t": column})
    features.adapt(rows)
    return features.to_numpy(rows)[0]


def test_parts_are_those_of_the_calendar():
    wanted = [
        [t.year, (t.month + 2) // 3, t.month, t.day, t.weekday(), t.timetuple().tm_yday, t.hour, t.minute, t.second]
        for t in TIMES
    ]
    for column in (
        pa.array(TIMES, pa.timestamp("us")),
        pa.array(TIMES, pa.timestamp("s")),
        pa.array(TIMES, pa.timestamp("ns")),
        [t.isoformat() for t in TIMES],
        [str(t) for t in TIMES],
    ):
        assert transformed(Date("t", parts=ALL, scale=None), column).tolist() == wanted
    days = transformed(Date("t", parts=("year", "day", "hour"), scale=None), pa.array(TIMES, pa.date32()))
    assert days.tolist() == [[2026, 26, 0], [1969, 28, 0]]


def test_parts_are_those_of_the_clocks_of_a_time_zone():
    noon = pa.array([datetime.datetime(2026, 7, 1, 12)], pa.timestamp("us", "UTC"))
    assert transformed(Date("t", parts=("hour",), scale=None), noon).tolist() == [[12]]
    there = noon.cast(pa.timestamp("us", "+02:00"))
    assert transformed(Date("t", parts=("hour",), scale=None), there).tolist() == [[14]]


@pytest.mark.parametrize("scale", [None, "standard"])
def test_later_rows_are_read_on_the_clocks_of_the_training_rows(scale: str | None):
    times = pa.array(TIMES, pa.timestamp("us", "UTC"))
    date = Date("t", parts=("day", "hour"), scale=scale)
    features = Features([date])
    features.adapt(dlbd.data.open({"t": times}))
    features = Features.from_config(json.loads(json.dumps(features.get_config())))
    wanted = transformed(date, times).tolist()
    for same in (times.cast(pa.timestamp("ns", "+05:30")), [f"{t.isoformat()}Z" for t in TIMES]):
        assert features.to_numpy(dlbd.data.open({"t": same}))[0].tolist() == wanted
    with pytest.raises(ValueError, match="holds times without a zone; in training there were times of the zone 'UTC'"):
        features.to_numpy(dlbd.data.open({"t": pa.array(TIMES, pa.timestamp("us"))}))
    if scale:
        features.adapt(dlbd.data.open({"t": pa.array(TIMES, pa.timestamp("us"))}))
        with pytest.raises(ValueError, match="times of the zone 'UTC'; in training there were times without a zone"):
            features.to_numpy(dlbd.data.open({"t": times}))


def test_each_part_is_a_number_of_its_own():
    times = pa.array([*TIMES, None], pa.timestamp("us"))
    found = transformed(Date("t", parts=("year", "hour"), missing="mean"), times)
    assert found.tolist() == [[1, -1], [-1, 1], [0, 0]]
    with pytest.raises(ValueError, match=r"column 't' has no value \(NULL or NaN\).*\(row 2\)"):
        transformed(Date("t"), times)
    assert len(transformed(Date("t", missing="drop"), times)) == 2


def test_errors():
    with pytest.raises(ValueError, match="parts"):
        Date("t", parts=("week",))
    with pytest.raises(ValueError, match="at least one"):
        Date("t", parts=())
    with pytest.raises(ValueError, match="should hold dates or times; received values of type int64"):
        transformed(Date("t"), [1, 2])
    with pytest.raises(ValueError, match=r"should hold values of type timestamp\[us\]; received 'soon'"):
        transformed(Date("t"), ["2026-01-01", "soon"])
    with pytest.raises(ValueError, match="parts is a tuple"):
        Date("t", parts="year")  # type: ignore[arg-type]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "+05:30", "America/New_York"])
def test_many_times_of_few_days(unit: str, zone: str | None):
    """The calendar is asked once for each day: as if it were for each row."""
    rng = np.random.default_rng(0)
    seconds = rng.integers(-20_000_000, 20_000_000, 3000)
    ticks = seconds * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = pa.array(ticks, pa.timestamp(unit, zone), mask=rng.random(3000) < 0.1)
    parts = (pc.year, pc.quarter, pc.month, pc.day, pc.day_of_week, pc.day_of_year, pc.hour, pc.minute, pc.second)
    wanted = np.stack([part(times).fill_null(-7).to_numpy() for part in parts], axis=1)
    date = Date("t", parts=ALL, missing=-7, scale=None)
    assert (transformed(date, times) == wanted).all()
    apart = [transformed(date, times[i : i + 1])[0] for i in range(50)]
    assert (np.stack(apart) == wanted[:50]).all()
