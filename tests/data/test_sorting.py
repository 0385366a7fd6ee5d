"""Rows put in order: right, stable, in bounded memory, without anything left behind."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
from collections.abc import Generator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import dlbd
from dlbd.data import SourceError, sorting
from dlbd.data.sorting import sorted_batches
from tests.data.rows import TABLE


@pytest.fixture
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of few rows, so that little data goes every way that much data goes."""
    monkeypatch.setattr(sorting, "_RUN_BYTES", 8_000)
    monkeypatch.setattr(sorting, "_PIECE_BYTES", 1_000)
    monkeypatch.setattr(sorting, "_FAN_IN", 3)


def given(table: pa.Table, rows: int = 37) -> Generator[pa.RecordBatch, None, None]:
    yield from table.to_batches(max_chunksize=rows)


def expected(table: pa.Table, by: list[str]) -> pa.Table:
    return table.take(pc.sort_indices(table, [(name, "ascending", "at_start") for name in by]))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.usefixtures("small_runs")
@pytest.mark.parametrize(
    "by",
    [["id"], ["city"], ["age", "city"], ["price"], ["weight"], ["at"], ["comment", "label"], ["label", "score"]],
    ids=" ".join,
)
def test_rows_are_in_order_and_stable(by: list[str]):
    before = open_files()
    table = TABLE.take(np.random.default_rng(0).permutation(len(TABLE)))
    found = list(sorted_batches(given(table), by, 100))
    assert pa.Table.from_batches(found).equals(expected(table, by))  # ties too: Arrow's sort is stable
    assert max(batch.num_rows for batch in found) <= 100
    assert open_files() == before


@pytest.mark.usefixtures("small_runs")
@pytest.mark.parametrize("rows", [1, 7, 1_000])
@pytest.mark.parametrize("seed", range(8))
def test_numbers_with_many_ties(seed: int, rows: int):
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, rng.choice([1, 3, 50, 10**9]), 3_000).tolist()
    keys = [None if rng.random() < 0.1 else key for key in keys] if seed % 2 else sorted(keys)
    values = np.where(rng.random(3_000) < 0.1, np.nan, rng.integers(0, 4, 3_000))
    table = pa.table({"key": pa.array(keys, pa.int64()), "value": values, "row": np.arange(3_000)})
    for by in (["key"], ["key", "value"], ["value", "key"]):
        found = pa.Table.from_batches(sorted_batches(given(table, rows), by, 100))
        assert found["row"].equals(expected(table, by)["row"])


@pytest.mark.usefixtures("small_runs")
def test_lists_and_categories_come_along():
    rng = np.random.default_rng(0)
    letters = [pa.array(rng.choice(list(alphabet), 500)).dictionary_encode() for alphabet in ("abc", "cde", "xyz")]
    batches = [
        pa.record_batch({"key": rng.random(500), "letter": column, "list": [[i, i + 1] for i in range(500)]})
        for column in letters
    ]
    found = pa.Table.from_batches(sorted_batches((batch for batch in batches), ["key"], 100))
    wanted = expected(pa.Table.from_batches(batches), ["key"])
    assert found.to_pylist() == wanted.to_pylist()


def test_no_rows():
    assert list(sorted_batches(given(TABLE.slice(0, 0)), ["id"], 10)) == []
    assert list(sorted_batches(iter_nothing(), ["id"], 10)) == []


def iter_nothing() -> Generator[pa.RecordBatch, None, None]:
    yield from ()


@pytest.mark.usefixtures("small_runs")
def test_rows_in_order_are_written_once_and_not_sorted(monkeypatch: pytest.MonkeyPatch):
    runs: list[sorting._Run] = []
    begin = sorting._Run.__init__

    def counted(run: sorting._Run, *arguments: object) -> None:
        runs.append(run)
        begin(run, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sorting._Run, "__init__", counted)
    assert pa.Table.from_batches(sorted_batches(given(TABLE), ["id"], 100)).equals(TABLE)
    assert len(runs) == 1


@pytest.mark.usefixtures("small_runs")
def test_an_end_before_the_end_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before, ended = open_files(), []
    table = TABLE.take(np.random.default_rng(0).permutation(len(TABLE)))

    def source() -> Iterator[pa.RecordBatch]:
        try:
            yield from given(table)
        finally:
            ended.append(True)

    batches = sorted_batches(source(), ["id"], 10)  # type: ignore[arg-type]
    next(batches)
    assert open_files() > before
    batches.close()
    assert open_files() == before

    def broken() -> Generator[pa.RecordBatch, None, None]:
        yield from given(table)
        raise SourceError("the server went away")

    with pytest.raises(SourceError, match="the server went away"):
        list(sorted_batches(broken(), ["id"], 10))
    assert open_files() == before
    assert ended == [True]
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("small_runs")
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        with pytest.raises(SourceError, match=r"in order by temporary files in .*TMPDIR.*File too large"):
            list(sorted_batches(given(TABLE), ["id"], 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert open_files() == before
    assert os.listdir(tmp_path) == []


ORDERED: dict[str, pa.Array] = {  # each in order
    "float16": pa.array(np.array([np.nan, -np.inf, -1, 0, 0.5, np.inf], np.float16)),
    "float32": pa.array([math.nan, -math.inf, -1e38, 0.0, 1e-45, math.inf], pa.float32()),
    "float64": pa.array([math.nan, -math.inf, -1e300, 0.0, 5e-324, 1e300, math.inf]),
    "uint64": pa.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1], pa.uint64()),
    "int64": pa.array([-(2**63), -1, 0, 2**63 - 1]),
    "decimal128": pa.array([Decimal(-(10**38) + 1), Decimal(-1), Decimal(0), Decimal(10**38 - 1)], pa.decimal128(38)),
    "decimal256": pa.array([Decimal(-(10**75)), Decimal(-1), Decimal(0), Decimal(10**75)], pa.decimal256(76)),
    "bool": pa.array([False, True]),
    "date32": pa.array([-(2**31), -1, 0, 2**31 - 1], pa.int32()).view(pa.date32()),
    "time32": pa.array([0, 1, 86_399], pa.time32("s")),
    "time64": pa.array([0, 1, 10**9], pa.time64("ns")),
    "timestamp": pa.array([-(2**63), -1, 0, 2**63 - 1], pa.timestamp("ns", "UTC")),
    "duration": pa.array([-(2**63), -1, 0, 2**63 - 1], pa.duration("us")),
    "text": pa.array(["", " ", "A", "a", "a ", "ab", "b", "é", "\uffff", "🙂"]),
    "large_text": pa.array(["", "A", "a", "🙂"], pa.large_string()),
    "bytes": pa.array([b"", b"\0", b"a", b"a\0", b"\xff"]),
    "fixed_bytes": pa.array([b"\0\0", b"\0a", b"\xff\0"], pa.binary(2)),
    "categories": pa.array(["a", "b", "c"]).dictionary_encode(),
}


@pytest.mark.usefixtures("small_runs")
@pytest.mark.parametrize("name", ORDERED)
def test_every_type_has_one_order(name: str):
    """NULL, then NaN, then the values; with other columns before and behind."""
    values, rng = ORDERED[name], np.random.default_rng(0)
    place, two, row = rng.integers(-1, len(values), 700), rng.integers(0, 2, 700), np.arange(700)
    column = values.take(pa.array(place, mask=place < 0))
    table = pa.table({"x": column, "row": row, "two": two})
    for by, keys in ((["x", "row"], (row, place)), (["two", "x", "row"], (row, place, two))):
        found = pa.Table.from_batches(sorted_batches(given(table, 50), by, 100))
        assert found["row"].to_pylist() == np.lexsort(keys).tolist()


@pytest.mark.usefixtures("small_runs")
@pytest.mark.parametrize("equal", [[0.0, -0.0], [math.nan, -math.nan], pa.nulls(2)], ids=str)
def test_values_that_are_equal_in_order(equal: Any):
    table = pa.table({"x": pa.concat_arrays([pa.array(equal)] * 300), "row": np.arange(600)[::-1]})
    assert dlbd.data.open(table, order_by=["x", "row"]).to_arrow()["row"].to_pylist() == list(range(600))
    assert dlbd.data.open(table, order_by="x").to_arrow()["row"].equals(table["row"])


@pytest.mark.parametrize("column", [[[1], [2]], [{"a": 1}, None], pa.array([None], pa.month_day_nano_interval())])
def test_types_without_an_order(column: Any):
    table = pa.table({"l": column})
    with pytest.raises(ValueError, match=r"table: rows have no order by column 'l' \(.*\): numbers"):
        dlbd.data.open(table, order_by="l", name="table")
    with pytest.raises(ValueError, match=r"no order by column 'l'|divide no rows"):
        dlbd.data.open(table, name="table").split(a=0.5, b=0.5, by="l", in_order=True)


PROGRAM = """
import re, sys
import numpy as np, pyarrow as pa
from dlbd.data.sorting import sorted_batches
def kilobytes(what):
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
def batches(count=1_600, rows=1_000):
    for i in range(count):
        rng = np.random.default_rng(i)
        keys = np.arange(i * rows, (i + 1) * rows) if sys.argv[1] == "sorted" else rng.integers(0, 1 << 40, rows)
        yield pa.record_batch({"key": keys, **{f"x{j}": rng.random(rows) for j in range(30)}})
for batch in batches(2): batch.take(pa.array([1])).filter(pa.array([True]))
before, last, rows = kilobytes("VmRSS"), -1, 0
for batch in sorted_batches(batches(), ["key"], 16384):
    keys = batch["key"].to_numpy()
    assert last <= keys[0] and (keys[1:] >= keys[:-1]).all()
    last = keys[-1]
    rows += batch.num_rows
assert rows == 1_600_000
print((kilobytes("VmHWM") - before) / 1024)
"""


@pytest.mark.parametrize("how", ["shuffled", "sorted"])
def test_memory_is_bounded(how: str):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PROGRAM, how]  # 400 MB of rows
    peak = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert float(peak.stdout) < 160, peak.stderr


def test_a_source_sorts_what_its_store_cannot(tmp_path: Path):
    from tests.data.rows import write

    path = write(tmp_path / "rows.csv", TABLE.take(np.random.default_rng(0).permutation(len(TABLE))))
    source = dlbd.data.open(path, schema=TABLE.schema, order_by=["city", "id"])
    assert source.to_arrow().equals(expected(TABLE, ["city", "id"]))
