"""Categories: encodings, unknown and missing values, types."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dlbd
from dlbd.data import Category, Features

CITIES = ["Oslo", "Bonn", "Oslo", "Rome", None]


def transformed(category: Category, training: Any, later: Any = None) -> np.ndarray:
    features = Features([category])
    features.adapt(dlbd.data.open({"c": training}))
    x, _ = features.to_numpy(dlbd.data.open({"c": training if later is None else later}))
    return x


def test_indices_are_by_frequency_then_value():
    x = transformed(Category("c", encode="index"), CITIES, ["Bonn", "Oslo", "Rome", "Bern", None])
    assert x.dtype == np.float32
    assert x.tolist() == [[2], [1], [3], [0], [0]]
    x = transformed(Category("c", encode="embedding"), CITIES)
    assert x.dtype == np.int64
    assert x.tolist() == [[1], [2], [1], [3], [0]]
    assert transformed(Category("c", encode="embedding", most=1), CITIES).ravel().tolist() == [1, 0, 1, 0, 0]


def test_one_hot_has_a_place_for_the_unknown():
    x = transformed(Category("c"), CITIES, ["Rome", "Bern"])
    assert x.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_hash_needs_no_vocabulary():
    category = Category("c", encode="hash", buckets=10)
    features = Features([category])
    assert features.adapted
    names = [f"city {i}" for i in range(1000)]
    x, _ = features.to_numpy(dlbd.data.open({"c": [*names, None]}))
    assert x.dtype == np.int64
    assert x[-1] == 0
    assert np.bincount(x[:, 0], minlength=10).min() > 50
    again, _ = features.to_numpy(dlbd.data.open({"c": pa.array(names).dictionary_encode()}))
    assert (again == x[:-1]).all()


def test_hash_is_of_what_a_value_says():
    category = Category("c", encode="hash", buckets=1 << 40)
    numbers = [12, -3, 2**63 - 1]
    texts = [str(n) for n in numbers]
    wanted = transformed(category, numbers).ravel().tolist()
    for same in (texts, pa.array(texts).dictionary_encode(), pa.array(numbers, pa.decimal128(20, 0))):
        assert transformed(category, same).ravel().tolist() == wanted
    for same in ([12.0, -3.0, np.nan], pa.array([12, -3, None], pa.decimal128(9, 2))):
        assert transformed(category, same).ravel().tolist() == [*wanted[:2], 0]
    assert len(np.unique(transformed(category, ["012", "12", " 12", str(2**63), "9" * 30, "-", ""]))) == 7
    assert transformed(category, [True, False]).tolist() == transformed(category, ["true", "false"]).tolist()
    # numbers that have something in common, too, are spread
    hundreds = transformed(Category("c", encode="hash", buckets=100), np.arange(10_000) * 100)
    assert np.bincount(hundreds[:, 0], minlength=100).min() > 50


def test_missing_values():
    assert transformed(Category("c", encode="index", missing="most_frequent"), CITIES)[-1] == 1
    assert transformed(Category("c", encode="index", missing="Rome"), CITIES)[-1] == 3
    assert len(transformed(Category("c", encode="index", missing="drop"), CITIES)) == 4
    hashed = transformed(Category("c", encode="hash", buckets=1000, missing="Rome"), CITIES)
    assert hashed[-1] == hashed[-2]
    assert transformed(Category("c", encode="index", missing="2"), [1, 1, 2, None])[-1] == 2
    with pytest.raises(ValueError, match=r"'c \(missing=\)' should hold values of type int64; received 'none'"):
        transformed(Category("c", missing="none"), [1, 1, 2, None])
    numbers = [1.0, 1.0, 2.0, np.nan]
    assert transformed(Category("c", encode="index", missing="most_frequent"), numbers)[-1] == 1
    hashed = transformed(Category("c", encode="hash", buckets=1000, missing="none"), [1, None, 2])
    assert hashed[1] == transformed(Category("c", encode="hash", buckets=1000), ["none"])[0]


def test_types():
    for column in (
        pa.array(["3", "1", "3"], pa.large_string()),
        pa.array(["3", "1", "3"]).dictionary_encode(),
        pa.array([3, 1, 3], pa.int16()),
        pa.array([True, False, True]),
        pa.array([3.0, 1.0, 3.0]),
        pa.array([3, 1, 3], pa.date32()),
    ):
        assert transformed(Category("c", encode="index"), column).ravel().tolist() == [1, 2, 1]
    # another type that says the same, and one that does not
    assert transformed(Category("c", encode="index"), [3, 1, 3], ["1", "3"]).ravel().tolist() == [2, 1]
    assert transformed(Category("c", encode="index"), ["3", "1", "3"], [1, 3]).ravel().tolist() == [2, 1]
    assert transformed(Category("c", encode="index"), [3, 1, 3], [1.0, np.nan]).ravel().tolist() == [2, 0]
    with pytest.raises(ValueError, match=r"column 'c' should hold values of type int64; received 1.5 .*\(row 1\)"):
        transformed(Category("c"), [3, 1, 3], [1.0, 1.5])
    with pytest.raises(ValueError, match=r"column 'c' should hold values of type int64; received 'Oslo'"):
        transformed(Category("c"), [3, 1, 3], ["Oslo"])


def test_numbers_and_booleans_that_say_the_same_as_the_training_rows():
    index = Category("c", encode="index")
    assert transformed(index, ["3", "1.5", "3"], [1.5, 3.0, 7.0]).ravel().tolist() == [2, 1, 0]
    truth = [True, False, True]
    for same in ([1, 0], [1.0, 0.0], ["true", "false"]):
        assert transformed(index, truth, same).ravel().tolist() == [1, 2]
    for other in ([2], [0.5]):
        with pytest.raises(ValueError, match=r"column 'c' should hold .*received"):
            transformed(index, truth, other)
    for same in (
        [1, 2],
        ["1", "2"],
        [1.0, 2.0],
        pa.array([1, 2], pa.decimal128(5, 2)),
        pa.array([1, 2], pa.decimal128(5)),
    ):
        assert transformed(index, same, [1, 2]).ravel().tolist() == [1, 2]
        assert transformed(index, same, pa.array([1, 2], pa.decimal128(9, 4))).ravel().tolist() == [1, 2]
    with pytest.raises(ValueError, match="should hold values of type int64; received '2026-01-01'"):
        transformed(index, [3, 1, 3], pa.array([datetime.date(2026, 1, 1)]))


def test_times_say_the_same_in_every_unit():
    days = [datetime.datetime(2026, 1, 1), datetime.datetime(1969, 2, 28)]
    times = [datetime.datetime(2026, 1, 1, 10, 30, 0, 500_000), datetime.datetime(1969, 2, 28, 0, 0, 7)]
    for values, texts in (
        (days, ["2026-01-01", "1969-02-28"]),
        (times, ["2026-01-01 10:30:00.5", "1969-02-28 00:00:07"]),
    ):
        kinds = [pa.timestamp(unit) for unit in ("ms", "us", "ns")]
        kinds += [pa.date32(), pa.date64(), pa.timestamp("s")] if values is days else []
        columns = [pa.array(values, kind) for kind in kinds] + [texts]
        for training in columns:
            for later in columns:
                found = transformed(Category("c", encode="embedding"), training, later).ravel().tolist()
                assert sorted(found) == [1, 2]
                assert found == transformed(Category("c", encode="embedding"), training).ravel().tolist()
    clocks = pa.array([1, 7], pa.time32("s"))
    assert transformed(Category("c", encode="index"), clocks, clocks.cast(pa.time64("ns"))).ravel().tolist() == [1, 2]
    noon = pa.array(times, pa.timestamp("us", "UTC"))
    there = noon.cast(pa.timestamp("ns", "+02:00"))
    assert transformed(Category("c", encode="index"), noon, there).all()


def test_too_many_values_for_a_place_each():
    many = [f"v{i}" for i in range(10_001)]
    with pytest.raises(ValueError, match="'c' has 10,001 different values, too many for a place each"):
        transformed(Category("c"), many)
    assert transformed(Category("c", most=10), many).shape == (10_001, 11)
    assert transformed(Category("c", encode="embedding"), many).max() == 10_001


def test_errors():
    with pytest.raises(ValueError, match="encode"):
        Category("c", encode="binary")
    with pytest.raises(ValueError, match='missing="most_frequent" is learned'):
        Category("c", encode="hash", buckets=5, missing="most_frequent")
    for arguments in ({"encode": "hash"}, {"buckets": 5}):
        with pytest.raises(ValueError, match="buckets belong to"):
            Category("c", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'c' has no value in the training rows"):
        transformed(Category("c"), pa.array([None], pa.string()))
    with pytest.raises(ValueError, match="has learned nothing yet"):
        Features([Category("c")]).to_numpy(dlbd.data.open({"c": ["x"]}))


def test_values_are_exact_and_stay_so_in_a_file():
    for values in (
        pa.array([2**64 - 1, 2**63, 2**64 - 1], pa.uint64()),
        pa.array([2**63 - 1, -(2**63), 2**63 - 1]),
        pa.array([True, False, True]),
        pa.array([Decimal("1234567890123.45"), Decimal("-0.01"), Decimal("1234567890123.45")]),
        pa.array([datetime.date(2024, 2, 29), datetime.date.min, datetime.date(2024, 2, 29)]),
        pa.array([datetime.time(12), datetime.time(12, 0, 0, 1), datetime.time(12)]),
        pa.array([0.0, -5.0, 0.0], pa.float16()),
        pa.array(["\0", "\u2028", "\0"]),
    ):
        features = Features([Category("c", encode="index", missing="most_frequent")])
        features.adapt(dlbd.data.open({"c": values}))
        again = Features.from_config(json.loads(json.dumps(features.get_config())))
        given = pa.concat_arrays([values, pa.nulls(1, values.type)])
        x, _ = again.to_numpy(dlbd.data.open({"c": given}))
        assert x.ravel().tolist() == [1, 2, 1, 1], values.type
        assert repr(again.inputs) == repr(features.inputs)


def test_a_whole_number_that_training_could_not_hold_was_never_seen():
    large = pa.array([2**64 - 1, 1, None], pa.uint64())
    for missing, wanted in ((None, [0, 2, 0]), (3, [0, 2, 1])):
        index = Category("c", encode="index", missing=missing)
        assert transformed(index, [3, 1, 3], large).ravel().tolist() == wanted
    index = Category("c", encode="index")
    assert transformed(index, pa.array([3, 1, 3], pa.uint64()), [-1, 1, 3]).ravel().tolist() == [0, 2, 1]
    assert transformed(index, pa.array([3, 1, 3], pa.uint64()), ["3", "1"]).ravel().tolist() == [1, 2]


def test_a_float_is_a_category_where_it_is_whole():
    assert transformed(Category("c", encode="index"), [1.0, np.nan, 1.0]).ravel().tolist() == [1, 0, 1]
    for value in (1.5, np.inf, 1e300):
        with pytest.raises(ValueError, match=r"column 'c' should hold values of type int64; received "):
            transformed(Category("c"), [1.0, value])
    texts = dlbd.data.open({"c": [1.5, 0.5, 1.5]}, schema={"c": "string"})
    features = Features([Category("c", encode="index")])
    features.adapt(texts)
    assert features.to_numpy(texts)[0].ravel().tolist() == [1, 2, 1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table]:
    """Files of few values and of many, stored as indices or not; and the same rows as text."""
    folder, tables = tmp_path_factory.mktemp("categories"), []
    rng = np.random.default_rng(0)
    for i, (names, indices) in enumerate([(3, True), (5, True), (4, False), (20_000, True)]):
        values = np.array([f"city {j}" for j in range(names)])[rng.integers(0, names, 20_000)]
        tables.append(pa.table({"c": pa.array(values, mask=rng.random(20_000) < 0.1), "x": np.arange(20_000)}))
        pq.write_table(tables[-1], folder / f"{i}.parquet", use_dictionary=indices)
    return folder, pa.concat_tables(tables)


def test_text_of_few_values_is_read_as_indices(stored: tuple[Path, pa.Table]):
    source = dlbd.data.open(stored[0])
    needed = Features([Category("c")]).needed(source, targets=False)

    def kinds(source: dlbd.data.Source) -> set[str]:
        return {str(batch.schema.field("c").type) for batch in source.batches()}

    assert kinds(needed) == {"string", "dictionary<values=string, indices=int32, ordered=0>"}
    assert kinds(needed.where(dlbd.data.col("c") != "city 1")) == {"string"}
    assert kinds(needed.split(a=0.5, by="c").a) == {"string"}
    assert kinds(dlbd.data.open(needed, order_by="c")) == {"string"}
    assert kinds(source) == {"string"}


@pytest.mark.parametrize("options", [{"encode": "embedding"}, {"encode": "hash", "buckets": 99}, {"missing": "city 2"}])
def test_indices_give_what_text_gives(stored: tuple[Path, pa.Table], options: dict[str, Any]):
    found = []
    for source in (dlbd.data.open(stored[0]), dlbd.data.open(stored[1])):
        features = Features([Category("c", **{"most": 500, **options})])
        features.adapt(source)
        found.append((features.get_config(), features.to_numpy(source)[0]))
    assert found[0][0] == found[1][0]
    assert (found[0][1] == found[1][1]).all()
