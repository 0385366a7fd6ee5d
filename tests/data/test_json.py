"""JSON lines: keys that few lines have, objects in objects, types, and lines that cannot be read."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col


def written(path: Path, lines: list[Any]) -> str:
    """A file of these lines: text, or what becomes JSON."""
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


# Keys


def test_a_key_that_a_line_lacks_is_null(file: Path):
    found = dlbd.data.open(written(file, [{"a": 1}, {"b": "x"}, {}, "", {"a": 2, "b": None}]))
    assert found.schema.names == ["a", "b"]
    assert found.to_arrow().to_pydict() == {"a": [1, None, None, 2], "b": [None, "x", None, None]}


def test_rare_keys_are_columns(file: Path):
    lines = [{"a": i} for i in range(100_000)]  # more than one block
    lines[90_000] |= {"rare": "x", "deep": {"er": [1]}}
    found = dlbd.data.open(written(file, lines))
    assert found.schema == pa.schema([("a", pa.int64()), ("rare", pa.string()), ("deep.er", pa.list_(pa.int64()))])
    assert found.where(~col("rare").is_null()).to_arrow().to_pylist() == [{"a": 90_000, "rare": "x", "deep.er": [1]}]


def test_keys_of_other_files_are_columns(tmp_path: Path):
    for i in range(5):
        written(tmp_path / f"{i}.jsonl", [{"a": i if i < 3 else i + 0.5, f"k{i}": i, "n": None if i < 4 else "x"}])
    found = dlbd.data.open(tmp_path)
    assert found.schema.names == ["a", "k0", "n", "k1", "k2", "k3", "k4"]
    assert found.to_arrow()["a"].to_pylist() == [0.0, 1.0, 2.0, 3.5, 4.5]
    assert found.to_arrow()["n"].to_pylist() == [None] * 4 + ["x"]
    written(tmp_path / "5.jsonl", [{"a": 1}, {"a": "x"}, {"k4": "x"}])
    with pytest.raises(SourceError, match=r"/5\.jsonl: line 2: key 'a' changed from number to string"):
        dlbd.data.open(tmp_path)
    written(tmp_path / "5.jsonl", [{"k4": "x"}])
    with pytest.raises(SourceError, match=r"/5\.jsonl: key 'k4' holds values of type string, and int64 before"):
        dlbd.data.open(tmp_path)


@pytest.mark.parametrize(
    ("line", "key"), [({"z": 1}, "z"), ({"o": {"z": 1}}, "o.z"), ({"l": [{"x": 1}, {"z": 1}]}, "l.z")]
)
def test_a_key_that_is_no_column_is_an_error_that_says_what_to_do(file: Path, line: Any, key: str):
    known = {"a": 1, "o": {"x": 1}, "l": [{"x": 1}]}
    path = written(file, [known] * 40_000 + [line])
    says = rf"rows\.jsonl: line 40001 has the key '{key}', .* schema=\{{'{key}': .*columns="
    with pytest.raises(SourceError, match=says):
        dlbd.data.open(path, sample=10).to_arrow()
    some = dlbd.data.open(path, sample=10, columns=["o.x", "l", "a"])  # all there are, but by name
    assert some.count() == len(some.to_arrow()) == 40_001
    assert dlbd.data.open(path, sample=10).select(["a"]).to_arrow()["a"].null_count == 1
    if key != "l.z":
        declared = dlbd.data.open(path, sample=10, schema={key: "int8"}).to_arrow()[key]
        assert declared.null_count == 40_000
        assert declared[-1].as_py() == 1


def test_a_sample_is_a_number_of_lines(file: Path):
    path = written(file, [{"a": 1}, {"b": 1}, {"c": 1}])
    assert dlbd.data.open(path, sample=2).schema.names == ["a", "b"]
    with pytest.raises(ValueError, match="sample is a number of lines, at least 1; received 0"):
        dlbd.data.open(path, sample=0)


# Types


def test_objects_in_objects_are_columns_as_in_other_stores(file: Path):
    records: list[dict[str, Any]] = [
        {"user": {"name": "Kim", "at": {"city": "Oslo"}}, "tags": ["a", "b"], "items": [{"n": 1}, {"n": None}]},
        {"user": None, "tags": [], "items": None},
        {"user": {"at": None}},
        {},
    ]
    found = dlbd.data.open(written(file, records))
    same = dlbd.data.open(records)
    assert found.schema.names == ["user.name", "user.at.city", "tags", "items"]
    assert found.schema == same.schema
    assert found.to_arrow().equals(same.to_arrow())
    assert found.where(col("user.at.city") == "Oslo").count() == 1
    assert found.select(["user.at.city"]).to_arrow()["user.at.city"].to_pylist() == ["Oslo", None, None, None]
    kind = pa.struct([("name", pa.string()), ("at", pa.struct([("city", pa.string())]))])
    assert dlbd.data.open(file, schema={"user": kind}).to_arrow()["user"].to_pylist()[0] == records[0]["user"]


def test_a_column_in_a_column(file: Path):
    with pytest.raises(SourceError, match=r"column 'a\.b' would lie in 'a', which is a column of its own"):
        dlbd.data.open(written(file, [{"a": 1}]), schema={"a.b": "int8"}).to_arrow()


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (pa.uint64(), 2**64 - 1, 2**64 - 1),
        (pa.int8(), -128, -128),
        (pa.float16(), 0.5, 0.5),
        (pa.float32(), 1, 1.0),
        (pa.decimal128(38, 0), 10**37 + 1, Decimal(10**37 + 1)),
        (pa.decimal128(10, 2), 19.99, Decimal("19.99")),
        (pa.decimal256(60, 2), "19.99", Decimal("19.99")),
        (pa.date32(), "2024-02-29", dt.date(2024, 2, 29)),
        (pa.date64(), "2024-02-29", dt.date(2024, 2, 29)),
        (pa.time32("s"), "12:30:00", dt.time(12, 30)),
        (pa.time32("ms"), "12:30:00.5", dt.time(12, 30, 0, 500_000)),
        (pa.time64("us"), "12:30:00.000001", dt.time(12, 30, 0, 1)),
        (pa.timestamp("us"), "2024-02-29T12:30:00.000001", dt.datetime(2024, 2, 29, 12, 30, 0, 1)),
        (pa.timestamp("s", "UTC"), "2024-02-29T12:30:00+02:00", dt.datetime(2024, 2, 29, 10, 30, tzinfo=dt.UTC)),
        (pa.duration("s"), 90, dt.timedelta(seconds=90)),
        (pa.bool_(), True, True),
        (pa.large_string(), "a", "a"),
        (pa.binary(), "a", b"a"),
        (pa.binary(2), "ab", b"ab"),
        (pa.dictionary(pa.int32(), pa.string()), "a", "a"),
        (pa.list_(pa.float32(), 2), [1, 2.5], [1.0, 2.5]),
        (pa.large_list(pa.date32()), ["2024-02-29"], [dt.date(2024, 2, 29)]),
        (pa.struct([("t", pa.date32())]), {"t": "2024-02-29"}, {"t": dt.date(2024, 2, 29)}),
    ],
    ids=str,
)
def test_declared_types(file: Path, kind: pa.DataType, given: Any, wanted: Any):
    path = written(file, [{"x": given}, {"x": None}, {}])
    column = dlbd.data.open(path, schema={"x": kind}).to_arrow()["x"]
    assert column.type == kind
    assert column.to_pylist() == [wanted, None, None]


@pytest.mark.parametrize(
    ("kind", "line", "said"),
    [
        ("date32", "yesterday", r"column 'x' is declared date32.*'yesterday'"),
        ("date32", 19_782, "line 1: key 'x' changed from string to number"),
        ("time32[s]", "25:00:00", r"column 'x' is declared time32.*'25:00:00'"),
        ("int8", 128, "line 1: .*128"),
        ("string", 5, "line 1: key 'x' changed from string to number"),
        ("int64", 2**63, "line 1: .*9223372036854775808"),
    ],
)
def test_values_that_are_not_of_the_declared_type(file: Path, kind: str, line: Any, said: str):
    with pytest.raises(SourceError, match=said):
        dlbd.data.open(written(file, [{"x": line}]), schema={"x": kind}).to_arrow()


def test_large_whole_numbers_are_not_rounded(file: Path):
    large = 2**64 - 1
    for line in ({"id": large}, {"o": {"id": large}}, {"l": [1, large]}):
        key = "o.id" if "o" in line else next(iter(line))
        path = written(file, [{"other": 0.5, "text": str(large)}, line])
        with pytest.raises(
            SourceError, match=rf"line 2: key '{key}' holds {large}, which no int64 holds: .*\"uint64\""
        ):
            dlbd.data.open(path)
    path = written(file, [{"id": large}, {"id": 1}])
    assert dlbd.data.open(path, schema={"id": "uint64"}).to_arrow()["id"].to_pylist() == [large, 1]
    assert dlbd.data.open(path, schema={"id": "float64"}).to_arrow()["id"].to_pylist() == [2.0**64, 1.0]
    path = written(file, ['{"x": 100000000000000000000}', {"x": 0.5}])  # as JavaScript writes 1e20
    assert dlbd.data.open(path).to_arrow()["x"].to_pylist() == [1e20, 0.5]
    with pytest.raises(SourceError, match=f"line 3: .*{large}"):
        dlbd.data.open(written(file, [{"id": 1}, {"id": 2}, {"id": large}]), sample=1).to_arrow()


# Lines that cannot be read


@pytest.mark.parametrize("sample", [100, None])
@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"i": 1, "x": ', "line 60002: "),
        ('{"i": "one", "x": 1.5}', "line 60002: key 'i' changed from number to string"),
        ('{"i": 1, "x": 1.5, "i": 2}', "line 60002: .*/i.* specified twice"),
        ("[1]", "line 60002: "),
    ],
)
def test_a_broken_line(tmp_path: Path, suffix: str, line: str, said: str, sample: int | None):
    rows = [f'{{"i": {i}, "x": {i}.5}}' for i in range(100_000)]
    rows[20_000] = "\n" + rows[20_000]
    rows[60_000] = line
    content = ("\n".join(rows) + "\n").encode()
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == "jsonl.gz" else content)
    with pytest.raises(SourceError, match=rf"/rows\.{suffix}: {said}"):
        dlbd.data.open(path, sample=sample).to_arrow()


def test_whole_numbers_and_others(file: Path):
    path = written(file, [{"i": i} for i in range(1_000)] + [{"i": 1.5}])
    assert dlbd.data.open(path).to_arrow()["i"].to_numpy()[-2:].tolist() == [999.0, 1.5]
    with pytest.raises(SourceError, match=r"line 1001: .*int64, couldn't parse:1\.5"):
        dlbd.data.open(path, sample=100).to_arrow()


def test_an_array_is_no_line(file: Path):
    file.write_text('[{"a": 1},\n {"a": 2}]')
    with pytest.raises(SourceError, match="holds an array, and not JSON lines, an object on each line"):
        dlbd.data.open(file)


def test_a_line_that_is_too_long(file: Path):
    path = written(file, [{"a": 1}, {"a": 1, "t": "x" * 3_000_000}])
    with pytest.raises(SourceError, match=r"a line is longer than 1048576 bytes \(block_size=\)"):
        dlbd.data.open(path)
    assert dlbd.data.open(path, block_size=4 << 20).count() == 2


def test_lines_without_an_end_and_with_nothing(file: Path):
    file.write_text('\n\n{"a": 1}\r\n\n{"a": 2}')
    assert dlbd.data.open(file).to_arrow()["a"].to_pylist() == [1, 2]
    file.write_text("\n \n")
    assert dlbd.data.open(file, schema={"a": "int8"}).count() == 0
    with pytest.raises(SourceError, match="is empty"):
        dlbd.data.open(file)


def test_nan_and_infinity(file: Path):
    found = dlbd.data.open(written(file, ['{"x": NaN}', '{"x": -Infinity}', '{"x": 1}'])).to_numpy()["x"]
    np.testing.assert_array_equal(found, [np.nan, -np.inf, 1])
