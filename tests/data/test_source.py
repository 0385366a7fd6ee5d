"""Sources: selection, conditions, splits, folds, types and order, on tables in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col
from dlbd.data.memory import TableReader

ROWS = 40_000


@pytest.fixture
def numbered() -> dlbd.data.Source:
    rng = np.random.default_rng(0)
    return dlbd.data.open({"i": np.arange(ROWS), "group": rng.integers(0, 500, ROWS), "x": rng.standard_normal(ROWS)})


def test_every_table_in_memory_is_a_source():
    columns = {"x": [1.5, None, 3.0], "name": ["a", "b", None], "n": [1, 2, 3]}
    for table in (columns, pa.table(columns), pd.DataFrame(columns), pl.DataFrame(columns)):
        source = dlbd.data.open(table, schema={"name": "string", "n": "int32"})
        assert source.schema.names == ["x", "name", "n"]
        assert source.to_arrow().to_pydict() == columns
        assert source.schema.field("n").type == pa.int32()
        assert source.count() == 3


def test_arrays_of_several_dimensions_are_columns_of_lists():
    images = np.arange(24, dtype=np.uint8).reshape(3, 4, 2)
    source = dlbd.data.open({"image": images, "label": [0, 1, 0]})
    assert source.to_arrow()["image"].to_pylist() == images.tolist()


def test_tables_in_memory_are_called_what_they_are():
    columns = {"a": ["x", 1]}
    with pytest.raises(ValueError, match=r"^pandas DataFrame: Expected bytes, got a 'int' object.* column a "):
        dlbd.data.open(pd.DataFrame(columns))
    with pytest.raises(ValueError, match=r"^dict has no column 'b'; it has \['a'\]"):
        dlbd.data.open({"a": [1]}).select(["b"])


def test_columns_that_are_none_are_named():
    for columns, message in (({"a": ["x"], "b": [1, "x"]}, "column 'b' is no list"), ({"b": 1}, "column 'b'")):
        with pytest.raises(ValueError, match=message):
            dlbd.data.open(columns)
    with pytest.raises(ValueError, match="column 'b' is no list"):
        dlbd.data.open({"b": [2**70]})
    with pytest.raises(TypeError, match="text; received 1"):
        dlbd.data.open({1: [2]})
    with pytest.raises(ValueError, match="column 'a' is there twice"):
        dlbd.data.open(pa.table([[1], [2]], names=["a", "a"]))
    assert dlbd.data.open(pd.Series([1, 2], name="a")).to_arrow().to_pydict() == {"a": [1, 2]}


def test_categories_become_arrays_of_their_values():
    source = dlbd.data.open({"c": pa.array(["a", None, "b"]).dictionary_encode()})
    assert source.to_numpy()["c"].tolist() == ["a", None, "b"]
    assert source.where(col("c") == "no").to_numpy()["c"].tolist() == []


def test_selection_and_head(numbered: dlbd.data.Source):
    source = numbered.select(["x", "i"])
    assert source.schema.names == ["x", "i"] == source.head().column_names
    assert source.head(3)["i"].to_pylist() == [0, 1, 2]
    assert dlbd.data.open(numbered, columns=["i"]).schema.names == ["i"]
    with pytest.raises(ValueError, match=r"has no column 'y'; it has \['i', 'group', 'x'\]"):
        numbered.select(["y"])
    with pytest.raises(TypeError, match="list of names"):
        numbered.select("x")
    with pytest.raises(ValueError, match="'x' is there twice"):
        numbered.select(["x", "x"])
    with pytest.raises(ValueError, match="names none"):
        numbered.select([])


def test_batches_have_the_size_that_was_asked_for(numbered: dlbd.data.Source):
    for rows in (1_000, 16_384, 17_001, ROWS, 2 * ROWS):
        sizes = [b.num_rows for b in numbered.batches(rows)]
        assert sum(sizes) == ROWS
        assert all(size == rows for size in sizes[:-1])
        assert sizes[-1] <= rows
    whole = pa.Table.from_batches(numbered.where(col("x") > 0).batches(777))
    assert whole["i"].to_pylist() == np.flatnonzero(numbered.to_numpy()["x"] > 0).tolist()


def test_batches_of_wide_rows_are_cut_by_their_content_alone():
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 300, 500)
    table = pa.table(
        {
            "text": pa.array(["x" * n if n % 7 else None for n in lengths.tolist()]),
            "image": pa.array([[[1, 2]] * (n % 50) for n in lengths.tolist()], pa.list_(pa.list_(pa.int16()))),
            "pair": pa.array([{"a": b"y" * (n % 9), "b": 1.0} for n in lengths.tolist()]),
        }
    )
    whole = [b.num_rows for b in dlbd.data.open(table).batches(100, most_bytes=5_000)]
    assert sum(whole) == 500
    assert len(set(whole)) > 3
    for size in (1, 7, 64):
        pieces = dlbd.data.open(pa.Table.from_batches(table.to_batches(max_chunksize=size)))
        batches = list(pieces.batches(100, most_bytes=5_000))
        assert [b.num_rows for b in batches] == whole
        assert pa.Table.from_batches(batches).equals(table)
    wide = dlbd.data.open({"x": ["y" * 100] * 3}).batches(2, most_bytes=50)
    assert [b.num_rows for b in wide] == [1, 1, 1]


def test_conditions(numbered: dlbd.data.Source):
    arrays = numbered.to_numpy()
    i, x, group = arrays["i"], arrays["x"], arrays["group"]
    for condition, wanted in [
        (col("i") == 7, i == 7),
        (col("i") != 7, i != 7),
        (col("x") < 0.5, x < 0.5),
        (col("x") <= x[0], x <= x[0]),
        (col("x") > 0.5, x > 0.5),
        (col("x") >= x[0], x >= x[0]),
        ((col("x") > 0.5) & (col("group") < 10), (x > 0.5) & (group < 10)),
        ((col("x") > 0.5) | ~(col("group") < 10), (x > 0.5) | (group >= 10)),
        (col("group").isin([1, 2]), np.isin(group, [1, 2])),
    ]:
        assert numbered.where(condition).select(["i"]).to_numpy()["i"].tolist() == i[wanted].tolist()
    with pytest.raises(TypeError, match="join conditions"):
        bool(col("x") > 0)
    with pytest.raises(TypeError, match="a condition is made of columns"):
        numbered.where("x > 0")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no column 'z'"):
        numbered.where(col("z") > 0)


@pytest.mark.parametrize(
    "condition",
    [
        col("i") > "1",
        col("t") > 3,
        col("t").isin([3]),
        col("i") == [1],
        col("i") == col("t"),
        col("day") < "2020-01-01",
        col("day") < datetime(2020, 1, 1, tzinfo=UTC),
        (col("i") > 1) & ~(col("t") == 3),
    ],
)
def test_values_of_another_type_than_their_column_are_an_error_at_once(condition: dlbd.data.expressions.Expression):
    source = dlbd.data.open({"i": [1, 2], "t": ["a", None], "day": [datetime(2020, 1, 1), None]})
    with pytest.raises(ValueError, match=r"column '(i|t|day)' is .*does not compare with it"):
        source.where(condition)
    with pytest.raises(TypeError, match="unsupported operand"):
        condition & True


def test_null_meets_no_comparison():
    source = dlbd.data.open({"x": [1.0, None, 3.0]})
    assert source.where(col("x") != 1).count() == 1
    assert source.where(~(col("x") == 1)).count() == 1
    assert source.where(col("x").is_null()).count() == 1
    assert source.where(col("x").isin([1.0, None])).count() == 1
    assert source.where(~col("x").isin([1.0, None])).count() == 1


class Remote(TableReader):
    """A store that sorts, counts and checks conditions, by its own types; it remembers what it was asked for."""

    remote, sorts = True, True

    def __init__(self, table: dict, asked: list) -> None:
        super().__init__(table)
        self.asked = asked
        self.scanned: Any = None

    def scan(self, columns, where, order_by, rows):
        assert self.scanned is None  # a scan's reader is its own
        self.scanned = (where, tuple(order_by))
        self.asked.append(self.scanned)
        yield from super().scan(columns, where, order_by, rows)

    def count(self, where):
        return 7 if where is None else None


def test_a_store_checks_and_sorts_what_it_compares_alike():
    reader = Remote({"i": [1, 2, 10], "text": ["1", "2", "10"]}, asked := [])
    source = dlbd.data.Source(reader, reader.schema, reader.schema)
    assert source.count() == 7
    declared = dlbd.data.open(source, schema={"text": "int64", "i": "int32"}, order_by="text")
    condition = col("text") > 9
    assert declared.where(condition).where(col("i") > 0).to_arrow()["i"].to_pylist() == [10]
    assert asked == [(col("i") > 0, ())]
    assert dlbd.data.open(source, order_by="i").where(col("i") == 2).count() == 1
    assert asked[1:] == [(col("i") == 2, ("i",))]
    assert reader.scanned is None


@pytest.mark.parametrize("by", [None, "group", "x"])
def test_parts_are_disjoint_and_whole(numbered: dlbd.data.Source, by: str | None):
    parts = numbered.split(train=0.8, validation=0.1, test=0.1, by=by)
    rows = [part.to_numpy() for part in parts]
    assert sorted(np.concatenate([r["i"] for r in rows]).tolist()) == list(range(ROWS))
    assert [len(r["i"]) / ROWS for r in rows] == pytest.approx([0.8, 0.1, 0.1], abs=0.04 if by == "group" else 0.01)
    if by is not None:
        assert not set(rows[0][by]) & set(rows[1][by]) | set(rows[1][by]) & set(rows[2][by])
    assert parts.train.count() == len(rows[0]["i"])
    assert rows[0]["i"].tolist() == parts.train.to_numpy()["i"].tolist()
    other = numbered.split(train=0.8, rest=0.2, by=by, seed=1)
    assert other.train.to_numpy()["i"].tolist() != rows[0]["i"].tolist()


def test_a_part_of_a_part_and_conditions_behind_it(numbered: dlbd.data.Source):
    train = numbered.split(train=0.5, test=0.5).train
    assert train.split(a=0.5, b=0.5).a.count() == pytest.approx(ROWS / 4, rel=0.05)
    # by the row's number: a condition afterwards must not number the rows anew
    inside = set(train.to_numpy()["i"].tolist())
    assert set(train.where(col("x") > 0).to_numpy()["i"].tolist()) <= inside


def test_a_hash_does_not_depend_on_the_width_of_a_type():
    values = [0, 1, -7, 1000, None]
    first: list[set[int]] = []
    for kind in ("int16", "int32", "int64"):
        source = dlbd.data.open({"v": values * 50, "i": range(250)}, schema={"v": kind})
        first.append(set(source.split(a=0.5, b=0.5, by="v").a.to_numpy()["i"].tolist()))
    assert first[0] == first[1] == first[2]
    texts = [f"text {i}" for i in range(250)]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        source = dlbd.data.open({"v": texts, "i": range(250)}, schema={"v": kind})
        first.append(set(source.split(a=0.5, b=0.5, by="v").a.to_numpy()["i"].tolist()))
    assert first[3] == first[4] == first[5]
    assert 80 < len(first[3]) < 170


def test_in_order_of_time(numbered: dlbd.data.Source):
    parts = numbered.split(train=0.6, validation=0.2, test=0.2, by="x", in_order=True)
    x = [part.to_numpy()["x"] for part in parts]
    assert x[0].max() < x[1].min()
    assert x[1].max() < x[2].min()
    assert [len(v) for v in x] == [24_000, 8_000, 8_000]
    tied = numbered.split(train=0.6, test=0.4, by="group", in_order=True)
    assert tied.train.to_numpy()["group"].max() < tied.test.to_numpy()["group"].min()
    with pytest.raises(ValueError, match="pass by=COLUMN"):
        numbered.split(train=0.6, test=0.4, in_order=True)


def test_folds(numbered: dlbd.data.Source):
    folds = numbered.k_folds(4)
    held_out = [set(fold.to_numpy()["i"].tolist()) for _, fold in folds]
    assert set().union(*held_out) == set(range(ROWS))
    assert sum(map(len, held_out)) == ROWS
    assert all(others.count() == ROWS - len(fold) for (others, _), fold in zip(folds, held_out, strict=True))
    with pytest.raises(ValueError, match="at least 2 folds"):
        numbered.k_folds(1)


@pytest.mark.parametrize(("rows", "k"), [(30, 5), (7, 7), (103, 4), (50_000, 3)])
def test_folds_without_a_column_have_the_same_size(rows: int, k: int):
    sizes = [held_out.count() for _, held_out in dlbd.data.open({"x": np.arange(rows)}).k_folds(k)]
    assert sum(sizes) == rows
    assert max(sizes) - min(sizes) <= 1


def test_a_split_without_a_column_meets_its_fractions_in_every_twenty_rows():
    for seed in range(20):
        parts = dlbd.data.open({"x": np.arange(60)}).split(train=0.7, validation=0.1, test=0.2, seed=seed)
        assert [part.count() for part in parts] == [42, 6, 12]


def test_numbers_that_only_unsigned_integers_hold():
    source = dlbd.data.open({"u": pa.array([2**64 - 1, 1, None], pa.uint64())})
    assert source.where(col("u") > 2**63).count() == 1
    assert source.where(col("u") == 2**64 - 1).count() == 1


def test_any_whole_number_is_a_seed(numbered: dlbd.data.Source):
    for seed in (-1, 2**70):
        assert sum(part.count() for part in numbered.split(a=0.5, b=0.5, seed=seed)) == ROWS


def test_rows_without_a_value_are_in_no_part_of_an_order():
    source = dlbd.data.open({"x": [np.nan, 3.0, None, 1.0, 2.0, np.nan, np.nan, np.nan, 4.0]})
    first, second = source.split(a=0.5, b=0.5, by="x", in_order=True)
    assert (first.to_arrow()["x"].to_pylist(), second.to_arrow()["x"].to_pylist()) == ([1.0, 2.0], [3.0, 4.0])


def test_any_bytes_divide_rows():
    ids = [bytes([i, 255]) * 8 for i in range(200)]
    first: list[int] = []
    for column in (
        pa.array(ids),
        pa.array(ids, pa.binary(16)),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array(ids, pa.binary(16))),
    ):
        parts = dlbd.data.open(pa.table({"id": column})).split(a=0.5, b=0.5, by="id")
        assert sum(part.count() for part in parts) == 200
        first.append(parts.a.count())
    assert first == [first[0]] * 3


def test_lists_divide_no_rows():
    source = dlbd.data.open({"l": [[1], [2]]})
    for divide in (
        lambda: source.split(a=0.5, b=0.5, by="l"),
        lambda: source.split(a=0.5, b=0.5, by="l", in_order=True),
        lambda: source.k_folds(2, by="l"),
    ):
        with pytest.raises(ValueError, match="'l' holds values of type list"):
            divide()
    durations = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pytest.raises(ValueError, match="'l' holds values of type month_day_nano_interval"):
        dlbd.data.open(pa.table({"l": durations})).k_folds(2, by="l")


@pytest.mark.parametrize("fractions", [{"a": 0.5, "b": 0.6}, {"a": -0.1, "b": 0.5}, {"a": 0.0}, {}])
def test_impossible_fractions(numbered: dlbd.data.Source, fractions: dict[str, float]):
    with pytest.raises(ValueError, match="together at most 1"):
        numbered.split(**fractions)


def test_order(numbered: dlbd.data.Source):
    shuffled = numbered.to_arrow().take(np.random.default_rng(1).permutation(ROWS))
    source = dlbd.data.open(shuffled, order_by=["group", "i"])
    rows = source.to_numpy()
    wanted = np.lexsort((numbered.to_numpy()["i"], numbered.to_numpy()["group"]))
    assert rows["i"].tolist() == wanted.tolist()
    assert "by group, i" in repr(source)
    nulls = dlbd.data.open({"x": [2.0, None, 1.0]}, order_by="x")
    assert nulls.to_arrow()["x"].to_pylist() == [None, 1.0, 2.0]
    assert dlbd.data.open({"x": [2.0, 1.0]}, order_by=["x", "x"]).to_numpy()["x"].tolist() == [1.0, 2.0]


def test_declared_types():
    source = dlbd.data.open({"x": ["1.5", "2"], "n": [1, 2]}, schema={"x": "float32"})
    assert source.to_numpy()["x"].tolist() == [1.5, 2.0]
    with pytest.raises(SourceError, match=r"dict: column 'x' is declared int64, and holds 'two' \(string\)"):
        dlbd.data.open({"x": ["1", "two", "3"]}, schema={"x": "int64"}).to_arrow()
    with pytest.raises(SourceError, match="holds 300"):
        dlbd.data.open({"x": [1, 300]}, schema={"x": "int8"}).to_arrow()
    with pytest.raises(ValueError, match="no column 'y'"):
        dlbd.data.open({"x": [1]}, schema={"y": "int8"})
    with pytest.raises(ValueError, match="'number' is no type of Arrow"):
        dlbd.data.open({"x": [1]}, schema={"x": "number"})


def test_arrow_reads_a_source(numbered: dlbd.data.Source):
    assert pa.table(numbered.select(["i"]))["i"].to_pylist() == list(range(ROWS))
    assert pl.DataFrame(numbered.select(["i"]))["i"].sum() == ROWS * (ROWS - 1) // 2


def test_unknown_options():
    with pytest.raises(ValueError, match="seconds above 0; received -1"):
        dlbd.data.open({"x": [1]}, timeout=-1)
    with pytest.raises(TypeError, match="a table in memory takes no argument 'table'"):
        dlbd.data.open({"x": [1]}, table="t")


def test_nanoseconds_divide_rows():
    times = dlbd.data.open({"t": pa.array(range(4000), pa.timestamp("ns"))})
    old, new = times.split(old=0.5, new=0.5, by="t", in_order=True)
    assert (old.count(), new.count()) == (2000, 2000)
    assert new.to_arrow()["t"].cast(pa.int64()).to_pylist()[0] == 2000
    one, other = times.split(a=0.5, b=0.5, by="t")  # by the hash: those of one microsecond do not stay together
    assert 1800 < one.count() < 2200
    assert one.count() + other.count() == 4000
    coarse = dlbd.data.open({"t": pa.array(range(4000), pa.timestamp("us"))})
    fine = dlbd.data.open(coarse, schema={"t": "timestamp[ns]"})
    parts = [s.split(a=0.5, b=0.5, by="t").a.to_arrow()["t"].cast("timestamp[ns]") for s in (coarse, fine)]
    assert parts[0].equals(parts[1])


def test_all_nan_are_one():
    quiet = np.array([np.nan, -np.nan] * 500)
    part = dlbd.data.open({"x": quiet}).split(a=0.5, b=0.5, by="x").a
    assert part.count() in (0, 1000)


@pytest.mark.parametrize("by", ["category", "half", "raw", "length", "flag"])
def test_any_type_with_an_order_divides_in_order(by: str):
    values = {
        "category": pa.array(["a", "b", "b", "c"]).dictionary_encode(),
        "half": pa.array([np.float16(v) for v in (-1, 0, 0, np.nan)]),
        "raw": pa.array([b"a", b"b", b"b", b"c"], pa.binary(1)),
        "length": pa.array([0, 1, 1, 2], pa.duration("ns")),
        "flag": pa.array([False, True, True, True]),
    }[by]
    first, rest = dlbd.data.open({by: values}).split(first=0.25, rest=0.75, by=by, in_order=True)
    assert (first.count(), rest.count()) == (1, 2 if by == "half" else 3)
