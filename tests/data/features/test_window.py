"""Windows over time series: against a plain loop, whatever the batches."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import Category, DropMissing, Features, Number, Target, Window

ROWS = 300


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "t": np.arange(ROWS),
            "a": rng.standard_normal(ROWS).astype(np.float32),
            "b": rng.standard_normal(ROWS).astype(np.float32),
            "y": rng.standard_normal(ROWS).astype(np.float32),
            "w": rng.random(ROWS).astype(np.float32),
            "station": rng.choice(["n", "s", None], ROWS),
        }
    )


def expected(table: pa.Table, window: Window) -> tuple[list, list, list, list]:
    """Windows, targets, weights, and the row in which each is complete."""
    columns = table.to_pydict()
    keys = columns[window.by] if window.by else [None] * len(table)
    found = []
    for key in dict.fromkeys(keys):
        rows = [i for i, k in enumerate(keys) if k == key]
        for begin in range(0, len(rows) - window.length - window.horizon + 1, window.stride):
            inside = rows[begin : begin + window.length]
            after = rows[begin + window.length : begin + window.length + window.horizon]
            y = [columns["y"][i] for i in after] if window.horizon else columns["y"][inside[-1]]
            x = [[columns["a"][i], columns["b"][i]] for i in inside]
            found.append(((inside + after)[-1], x, y, columns["w"][inside[-1]]))
    found.sort(key=lambda sample: sample[0])
    return tuple([sample[i] for sample in found] for i in (1, 2, 3, 0))  # type: ignore[return-value]


def blocks(table: pa.Table, window: Window, rows: int, targets: bool = True) -> list[Any]:
    features = Features([Number("a"), Number("b")], target=Target("y", kind="number"), weight="w", window=window)
    features.adapt(dlbd.data.open(table))
    return list(features.read(dlbd.data.open(table), targets, rows=rows))


@pytest.mark.parametrize("by", [None, "station"])
@pytest.mark.parametrize(("length", "stride", "horizon"), [(5, 1, 1), (4, 3, 2), (1, 1, 0), (7, 10, 3), (6, 2, 0)])
def test_windows_are_those_of_a_plain_loop(table: pa.Table, length: int, stride: int, horizon: int, by: str | None):
    window = Window(length, stride, horizon, by)
    x, y, weight, last = expected(table, window)
    for rows in (ROWS, 64, 7, 1):
        found = blocks(table, window, rows)
        assert np.concatenate([b.x["window"] for b in found]).tolist() == x
        assert np.concatenate([b.y for b in found]).tolist() == y
        assert np.concatenate([b.weight for b in found]).tolist() == weight
        assert np.flatnonzero(np.concatenate([b.kept for b in found])).tolist() == last
        assert all(b.size == b.kept.sum() == len(b.y) for b in found)


def test_a_prediction_for_each_row_with_a_past(table: pa.Table):
    for rows in (ROWS, 50):
        found = blocks(table, Window(5, stride=3, horizon=2), rows, targets=False)
        kept = np.concatenate([b.kept for b in found])
        assert np.flatnonzero(kept).tolist() == list(range(4, ROWS))
        x = np.concatenate([b.x["window"] for b in found])
        assert x.shape == (ROWS - 4, 5, 2)
        assert x[-1, -1, 0] == table["a"][-1].as_py()
        assert all(b.y is None for b in found)


def test_moving_mean(table: pa.Table):
    a = table["a"].to_numpy().astype(np.float64)
    means = [a[max(0, i - 3) : i + 1].mean() for i in range(ROWS)]
    results = [
        np.concatenate([b.x["window"] for b in blocks(table, Window(1, horizon=0, smoothing=4), rows)])
        for rows in (ROWS, 17, 1)
    ]
    np.testing.assert_allclose(results[0][:, 0, 0], means, rtol=1e-5, atol=1e-6)
    assert all((r == results[0]).all() for r in results)


def test_exponential_smoothing_in_each_series(table: pa.Table):
    a, station = table["a"].to_numpy().astype(np.float64), table["station"].to_pylist()
    wanted = np.zeros(ROWS)
    for key in dict.fromkeys(station):
        rows = [i for i, k in enumerate(station) if k == key]
        wanted[rows] = list(itertools.accumulate(a[rows], lambda s, x: s + 0.3 * (x - s)))
    results = [
        np.concatenate([b.x["window"] for b in blocks(table, Window(1, 1, 0, "station", 0.3), rows)])
        for rows in (ROWS, 17, 1)
    ]
    np.testing.assert_allclose(results[0][:, 0, 0], wanted, rtol=1e-5, atol=1e-6)
    assert all((r == results[0]).all() for r in results)


def test_rows_without_a_value_are_one_series_however_they_come():
    key = pa.array([1.0, np.nan, None, np.nan] * 10)
    rows = dlbd.data.open({"t": np.arange(40), "g": key, "x": np.arange(40.0)}, order_by="t")
    features = Features([Number("x")], Target("x", kind="number"), window=Window(3, by="g"))
    features.adapt(rows)
    whole = features.to_numpy(rows)[0]
    assert len(whole) == 7 + 27
    np.testing.assert_array_equal(np.concatenate([b.x["window"] for b in features.read(rows, rows=7)]), whole)


def test_rows_that_are_left_out_are_not_in_a_window():
    rows = dlbd.data.open({"x": [1.0, None, 3.0, 4.0]})
    features = Features([Number("x")], target="x", window=Window(2, horizon=1), rows=[DropMissing()])
    features.adapt(rows)
    (block,) = features.read(rows)
    assert block.x["window"].tolist() == [[[1], [3]]]
    assert block.y.tolist() == [[4]]
    (block,) = features.read(rows, targets=False)
    assert block.kept.tolist() == [False, False, True, True]


def test_shapes_and_saving(table: pa.Table):
    features = Features([Number("a"), Category("station")], target="y", window=Window(5, by="station"))
    assert features.columns == ["a", "station"]
    features.adapt(dlbd.data.open(table))
    assert features.input_shape == (5, 4)
    assert features.output_shapes == {"window": (5, 4)}
    again = Features.from_config(features.get_config())
    assert again.window == features.window
    x, y = features.to_numpy(dlbd.data.open(table))
    assert x.shape[1:] == (5, 4)
    assert y.shape == (len(x), 1)


def test_fewer_rows_than_a_window():
    rows = dlbd.data.open({"x": [1.0, 2.0]})
    features = Features([Number("x")], target="x", window=Window(5))
    features.adapt(rows)
    x, y = features.to_numpy(rows)
    assert x.shape == (0, 5, 1)
    assert y.shape == (0, 1)


def test_errors(table: pa.Table):
    for wrong in ({"length": 0}, {"stride": 0}, {"horizon": -1}, {"smoothing": 1.5}, {"smoothing": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Window(**{"length": 3, **wrong})  # type: ignore[arg-type]
    features = Features([Category("station", encode="embedding")], window=Window(3))
    features.adapt(dlbd.data.open(table))
    with pytest.raises(ValueError, match="'station' is int64"):
        features.to_numpy(dlbd.data.open(table))


def test_rows_need_an_order():
    class Unordered:
        name, ordered, remote, sorts = "store", False, False, True
        schema = pa.schema([("x", pa.float64())])

    rows = dlbd.data.Source(Unordered(), Unordered.schema, Unordered.schema)  # type: ignore[arg-type]
    features = Features([Number("x")], window=Window(3))
    message = "windows need rows in order, and store has none: open it with order_by="
    with pytest.raises(ValueError, match=message):
        features.adapt(rows)
    model = dlbd.Sequential([dlbd.layers.Flatten(), dlbd.layers.Dense(1)])
    model.features = features
    with pytest.raises(ValueError, match=message):
        model.predict(rows, verbose=0)
