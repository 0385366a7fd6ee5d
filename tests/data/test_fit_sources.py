"""fit, evaluate and predict on sources of raw rows."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dlbd
from dlbd import callbacks, layers
from dlbd.data import SourceError
from dlbd.data.source import Source
from tests.data.test_streaming import Broken, reading_threads

ROWS = 3000


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert reading_threads() == []


def columns(rows: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 3)).astype(np.float32)
    label = np.where(x[:, 0] + x[:, 1] > 0.5, "high", np.where(x[:, 2] > 0, "low", "mid"))
    return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "label": label, "weight": rng.random(rows)}


def source(rows: int = ROWS, seed: int = 0) -> Source:
    return dlbd.data.open(columns(rows, seed), columns=["a", "b", "c", "label"])


def as_they_are(*names: str, target="label", **options) -> dlbd.data.Features:
    return dlbd.data.Features([dlbd.data.Number(name) for name in names or ("a", "b", "c")], target, **options)


def classifier(outputs: int = 3, width: int | None = 3, optimizer="adam") -> dlbd.Sequential:
    dlbd.utils.set_random_seed(1)
    inputs = [] if width is None else [dlbd.Input((width,))]
    model = dlbd.Sequential([*inputs, layers.Dense(8, activation="relu"), layers.Dense(outputs, activation="softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def equal(model, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def arrays(rows: int = ROWS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    table = columns(rows, seed)
    return np.stack([table[c] for c in "abc"], axis=1), np.unique(table["label"], return_inverse=True)[1]


# fit


def test_the_same_weights_as_from_arrays_in_memory():
    plain, streamed = classifier(), classifier()
    x, y = arrays()
    wanted = plain.fit(x, y, epochs=3, batch_size=40, shuffle=False, verbose=0)
    found = streamed.fit(
        source(), target="label", features=as_they_are(), epochs=3, batch_size=40, shuffle=False, verbose=0
    )
    assert equal(plain, streamed)
    assert found.history == wanted.history
    assert streamed.features.classes == ["high", "low", "mid"]


def test_the_same_weights_wherever_the_same_rows_come_from(tmp_path):
    table = source().to_arrow()
    models = []
    for rows in (table, table.to_pandas(), pa.concat_tables([table.slice(0, 7), table.slice(7)]), table.to_pydict()):
        model = classifier()
        schema = dict.fromkeys("abc", "float32")
        model.fit(dlbd.data.open(rows, schema=schema), target="label", epochs=2, verbose=0)
        models.append(model)
    assert all(equal(models[0], other) for other in models[1:])


def test_shuffling_repeats_with_a_seed_and_matters():
    def trained(seed: int, **options) -> dlbd.Sequential:
        model = classifier()
        dlbd.utils.set_random_seed(seed)
        model.fit(source(), target="label", epochs=2, verbose=0, **options)
        return model

    first = trained(1, shuffle_buffer=500)
    assert equal(first, trained(1, shuffle_buffer=500))
    assert not equal(first, trained(2, shuffle_buffer=500))
    assert not equal(first, trained(1, shuffle=False))
    assert not equal(first, trained(1, shuffle_buffer=2000))


def test_features_are_learned_from_the_training_rows_alone_and_kept():
    model = classifier()
    table = {name: v + 100 if name in "abc" else v for name, v in columns().items() if name != "weight"}
    shifted = dlbd.data.open(table)
    model.fit(source(), target="label", validation_data=shifted, verbose=0)
    features = model.features
    assert abs(features.inputs[0].learned["center"]) < 1
    model.fit(shifted, verbose=0)
    assert model.features is features
    fresh = dlbd.data.Features.infer(shifted, "label")
    model.fit(shifted, features=fresh, verbose=0)
    assert model.features is fresh
    assert abs(fresh.inputs[0].learned["center"] - 100) < 1
    with pytest.raises(ValueError, match="the features have the target 'label'; received 'a'"):
        model.fit(source(), target="a", verbose=0)


def test_validation_and_evaluation_see_what_they_would_see_as_arrays():
    x, y = arrays()
    vx, vy = arrays(500, seed=1)
    plain, streamed = classifier(), classifier()
    wanted = plain.fit(x, y, epochs=2, shuffle=False, validation_data=(vx, vy), verbose=0)
    found = streamed.fit(
        source(), features=as_they_are(), epochs=2, shuffle=False, validation_data=source(500, seed=1), verbose=0
    )
    assert found.history == wanted.history
    assert streamed.evaluate(source(500, seed=1), verbose=0) == plain.evaluate(vx, vy, verbose=0)
    assert streamed.evaluate(source(500, seed=1), steps=3, verbose=0) == plain.evaluate(vx[:96], vy[:96], verbose=0)
    assert streamed.evaluate(columns(500, seed=1), verbose=0) == plain.evaluate(vx, vy, verbose=0)


def test_sample_weights_are_a_column():
    x, y = arrays()
    plain, streamed = classifier(), classifier()
    plain.fit(x, y, sample_weight=columns()["weight"], shuffle=False, verbose=0)
    rows = dlbd.data.open(columns())
    streamed.fit(rows, features=as_they_are(weight="weight"), shuffle=False, verbose=0)
    assert equal(plain, streamed)
    inferred = classifier(width=None)
    inferred.fit(rows, target="label", sample_weight="weight", verbose=0)
    assert inferred.features.weight == "weight"
    assert inferred.features.columns == ["a", "b", "c"]


def test_class_weights_go_by_name_and_are_balanced_over_all_rows():
    x, y = arrays()
    for given, same in (({"high": 3.0}, {0: 3.0}), ("balanced", "balanced")):
        plain, streamed = classifier(), classifier()
        plain.fit(x, y, class_weight=same, shuffle=False, verbose=0)
        streamed.fit(source(), features=as_they_are(), class_weight=given, shuffle=False, verbose=0)
        assert equal(plain, streamed)


def test_class_weights_of_windows_are_those_of_each_step():
    label = np.where(np.arange(60) % 3 == 0, "rare", "usual")
    rows = dlbd.data.open({"t": np.arange(60), "x": np.arange(60) / 60, "label": label}, order_by="t")
    trained = []
    for options in ({"class_weight": {"rare": 4.0}}, {}):
        dlbd.utils.set_random_seed(0)
        top = [layers.Flatten(), layers.Dense(6), layers.Reshape((3, 2)), layers.Softmax()]
        model = dlbd.Sequential([dlbd.Input((4, 1)), *top])
        model.compile("sgd", "sparse_categorical_crossentropy")
        features = dlbd.data.Features([dlbd.data.Number("x")], "label", window=dlbd.data.Window(4, horizon=3))
        if options:
            model.fit(rows, features=features, batch_size=99, verbose=0, **options)
        else:
            features.adapt(rows)
            x, y = features.to_numpy(rows)
            model.fit(x, y, sample_weight=np.where(y == 0, 4.0, 1.0), batch_size=99, shuffle=False, verbose=0)
        trained.append(model)
    for a, b in zip(trained[0].get_weights(), trained[1].get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_several_targets():
    table = columns()
    numbers = dlbd.data.open({name: table[name] for name in "abc"})
    x, _ = arrays()
    models = []
    for fit in (
        lambda m: m.fit(x[:, :1], x[:, 1:], shuffle=False, verbose=0),
        lambda m: m.fit(numbers, features=as_they_are("a", target=["b", "c"]), shuffle=False, verbose=0),
    ):
        dlbd.utils.set_random_seed(0)
        model = dlbd.Sequential([layers.Dense(2)])
        model.compile("sgd", "mse")
        fit(model)
        models.append(model)
    assert equal(*models)


def test_several_inputs_and_outputs():
    dlbd.utils.set_random_seed(0)
    a, rest = dlbd.Input((1,), name="a"), dlbd.Input((2,), name="rest")
    joined = layers.Concatenate()([layers.Dense(4)(a), layers.Dense(4)(rest)])
    outputs = {"kind": layers.Dense(3, activation="softmax")(joined), "size": layers.Dense(1)(joined)}
    model = dlbd.Model([a, rest], outputs)
    model.compile("adam", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    features = as_they_are(target={"kind": "label", "size": dlbd.data.Target("weight", kind="number")})
    history = model.fit(dlbd.data.open(columns()), features=features, epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
    predicted = model.predict(source(10))
    assert {name: a.shape for name, a in predicted.items()} == {"kind": (10, 3), "size": (10, 1)}


def test_an_endless_source_is_trained_on_in_epochs_of_so_many_steps():
    def records():
        rng = np.random.default_rng(0)
        while True:
            a = float(rng.standard_normal())
            yield {"a": a, "label": int(a > 0)}

    model = classifier(2, width=None, optimizer=dlbd.optimizers.Adam(0.05))
    features = as_they_are("a", target=dlbd.data.Target("label", kind="class"))
    features.adapt(dlbd.data.open({"a": [0.0, 1.0], "label": [0, 1]}))
    history = model.fit(
        dlbd.data.open(records, schema={"a": "float64", "label": "int64"}),
        features=features,
        epochs=3,
        steps_per_epoch=50,
        shuffle_buffer=500,
        verbose=0,
    )
    assert len(history.epoch) == 3
    assert history.history["accuracy"][2] > 0.8


@pytest.mark.parametrize("shuffle", [True, False])
def test_of_an_endless_source_little_more_is_read_than_is_trained_on(shuffle: bool):
    given = itertools.count()

    def records():
        for i in itertools.count():
            next(given)
            yield {"a": float(i % 100), "label": i % 2}

    rows = dlbd.data.open(records, schema={"a": "float64", "label": "int64"}, sample=0)
    model = classifier(2, width=None)
    model.fit(rows, target="label", epochs=3, steps_per_epoch=10, batch_size=8, shuffle=shuffle, verbose=0)
    model.evaluate(rows, steps=10, batch_size=8, verbose=0)
    assert next(given) < 5_000


def test_features_learn_from_the_first_rows_of_an_endless_source():
    def records():
        for i in itertools.count():
            yield {"a": float(i % 100), "city": "ab"[i % 2], "label": "high" if i % 100 > 49 else "low"}

    weights = []
    for what in (records, records()):  # an iterator is read once, from its beginning all the same
        model = classifier(2, width=None, optimizer=dlbd.optimizers.Adam(0.05))
        history = model.fit(
            dlbd.data.open(what), target="label", epochs=2, steps_per_epoch=100, shuffle_buffer=500, verbose=0
        )
        assert history.history["accuracy"][1] > 0.9
        assert model.features.classes == ["high", "low"]
        weights.append(model.get_weights()[0].tolist())
    assert weights[0] == weights[1]


def test_training_that_was_cut_short_goes_on_in_the_middle_of_a_source(tmp_path):
    class Cut(callbacks.Callback):
        def __init__(self, after: int) -> None:
            super().__init__()
            self.left = after

        def on_train_batch_end(self, batch, logs=None):
            self.left -= 1
            if self.left == 0:
                raise ZeroDivisionError

    def train(cut_after: int) -> dlbd.Sequential:
        model = classifier()
        told = [callbacks.BackupAndRestore(tmp_path / "b", save_freq=7), Cut(cut_after)]
        model.fit(source(), target="label", epochs=3, shuffle_buffer=1000, verbose=0, callbacks=told)
        return model

    wanted = train(-1)
    with pytest.raises(ZeroDivisionError):
        train(130)
    assert equal(train(-1), wanted)


# predict


def test_raw_rows_of_every_form_are_predicted_alike_in_their_order():
    model = classifier()
    model.fit(source(), features=as_they_are(), epochs=1, verbose=0)
    x, _ = arrays(100, seed=2)
    wanted = model.predict(x)
    raw = {name: column for name, column in columns(100, seed=2).items() if name in "abc"}
    frame = pd.DataFrame(raw)
    for rows in (source(100, seed=2), raw, frame, pa.table(raw), frame.to_dict("records"), frame[["c", "b", "a"]]):
        np.testing.assert_array_equal(model.predict(rows), wanted)
    np.testing.assert_array_equal(model.predict(frame, batch_size=7, steps=2), wanted[:14])
    assert model.predict(frame[:0]).shape == (0, 3)
    with pytest.raises(ValueError, match=r"column 'c'"):
        model.predict(frame[["a", "b"]])


def test_rows_that_are_left_out_are_predicted_as_nan():
    model = classifier()
    model.fit(source(), features=as_they_are(rows=[dlbd.data.DropMissing()]), verbose=0)
    predicted = model.predict({"a": [1.0, None, 2.0, None], "b": [0.0, 0.0, None, 1.0], "c": [1.0, 1.0, 1.0, 1.0]})
    assert np.isnan(predicted).all(axis=1).tolist() == [False, True, True, True]
    np.testing.assert_array_equal(predicted[0], model.predict({"a": [1.0], "b": [0.0], "c": [1.0]})[0])
    assert np.isnan(model.predict({name: pa.nulls(2, pa.float32()) for name in "abc"})).all()


def test_rows_that_are_left_out_far_apart_leave_the_others_in_their_places():
    model = classifier()
    features = as_they_are(rows=[dlbd.data.DropMissing()])
    model.fit(source(), features=features, verbose=0)
    raw = columns(5000, seed=3)
    raw["a"][[17, 3000]] = np.nan
    predicted = model.predict(raw)
    assert np.flatnonzero(np.isnan(predicted[:, 0])).tolist() == [17, 3000]
    there = ~np.isnan(raw["a"])
    np.testing.assert_array_equal(predicted[there], model.predict({c: raw[c][there] for c in "abc"}))
    some = model.predict(raw, steps=2)
    np.testing.assert_array_equal(some, predicted[:65])  # 64 predictions, and a row without one between them
    raw["a"][:] = np.nan
    assert model.predict(raw, steps=1).shape == (0, 3)


def test_a_list_of_records_is_looked_at_as_a_whole():
    model = classifier()
    model.fit(source(), features=as_they_are(), verbose=0)
    records = [{"a": 1, "b": 2, "c": None}] * 2000 + [{"a": 0.5, "b": 2, "c": 1.5, "more": {}}]
    with pytest.raises(ValueError, match=r"'c' has no value .*\(row 0\)"):
        model.predict(records)
    records = [{"a": 1, "b": 2, "c": 3}] * 2000 + [{"a": 0.5, "b": 2, "c": 1.5, "more": {}}]
    np.testing.assert_array_equal(model.predict(records)[-1:], model.predict({"a": [0.5], "b": [2], "c": [1.5]}))


def test_columns_that_nobody_asked_for_may_hold_anything():
    model = classifier()
    model.fit(source(), features=as_they_are(), verbose=0)
    raw = columns(3, seed=2)
    wanted = model.predict(raw)
    odd = [object(), 1, "two"]
    np.testing.assert_array_equal(model.predict(raw | {"odd": odd}), wanted)
    np.testing.assert_array_equal(model.predict(pd.DataFrame(raw).assign(odd=odd)), wanted)
    assert model.evaluate(pd.DataFrame(raw).assign(odd=odd), verbose=0)[0] > 0


def test_the_memory_limit_is_that_of_validation_evaluation_and_prediction(monkeypatch):
    limits = []
    batches_for = Source.batches_for

    def noted(self, *arguments, **options):
        limits.append(options["memory_limit"])
        return batches_for(self, *arguments, **options)

    monkeypatch.setattr(Source, "batches_for", noted)
    model = classifier()
    model.fit(source(), features=as_they_are(), validation_data=source(50), memory_limit="9MB", verbose=0)
    model.evaluate(source(50), memory_limit="8MB", verbose=0)
    model.predict(source(50), memory_limit="7MB")
    assert limits == [9_000_000, 9_000_000, "8MB", "7MB"]
    for call in (model.evaluate, model.predict):
        with pytest.raises(TypeError, match="memory_limit= is for a source"):
            call(np.ones((40, 3)), memory_limit="7MB", verbose=0)
    x, y = arrays(20)
    model.fit(source(), validation_data=(x, y), memory_limit="9MB", verbose=0)


def test_a_model_without_features_takes_frames_as_before():
    model = classifier()
    x, y = arrays()
    frame = pd.DataFrame(x, columns=list("abc"))
    model.fit(frame, y, verbose=0)
    assert model.features is None
    np.testing.assert_array_equal(model.predict(frame), model.predict(x))


def test_predictions_from_several_threads_at_once():
    model = classifier()
    model.fit(source(), features=as_they_are(), verbose=0)
    raw = columns(200, seed=3)
    wanted, found = model.predict(raw), {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: model.predict(raw)})) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[n], wanted) for n in range(4))


# Trouble


def test_mistakes_are_named():
    model = classifier()
    with pytest.raises(ValueError, match=r"fit\(source\) needs target=, one of the columns \['a', 'b', 'c', 'label'\]"):
        model.fit(source(), verbose=0)
    with pytest.raises(ValueError, match="has no column 'lable'; it has"):
        model.fit(source(), target="lable", verbose=0)
    with pytest.raises(ValueError, match="no features that make inputs of raw rows"):
        model.evaluate(source(), verbose=0)
    with pytest.raises(ValueError, match="no features that make inputs of raw rows"):
        model.predict(source())
    with pytest.raises(TypeError, match=r"target= is for a source of dlbd.data: pass dlbd.data.open\(x\)"):
        model.fit(pd.DataFrame(columns()), target="label", verbose=0)
    with pytest.raises(ValueError, match="columns: y and sample_weight must be None"):
        model.fit(source(), arrays()[1], target="label", verbose=0)
    with pytest.raises(ValueError, match="validation_split needs arrays"):
        model.fit(source(), target="label", validation_split=0.2, verbose=0)
    with pytest.raises(ValueError, match="shuffle is True or False; received 'batch'"):
        model.fit(source(), target="label", shuffle="batch", verbose=0)
    with pytest.raises(ValueError, match="memory_limit is a number of bytes"):
        model.fit(source(), target="label", memory_limit="lots", verbose=0)
    for target in ([], {}, 3, ["label", 3]):
        with pytest.raises(TypeError, match="target is a column, a list of columns"):
            classifier().fit(source(), target=target, verbose=0)
    with pytest.raises(TypeError, match="name of a column; received a ndarray"):
        model.fit(source(), target="label", sample_weight=np.ones(1000), verbose=0)
    for target in ("a", ["a", "b"], {"one": "a", "other": "label"}):
        with pytest.raises(ValueError, match="is for a target that is a class"):
            classifier(1, width=None).fit(source(), target=target, class_weight="balanced", verbose=0)


def test_a_column_that_validation_lacks_is_an_error_before_training():
    model = classifier()
    before = model.get_weights()
    with pytest.raises(ValueError, match="has no column 'c'; it has"):
        model.fit(source(), target="label", validation_data=source().select(["a", "b", "label"]), verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_an_empty_source_and_one_class_are_errors():
    with pytest.raises(ValueError, match="has no columns with values"):
        classifier().fit(source(0), target="label", verbose=0)
    model = classifier()
    model.fit(source(), target="label", verbose=0)
    with pytest.raises(ValueError, match="the data is empty"):
        model.fit(source(0), verbose=0)
    with pytest.raises(ValueError, match="the data is empty"):
        model.evaluate(source(0), verbose=0)
    one = dlbd.data.open({"a": [1.0, 2.0], "label": ["x", "x"]})
    with pytest.raises(ValueError, match="'x' only"):
        classifier().fit(one, target="label", verbose=0)


@pytest.mark.timeout(60)
def test_a_source_that_breaks_in_the_middle_ends_fit_evaluate_and_predict():
    whole = Broken(1000)
    features = as_they_are("c0", target=dlbd.data.Target("label", kind="number"))
    for good in (0, 1000, 100_000):
        broken = Broken(good, SourceError("broken: the disk is gone"))
        rows = Source(broken, broken.schema, broken.schema)
        dlbd.utils.set_random_seed(0)
        model = dlbd.Sequential([layers.Dense(1)])
        model.compile(dlbd.optimizers.SGD(1e-12), "mse")
        model.fit(Source(whole, whole.schema, whole.schema), features=features, verbose=0)
        for call in (model.fit, model.evaluate):
            with pytest.raises(SourceError, match="broken: the disk is gone"):
                call(rows, verbose=0)
        with pytest.raises(SourceError, match="broken: the disk is gone"):
            model.predict(rows)
        assert reading_threads() == []


def test_no_thread_is_left_when_training_stops_early():
    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 3

    class Fail(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise ZeroDivisionError

        on_test_batch_end = on_train_batch_end

    rows = dlbd.data.open({"a": np.arange(300_000.0), "label": np.arange(300_000) % 2})
    model = classifier(2, width=None)
    model.fit(rows, target="label", callbacks=[Stop()], shuffle_buffer=100, verbose=0)
    assert reading_threads() == []
    with pytest.raises(ZeroDivisionError):
        model.fit(rows, callbacks=[Fail()], shuffle_buffer=100, verbose=0)
    assert reading_threads() == []
    with pytest.raises(ZeroDivisionError):
        model.evaluate(rows, callbacks=[Fail()], verbose=0)
    assert reading_threads() == []
    model.evaluate(rows, steps=2, verbose=0)
    assert reading_threads() == []


def program(text: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        **options,
    )


_ENDLESS = """
    import itertools, sys, threading, time
    import numpy as np, pyarrow as pa
    import dlbd
    from dlbd.data.source import Source

    class Reader:
        name, ordered, remote, sorts = "made up", True, False, False
        schema = pa.schema([("a", pa.float64()), ("b", pa.float64()), ("label", pa.int64())])
        rows, pause = None, 0.0

        def scan(self, columns, where, order_by, rows):
            made = 0
            rng = np.random.default_rng(0)
            while self.rows is None or made < self.rows:
                time.sleep(self.pause)
                x = rng.standard_normal(rows)
                batch = {"a": x, "b": -x, "label": (x > 0).astype(np.int64)}
                yield pa.RecordBatch.from_pydict({c: batch[c] for c in columns})
                made += rows

        def count(self, where):
            return None

        def abort(self):
            pass

    source = Source(Reader(), Reader.schema, Reader.schema)
    small = dlbd.data.open({"a": [0.0, 1.0], "b": [0.0, 1.0], "label": [0, 1]})
    model = dlbd.Sequential([dlbd.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(small, target="label", verbose=0)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_an_interrupt_ends_training_within_a_second(pause: float):
    running = program(
        _ENDLESS
        + f"""
    Reader.pause = {pause}
    print("begin", flush=True)
    try:
        model.fit(source, verbose=0, shuffle_buffer=100, memory_limit="2MB")
    except KeyboardInterrupt:
        print([t.name for t in threading.enumerate() if t.name.startswith("dlbd.data")], flush=True)
    """
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "begin\n"
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    sent = time.monotonic()
    assert running.stdout.readline() == "[]\n", running.communicate()[1]
    assert time.monotonic() - sent < 1
    running.communicate()


@pytest.mark.timeout(120)
def test_the_process_stays_small_however_many_rows_there_are():
    """240 MB of rows, 160 MB as they are trained on: far more than the limit."""
    running = program(
        _ENDLESS
        + """
    import pathlib
    limit = 20_000_000

    def grown():  # ru_maxrss begins with that of the process which started this one
        return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

    Reader.rows = 200_000
    model.fit(source, verbose=0, batch_size=8192, memory_limit=limit)
    before = grown()
    Reader.rows = 10_000_000
    model.fit(source, verbose=0, batch_size=8192, memory_limit=limit)
    print(grown() - before)
    """
    )
    out, err = running.communicate()
    assert not err
    assert int(out) < 20_000_000
