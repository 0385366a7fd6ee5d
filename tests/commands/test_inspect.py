"""What dlbd inspect says of sources of all kinds."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.commands.histogram import Histogram
from dlbd.commands.inspect import described


def said(table: Any, target: str | None = None) -> list[str]:
    lines = list(described(dlbd.data.open(table), target))
    assert all(len(line) <= 80 for line in lines)
    return lines


def of(table: Any) -> dict[str, str]:
    """What is said of each column, after its name."""
    return {line.split()[0]: line[19:] for line in said(table)[4:]}


def test_a_table_of_people():
    rng = np.random.default_rng(0)
    lines = said(
        {
            "id": np.arange(1200),
            "age": pa.array(rng.integers(18, 90, 1200), mask=np.arange(1200) % 50 == 0),
            "city": np.array(["Bonn", "Oslo", "Rome"])[rng.integers(0, 3, 1200)],
            "buys": np.where(rng.random(1200) < 0.75, "no", "yes"),
        },
        "buys",
    )
    assert lines[1] == "1,200 rows, 4 columns; order of rows: as stored"
    columns = {line.split()[0]: line for line in lines[4:8]}
    assert columns["id"].split()[1:] == ["int64", "-", "0", "599.5", "1199", "████████████"]
    assert columns["age"].split()[2] == "2.0%"
    assert "3 different: " in columns["city"]
    shares = [line.split() for line in lines[10:]]
    assert [s[0] for s in shares] == ["no", "yes"]
    assert sum(int(s[1].replace(",", "")) for s in shares) == 1200


def test_columns_of_every_type():
    noon = datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.UTC)
    found = of(
        pa.table(
            {
                "struct": [{"a": 1, "b": "x"}, None],
                "lists": [[1, 2], [3]],
                "pairs": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64(), 2)),
                "day": [datetime.date(2020, 1, 2), datetime.date(2019, 1, 1)],
                "at": pa.array([noon, None], pa.timestamp("ns", "UTC")),
                "took": pa.array([5, 7], pa.duration("ms")),
                "time": [datetime.time(1, 2, 3)] * 2,
                "price": pa.array([1, 2]).cast(pa.decimal128(30, 3)),
                "bool": [True, None],
                "category": pa.array(["a", "b"]).dictionary_encode(),
                "large": pa.array([2**64 - 1, 0], pa.uint64()),
                "infinite": [float("inf"), 1.0],
                "only": [float("inf"), float("nan")],
                "constant": [5, 5],
                "huge": [1e308, -1e308],
                "null": pa.nulls(2),
                "nothing": pa.nulls(2, pa.float64()),
                "bytes": [b"abc", b""],
                "text": ["x" * 200, "y"],
                "map": pa.array([[("k", 1)]] * 2, pa.map_(pa.string(), pa.int64())),
            }
        )
    )
    for name, kind, missing, rest in [
        ("struct", "struct", "50.0%", "struct<a: int64, b: string>"),
        ("lists", "list", "-", "2 (1 at least) of int64"),
        ("pairs", "list", "-", "2 of double"),
        ("day", "date", "-", "2019-01-01 to 2020-01-02"),
        ("at", "timestamp", "50.0%", "2020-01-01 12:00:00Z to"),
        ("took", "time [ms]", "-", "        5         6         7 █          █"),
        ("price", "decimal", "-", "        1       1.5         2 █          █"),
        ("bool", "bool", "50.0%", "1 different"),
        ("category", "category", "-", "2 different"),
        ("large", "uint64", "-", "        0 9.223e+18 1.845e+19 "),
        ("infinite", "float64", "-", "        1         1         1    █    inf!"),
        ("only", "float64", "50.0%", "no values but infinity"),
        ("constant", "int64", "-", "        5         5         5       █"),
        ("huge", "float64", "-", "  -1e+308         0    1e+308 █          █"),
        ("null", "null", "100.0%", "no values"),
        ("nothing", "float64", "100.0%", "no values"),
        ("bytes", "binary", "?", "the first of 3 bytes"),
        ("text", "string", "-", "texts, 1 to 200 characters"),
        ("map", "map", "-", "map<string, int64"),
    ]:
        assert found[name].startswith(f"{kind:<9} {missing:>7} {rest}"), (name, found[name])


def test_names_and_values_stay_on_their_line():
    lines = said({"a\tname\nof two lines, and a long one": ["x\ny", "x\ny"]}, "a\tname\nof two lines, and a long one")
    assert lines[4].startswith("a name of two lin… string")
    assert lines[-1].startswith("  x y ")


def test_targets_that_are_not_counted_say_why():
    rows = {"n": np.arange(2000.0), "text": ["x" * 101] * 2000, "list": [[1]] * 2000, "none": pa.nulls(2000)}
    for target, why in [
        ("n", "more than 1,000 different values"),
        ("text", "texts of more than 100 characters"),
        ("list", "lists are not counted"),
        ("none", "values of this type are not counted"),
    ]:
        assert said(rows, target)[-2:] == [f"{target}:", f"  {why}"]
    assert said({"n": [1] * 5}, "n")[-1].split()[:3] == ["1", "5", "100.0%"]
    assert said({"n": pa.nulls(3, pa.int64())}, "n")[-1] == "  no values"
    assert said({"n": np.arange(50)}, "n")[-1] == "  and 30 others"


def test_sources_without_rows(tmp_path: Path):
    assert said({"x": pa.nulls(0, pa.float64()), "y": pa.nulls(0, pa.string())}, "y")[1].startswith("0 rows, 2 columns")
    (tmp_path / "none.csv").write_text("a,b\n")
    assert said(tmp_path / "none.csv")[-1].endswith("no values")


def test_a_folder_of_images_is_not_read_as_a_whole(tmp_path: Path):
    pillow = pytest.importorskip("PIL.Image")
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for i in range(3):
            pillow.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / label / f"{i}.png")
    (tmp_path / "dog" / "9.png").write_bytes(b"no image, and never looked at")
    lines = said(tmp_path, "label")
    assert lines[1].startswith("7 rows, 3 columns")
    assert lines[4].endswith("? images, the first of 4 x 6 x 3")
    assert [line.split()[:2] for line in lines[-2:]] == [["dog", "4"], ["cat", "3"]]


def test_of_a_wide_table_few_rows_are_in_memory():
    class Wide:
        """Rows that are larger than memory together."""

        name, ordered, remote, sorts = "wide", True, False, False
        schema = pa.schema([(f"c{i}", pa.float64()) for i in range(800)])
        most = 0

        def scan(self, columns: Any, where: Any, order_by: Any, rows: int) -> Any:
            for _ in range(20):
                yield pa.RecordBatch.from_arrays([pa.array(np.arange(1000.0))] * 800, schema=self.schema)
                Wide.most = max(Wide.most, pa.total_allocated_bytes())

        def count(self, where: Any) -> None:
            return None

        def abort(self) -> None: ...

    before = pa.total_allocated_bytes()
    lines = list(described(dlbd.data.source.Source(Wide(), Wide.schema, Wide.schema)))
    assert lines[1].startswith("20,000 rows, 800 columns")
    assert len(lines) == 804
    assert Wide.most - before < 64 << 20


@pytest.mark.parametrize("order", ["up", "down", "mixed"])
def test_a_histogram_holds_what_comes_in_any_order(order: str):
    x = np.random.default_rng(0).normal(1e6, 1e5, 20_000)
    x = {"up": np.sort(x), "down": np.sort(x)[::-1], "mixed": x}[order]
    histogram = Histogram()
    for part in np.array_split(x, 37):
        histogram.add(part)
    heights = np.histogram(x, 12)[0]
    assert (histogram.least, histogram.greatest) == (x.min(), x.max())
    assert histogram.mean == pytest.approx(x.mean())
    found = np.array([" ▁▂▃▄▅▆▇█".index(bar) for bar in histogram.bars(12)])
    assert np.abs(found - np.ceil(heights / heights.max() * 8)).max() <= 1
