"""Raw rows in place of arrays, wherever a model with features takes a batch, or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from dlbd.data import Features, Number, SourceError, col

ROWS = 96


def columns(rows: int = ROWS) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, rows)
    city = np.array(["Bonn", "Oslo", "Rome"])[rng.integers(0, 3, rows)]
    buys = np.where((age > 50) & (city != "Rome"), "yes", "no")
    return {"age": age.tolist(), "city": city.tolist(), "buys": buys.tolist(), "weight": rng.random(rows).tolist()}


def records() -> list[dict[str, Any]]:
    given = columns()
    return [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]


def batches(rows: int = 40) -> list[pa.RecordBatch]:
    return pa.table(columns()).to_batches(max_chunksize=rows)


def trained(**options: Any) -> dlbd.Sequential:
    dlbd.utils.set_random_seed(0)
    model = dlbd.Sequential([layers.Dense(4, activation="relu"), layers.Dense(2, activation="softmax")])
    model.compile(dlbd.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    rows = dlbd.data.open(columns(), columns=["age", "city", "buys"])
    model.fit(rows, target="buys", shuffle=False, verbose=0, **options)
    return model


def polars_frame(given: dict[str, Any]) -> Any:
    return pytest.importorskip("polars").DataFrame(given)


FORMS: dict[str, Callable[[], Any]] = {
    "a dict of columns": columns,
    "a list of records": records,
    "pandas": lambda: pd.DataFrame(columns()),
    "polars": lambda: polars_frame(columns()),
    "a table": lambda: pa.table(columns()),
    "a record batch": lambda: pa.RecordBatch.from_pydict(columns()),
    "dicts of arrays": lambda: {name: np.array(values) for name, values in columns().items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_of_raw_rows_goes_through_the_steps_of_fit(form: str):
    model, rows = trained(), FORMS[form]()
    x, y = model.features.to_numpy(dlbd.data.open(columns()))
    np.testing.assert_array_equal(model.predict_on_batch(rows), model.predict(x))
    np.testing.assert_array_equal(model.predict(rows), model.predict(x))
    assert model.test_on_batch(rows) == model.test_on_batch(x, y)
    plain = trained()
    for _ in range(3):
        assert model.train_on_batch(rows) == plain.train_on_batch(x, y)
    assert all(map(np.array_equal, model.get_weights(), plain.get_weights()))


def test_a_dict_of_single_values_is_one_row():
    model = trained()
    wanted = model.predict({"age": [60], "city": ["Oslo"]})
    assert wanted.shape == (1, 2)
    for row in ({"age": 60, "city": "Oslo"}, {"age": np.int64(60), "city": "Oslo"}):
        for call in (model.predict, model.predict_on_batch):
            np.testing.assert_array_equal(call(row), wanted)
    assert model.train_on_batch({"age": 60, "city": "Oslo", "buys": "yes"})[0] > 0


def test_weights_of_a_batch_are_columns():
    model, plain = trained(), trained()
    features = Features(model.features.inputs, model.features.target, weight="weight")
    model.features = features
    x, y = features.to_numpy(dlbd.data.open(columns()))
    weight = np.array(columns()["weight"], np.float32)
    assert model.train_on_batch(pa.table(columns())) == plain.train_on_batch(x, y, sample_weight=weight)
    model, plain = trained(), trained()
    wanted = plain.train_on_batch(x, y, class_weight={1: 3.0})
    assert model.train_on_batch(columns(), class_weight={"yes": 3.0}) == wanted


@pytest.mark.parametrize("call", ["train_on_batch", "test_on_batch", "predict_on_batch"])
def test_what_is_no_batch_is_an_error(call: str):
    model = trained()
    with pytest.raises(ValueError, match=r"a source is no batch, but many rows: pass some of them, source.head\(32\)"):
        getattr(model, call)(dlbd.data.open(columns()))
    with pytest.raises(ValueError, match="a generator is no batch"):
        getattr(model, call)(row for row in records())
    new = dlbd.Sequential([layers.Dense(2)])
    new.compile("sgd", "mse")
    with pytest.raises(ValueError, match="has no features that make inputs of raw rows"):
        getattr(new, call)(records())
    with pytest.raises(ValueError, match=r"column 'city'"):
        getattr(model, call)({"age": [1], "buys": ["yes"]})


def test_an_empty_batch_is_an_error_in_training():
    model = trained()
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=r"the batch is empty$"):
            call(pa.table(columns()).slice(0, 0))
    assert model.predict_on_batch(pa.table(columns()).slice(0, 0)).shape == (0, 2)
    model.features = Features([Number("age", missing="drop")], "buys")
    model.features.adapt(dlbd.data.open(columns()))
    with pytest.raises(ValueError, match="its features leave out all of its 2 rows"):
        model.train_on_batch({"age": pa.nulls(2, pa.int64()), "buys": ["yes", "no"]})


@pytest.mark.parametrize("make", [trained, lambda: functional(), lambda: own()])
def test_a_call_takes_no_raw_rows(make: Callable[[], Any]):
    model = make()
    for rows in (columns(), records(), pd.DataFrame(columns()), pa.table(columns()), dlbd.data.open(columns())):
        with pytest.raises(TypeError, match=r"a model is called with arrays; received raw rows \(\w+\): predict\(\)"):
            model(rows)


def functional() -> dlbd.Model:
    x = dlbd.Input((4,))
    model = dlbd.Model(x, layers.Dense(2)(x))
    model.features = trained().features
    return model


def own() -> dlbd.Model:
    class Own(dlbd.Model):
        def __init__(self) -> None:
            super().__init__()
            self.top = layers.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.top(inputs)

    model = Own()
    model.features = trained().features
    return model


STREAMS: dict[str, Callable[[], Any]] = {
    "records": lambda: iter(records()),
    "record batches": lambda: iter(batches()),
    "frames": lambda: (batch.to_pandas() for batch in batches()),
    "dicts of columns": lambda: (batch.to_pydict() for batch in batches()),
    "lists of records": lambda: (batch.to_pylist() for batch in batches()),
    "a list of batches": batches,
    "a reader of batches": lambda: pa.RecordBatchReader.from_batches(batches()[0].schema, batches()),
}


@pytest.mark.parametrize("form", STREAMS)
def test_streams_of_raw_rows_are_read_as_sources_are(form: str):
    model, plain = trained(), trained()
    wanted = plain.predict(columns())
    np.testing.assert_array_equal(model.predict(STREAMS[form]()), wanted)
    np.testing.assert_array_equal(model.predict(STREAMS[form](), batch_size=7, steps=3), wanted[:21])
    assert model.evaluate(STREAMS[form](), verbose=0) == plain.evaluate(dlbd.data.open(columns()), verbose=0)
    plain.fit(dlbd.data.open(columns()), shuffle=False, verbose=0)
    model.fit(STREAMS[form](), shuffle=False, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), plain.get_weights()))


def test_streams_of_arrays_stay_what_they_are():
    model = trained()
    x, y = model.features.to_numpy(dlbd.data.open(columns()))
    taken = []

    def pairs() -> Iterator[Any]:
        for i in range(0, ROWS, 32):
            taken.append(i)
            yield x[i : i + 32], y[i : i + 32]

    assert model.evaluate(pairs(), verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    assert taken == [0, 32, 64]
    np.testing.assert_array_equal(model.predict(iter([x[:5], x[5:]])), model.predict(x))


def test_no_rows_are_predicted_as_none():
    model = trained()
    for rows in ([], (), {"age": [], "city": []}, iter(batches()[:0]), pd.DataFrame(columns())[:0]):
        if isinstance(rows, Iterator):
            with pytest.raises(ValueError, match="received no batches"):
                model.predict(rows)
        else:
            assert model.predict(rows).shape == (0, 2)


def test_streams_to_learn_from_are_opened():
    new = dlbd.Sequential([layers.Dense(2)])
    new.compile("sgd", "sparse_categorical_crossentropy")
    for rows in (iter(batches()), pa.table(columns()), records()):
        with pytest.raises((TypeError, ValueError), match=r"pass dlbd.data.open\(x\)|fit\(source, target=...\)"):
            new.fit(rows, target="buys", verbose=0)
    new.fit(dlbd.data.open(iter(batches())), target="buys", verbose=0)


def test_lists_in_a_row_are_no_columns():
    model = dlbd.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    rows = {"x": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], "y": [1.0, 2.0, 3.0]}
    model.fit(dlbd.data.open(rows), target="y", verbose=0)
    wanted = model.predict(rows)
    for one in ({"x": [2.0, 3.0]}, {"x": np.array([2.0, 3.0])}):
        np.testing.assert_array_equal(model.predict(one), wanted[1:2])
    for several in ({"x": np.array(rows["x"])}, [{"x": x} for x in rows["x"]], iter([{"x": x} for x in rows["x"]])):
        np.testing.assert_array_equal(model.predict(several), wanted)


def test_raw_rows_to_train_and_validate_on_are_checked_against_what_was_learned():
    model = trained()
    history = model.fit(pd.DataFrame(columns()), validation_data=records(), epochs=2, verbose=0)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    with pytest.raises(ValueError, match="the features have the target 'buys'; received 'city'"):
        model.fit(pd.DataFrame(columns()), target="city", verbose=0)
    with pytest.raises(ValueError, match="targets and weights of a source are columns"):
        model.fit(pd.DataFrame(columns()), np.zeros(ROWS), verbose=0)
    with pytest.raises(ValueError, match="validation_split needs arrays"):
        model.fit(pd.DataFrame(columns()), validation_split=0.5, verbose=0)


# Sources of tables that come one after the other


def test_a_source_of_tables():
    whole = pa.table(columns())
    for what in (batches, lambda: iter(batches()), batches(), lambda: (b.to_pandas() for b in batches())):
        source = dlbd.data.open(what)
        assert source.ordered
        for _ in range(2):
            assert source.to_arrow().cast(whole.schema) == whole
    assert dlbd.data.open(batches).where(col("city") == "Rome").select(["age"]).count() == columns()["city"].count(
        "Rome"
    )
    assert dlbd.data.open(batches, schema={"age": "float32"}).schema.field("age").type == pa.float32()
    assert "tables of batches" in repr(dlbd.data.open(batches))


def test_a_reader_of_pyarrow_is_read_as_a_stream():
    def endless() -> Iterator[pa.RecordBatch]:
        while True:
            yield batches()[0]

    source = dlbd.data.open(pa.RecordBatchReader.from_batches(batches()[0].schema, endless()))
    assert source.head(100).num_rows == 100
    reading = source.batches(30)
    assert [next(reading).num_rows for _ in range(10)] == [30] * 10
    reading.close()
    empty = pa.RecordBatchReader.from_batches(batches()[0].schema, [])
    assert dlbd.data.open(empty).to_arrow().num_rows == 0


def test_what_has_arrows_stream_interface_is_never_in_memory_as_a_whole():
    class Capsule:
        asked = 0

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            self.asked += 1
            return pa.RecordBatchReader.from_batches(batches()[0].schema, self._rows()).__arrow_c_stream__()

        def _rows(self) -> Iterator[pa.RecordBatch]:
            for batch in batches(8):
                self.at = batch
                yield batch

    capsule = Capsule()
    source = dlbd.data.open(capsule)
    reading = source.batches(4)
    next(reading)
    assert capsule.at.equals(batches(8)[0])
    reading.close()
    assert source.to_arrow() == source.to_arrow() == pa.table(columns())


def test_tables_of_a_stream_have_the_columns_of_the_first():
    def changing() -> Iterator[pa.Table]:
        yield pa.table({"x": [1.0], "y": [1]})
        yield pa.table({"y": [2], "z": [1], "x": [3.0]})
        yield pa.table({"y": [2]})

    with pytest.raises(SourceError, match=r"tables of .*changing: table 2 has no column 'x', which the first one has"):
        dlbd.data.open(changing).to_arrow()
    assert dlbd.data.open(changing, columns=["y"]).to_arrow()["y"].to_pylist() == [1, 2, 2]
    with pytest.raises(SourceError, match="column 'x' is declared int64, and holds 'one'"):
        dlbd.data.open([pa.table({"x": [1]}), pa.table({"x": ["one"]})]).to_arrow()
