"""Features: one pass, any source, the same bits; rows left out; what models take; saving."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import (
    Category,
    Date,
    DropDuplicates,
    DropMissing,
    Features,
    Number,
    Source,
    Text,
    Vector,
    Window,
    col,
)

ROWS = 40_000


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    x = rng.lognormal(size=ROWS)
    return pa.table(
        {
            "x": pa.array(x, mask=rng.random(ROWS) < 0.1),
            "z": rng.standard_normal(ROWS).astype(np.float32),
            "city": pa.array(rng.choice(["Oslo", "Bonn", "Rome"], ROWS), mask=rng.random(ROWS) < 0.1),
            "pixels": pa.FixedSizeListArray.from_arrays(pa.array(rng.integers(0, 256, 4 * ROWS).astype(np.uint8)), 4),
            "w": rng.random(ROWS),
            "label": rng.integers(0, 3, ROWS),
        }
    )


def made() -> Features:
    return Features(
        [
            Number("x", missing="median", clip=(0.01, 0.99), scale="standard"),
            Number("z", scale="standard"),
            Category("city"),
            Vector("pixels", scale="standard"),
        ],
        target="label",
        weight="w",
    )


def chunked(table: pa.Table, rows: int) -> Source:
    return dlbd.data.open(pa.Table.from_batches(table.to_batches(max_chunksize=rows)))


def bits(features: Features, source: Source, rows: int) -> list[bytes]:
    found = list(features.read(source, rows=rows))
    assert sum(block.size for block in found) == ROWS
    arrays = [np.concatenate([block.x[name] for block in found]) for name in features.columns]
    arrays += [np.concatenate([block.y for block in found]), np.concatenate([block.weight for block in found])]
    return [a.tobytes() for a in arrays]


def test_the_same_bits_however_the_source_cuts_its_rows(table: pa.Table):
    configs, numbers = set(), []
    for rows in (ROWS, 16_384, 1_000, 77):
        features = made()
        source = chunked(table, rows)
        features.adapt(source)
        configs.add(json.dumps(features.get_config()))
        numbers.append(bits(features, source, max(rows // 3, 100)))
    assert len(configs) == 1
    assert all(n == numbers[0] for n in numbers)


def test_only_the_rows_of_the_source_are_learned_from(table: pa.Table):
    source = dlbd.data.open(table)
    train, test = source.split(train=0.8, test=0.2)
    features = made()
    features.adapt(train)
    part = train.to_numpy()["z"].astype(np.float64)
    np.testing.assert_allclose(features.inputs[1].learned["center"], part.mean(), rtol=1e-12)
    x, _ = features.to_numpy(test)
    whole = test.to_numpy()["z"].astype(np.float64)
    np.testing.assert_allclose(x[:, 1], (whole - part.mean()) / part.std(), rtol=1e-5, atol=1e-6)


def test_adapting_anew_replaces_what_was_learned_and_a_failure_does_not():
    features = Features([Number("x", scale="minmax")], target="y")
    features.adapt(dlbd.data.open({"x": [0, 10], "y": ["a", "b"]}))
    with pytest.raises(ValueError, match="nothing to tell apart"):
        features.adapt(dlbd.data.open({"x": [0, 100], "y": ["a", "a"]}))
    assert features.inputs[0].learned["width"] == 10
    features.adapt(dlbd.data.open({"x": [0, 20], "y": ["c", "d"]}))
    assert features.inputs[0].learned["width"] == 20
    assert features.classes == ["c", "d"]


def test_shapes_are_known_before_rows_are_read(table: pa.Table):
    features = made()
    assert not features.adapted
    features.adapt(dlbd.data.open(table))
    assert features.adapted
    assert features.output_shapes == {"x": (1,), "z": (1,), "city": (4,), "pixels": (4,)}
    assert features.width == 10
    assert features.input_shape == (10,)
    assert features.to_numpy(dlbd.data.open(table))[0].shape == (ROWS, 10)
    images = Features([Vector("pixels", size=(2, 2, 1))])
    assert images.input_shape == (2, 2, 1)


def test_a_saved_configuration_is_plain_data_and_exact(table: pa.Table):
    features = made()
    features.adapt(dlbd.data.open(table))
    config = json.loads(json.dumps(features.get_config()))
    again = Features.from_config(config)
    assert again.get_config() == config == features.get_config()
    assert bits(again, dlbd.data.open(table), 10_000) == bits(features, dlbd.data.open(table), 10_000)
    saved = dlbd.saving.serialize_keras_object(features)
    assert saved["registered_name"] == "dlbd>Features"
    assert dlbd.saving.deserialize_keras_object(json.loads(json.dumps(saved))).classes == [0, 1, 2]
    with pytest.raises(ValueError, match=r"no part of kind 'os.system'"):
        Features.from_config(config | {"columns": [{"class_name": "os.system", "name": "x"}]})


def test_other_rows_are_not_taken_for_those_that_taught():
    counts = []
    for _ in range(50):
        features = Features([Number("x", scale="standard")], rows=[DropMissing()])
        rows = dlbd.data.open({"x": np.arange(1000.0)})
        features.adapt(rows)
        counts.append(features.samples(rows, True))
        assert copy.deepcopy(features).samples(rows, True) is None
        del rows
        others = [dlbd.data.open({"x": np.arange(10.0)}) for _ in range(20)]  # one is where the other was in memory
        counts += [features.samples(other, True) for other in others]
    assert set(counts) == {1000, None}
    assert counts.count(1000) == 50


def test_a_missing_column_is_named():
    features = Features([Number("x"), Number("z")], target="y")
    rows = dlbd.data.open({"x": [1], "y": [2]})
    with pytest.raises(ValueError, match=r"has no column 'z'; it has"):
        features.adapt(rows)
    with pytest.raises(ValueError, match=r"no column 'z', which the features need; they have \['x', 'y'\]"):
        list(features.blocks(rows.batches(), targets=False))


def test_no_rows():
    features = Features([Number("x", scale="standard"), Category("c")], target="y")
    rows = dlbd.data.open({"x": [1.0, 2.0], "c": ["a", "b"], "y": [0, 1]})
    with pytest.raises(ValueError, match="has no rows to learn from"):
        features.adapt(rows.where(col("x") > 5))
    features.adapt(rows)
    assert features.to_numpy(rows.where(col("x") > 5), targets=False)[0].shape == (0, 4)


def test_rows_that_are_left_out():
    columns = {"x": [1.0, None, 3.0, 1.0, 5.0, 3.0], "c": ["a", "b", None, "a", "e", None], "y": [1, 2, 3, 1, 5, 3]}
    rows = dlbd.data.open(columns)
    features = Features(
        [Number("x", missing="drop", scale="minmax"), Category("c")], target="y", rows=[DropDuplicates()]
    )
    features.adapt(rows)
    assert features.inputs[0].learned["center"] == 1
    (block,) = features.read(rows)
    assert block.kept.tolist() == [True, False, True, False, True, False]
    assert block.size == len(block.x["x"]) == len(block.y) == 3
    # in several batches too; and a prediction is made for each row that has a value
    kept = [block.kept for block in features.read(rows, rows=2)]
    assert [k.tolist() for k in kept] == [[True, False], [True, False], [True, False]]
    (block,) = features.read(rows, targets=False)
    assert block.kept.tolist() == [True, False, True, True, True, True]
    assert block.y is None
    dropping = Features([Number("x"), Category("c", encode="hash", buckets=5)], rows=[DropMissing(["c", "x"])])
    (block,) = dropping.read(rows)
    assert block.kept.tolist() == [True, False, False, True, True, False]
    with pytest.raises(ValueError, match="column 'q' is not among those"):
        Features([Number("x")], rows=[DropMissing(["q"])])


def test_errors_say_the_row_of_the_source():
    x = np.arange(1000.0)
    x[[10, 700]] = np.nan, np.inf
    features = Features([Number("x")], rows=[DropMissing()])
    with pytest.raises(ValueError, match=r"holds an infinity.*\(row 700\)"):
        list(features.read(dlbd.data.open({"x": x}), rows=64))


def test_duplicates_of_far_apart_rows_and_of_lists():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 5_000, 30_000)
    features = Features([Number("x"), Vector("v")], rows=[DropDuplicates()])
    rows = dlbd.data.open({"x": values, "v": np.c_[values, values].tolist()})
    features.adapt(rows)
    x, _ = features.to_numpy(rows)
    _, first = np.unique(values, return_index=True)
    assert x[:, 0].tolist() == values[np.sort(first)].tolist()
    apart = dlbd.data.open({"x": [None, 0, None], "v": [[0, 1], [1, 0], [1, 0]]})
    features = Features([Number("x", missing=0), Vector("v")], rows=[DropDuplicates()])
    features.adapt(apart)
    assert len(features.to_numpy(apart)[0]) == 3


def test_weights(table: pa.Table):
    features = made()
    features.adapt(dlbd.data.open(table))
    block = next(features.read(dlbd.data.open(table)))
    np.testing.assert_array_equal(block.weight, table["w"].to_numpy()[: block.size].astype(np.float32))
    for bad in (-1.0, None, np.nan, np.inf):
        column = pa.array([1.0, bad, *np.ones(ROWS - 2)])
        with pytest.raises(ValueError, match=rf"weight 'w' is {bad}: it must be at least 0 \(row 1\)"):
            next(features.read(dlbd.data.open(table.set_column(table.schema.get_field_index("w"), "w", column))))


def test_what_models_take():
    features = Features([Number("a"), Number("b"), Category("c", encode="embedding"), Vector("v")])
    rows = dlbd.data.open({"a": [1], "b": [2], "c": ["x"], "v": [[3, 4]]})
    features.adapt(rows)
    (block,) = features.read(rows)
    one = dlbd.Sequential([dlbd.layers.Dense(1)])
    assert features.arrange(block.x, one).tolist() == [[1, 2, 1, 3, 4]]
    vector, category = dlbd.Input((2,), name="v"), dlbd.Input((1,), name="c")
    numbers = dlbd.Input((2,), name="numbers")
    joined = dlbd.layers.Concatenate()([vector, dlbd.layers.Flatten()(dlbd.layers.Embedding(2, 3)(category)), numbers])
    several = dlbd.Model([vector, category, numbers], dlbd.layers.Dense(1)(joined))
    found = features.arrange(block.x, several)
    assert {name: a.tolist() for name, a in found.items()} == {"v": [[3, 4]], "c": [[1]], "numbers": [[1, 2]]}
    assert several.predict(found, verbose=0).shape == (1, 1)
    with pytest.raises(ValueError, match="the model has the inputs"):
        features.arrange({"v": block.x["v"], "c": block.x["c"]}, several)
    images = Features([Vector("v", size=(2, 1)), Number("a")])
    images.adapt(rows)
    with pytest.raises(ValueError, match=r"'v' has the shape .* give it an Input of its own"):
        images.arrange(next(images.read(rows)).x, one)


def test_pseudonyms():
    key = b"0123456789abcdef-secret"
    emails = ["a@x.org", "b@x.org", "a@x.org", None]
    rows = dlbd.data.open({"email": emails})
    features = Features([Category("email", encode="index")], pseudonyms={"email": key})
    features.adapt(rows)
    assert features.to_numpy(rows)[0].ravel().tolist() == [1, 2, 1, 0]
    assert "x.org" not in json.dumps(features.get_config())
    assert not any(secret in text for secret in ("secret",) for text in (repr(features), str(features.get_config())))
    again = Features.from_config(json.loads(json.dumps(features.get_config())))
    with pytest.raises(ValueError, match="'email' has pseudonyms, whose key no file holds"):
        again.to_numpy(rows)
    with pytest.raises(ValueError, match="another key"):
        again.set_keys({"email": b"another key of 16"})
    again.set_keys({"email": key})
    assert again.to_numpy(rows)[0].ravel().tolist() == [1, 2, 1, 0]
    with pytest.raises(ValueError, match="5 bytes; 16 to 64 are due"):
        Features([Category("email")], pseudonyms={"email": "short"})


def test_no_pickle_holds_a_key():
    features = Features([Category("email", encode="index")], pseudonyms={"email": b"0123456789abcdef-secret"})
    rows = dlbd.data.open({"email": ["a@x.org", "b@x.org"]})
    features.adapt(rows)
    pickled = pickle.dumps(features)
    assert b"secret" not in pickled
    with pytest.raises(ValueError, match="'email' has pseudonyms, whose key no file holds"):
        pickle.loads(pickled).to_numpy(rows)
    assert copy.deepcopy(features).to_numpy(rows)[0].tolist() == features.to_numpy(rows)[0].tolist()


def test_pseudonyms_are_of_what_a_value_says():
    key = "0123456789abcdef"
    features = Features([Category("id", encode="index")], pseudonyms={"id": key})
    features.adapt(dlbd.data.open({"id": [5, 7, 5]}))
    for same in ([5.0, float("nan"), 7.0], ["5", None, "7"], pa.array(["5", None, "7"]).dictionary_encode()):
        assert features.to_numpy(dlbd.data.open({"id": same}))[0].ravel().tolist() == [1, 0, 2]


def test_the_key_of_pseudonyms_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    rows = dlbd.data.open({"email": ["a@x.org", "b@x.org"]})
    features = Features([Category("email")], pseudonyms={"email": None})
    with pytest.raises(ValueError, match="set DLBD_PSEUDONYM_KEY"):
        features.adapt(rows)
    monkeypatch.setenv("DLBD_PSEUDONYM_KEY", "0123456789abcdef")
    features.adapt(rows)
    assert features.width == 3


def test_closing_blocks_closes_the_source(table: pa.Table):
    closed = []

    def batches():
        try:
            yield from table.to_batches(max_chunksize=100)
        finally:
            closed.append(True)

    blocks = Features([Number("z")]).blocks(batches(), targets=False)
    next(blocks)
    blocks.close()
    assert closed


def test_wrong_columns():
    with pytest.raises(TypeError, match="columns are objects"):
        Features(["x"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="column 'x' is there twice"):
        Features([Number("x"), Category("x")])


def test_source_of_a_file(tmp_path: Path):
    """What a model learned from text it applies to whatever says the same."""
    rows = dlbd.data.open({"x": ["1", "2"], "c": [1, 2], "y": [0, 1]})
    features = Features([Number("x", scale="minmax"), Category("c")], target="y")
    features.adapt(rows)
    other = dlbd.data.open({"x": [1.0, 2.0], "c": ["1", "2"], "more": [0, 0]})
    assert (features.to_numpy(rows)[0] == features.to_numpy(other, targets=False)[0]).all()


def test_only_the_columns_that_teach_something_are_read():
    read = []

    class Watched:
        name, ordered, remote, sorts = "store", True, False, False
        table = pa.table({"x": [1.0, 2.0], "z": [1.0, 2.0], "c": ["a", "b"], "unused": [0, 0], "y": ["a", "b"]})
        schema = table.schema

        def scan(self, columns, where, order_by, rows):
            read.append(list(columns))
            yield from self.table.select(columns).to_batches()

    source = Source(Watched(), Watched.schema, Watched.schema)  # type: ignore[arg-type]
    columns = [Number("x", scale="standard"), Number("z"), Category("c", encode="hash", buckets=9)]
    features = Features(columns, "y")
    features.adapt(source)
    Features(columns, "y", rows=[DropMissing(["c"])]).adapt(source)
    Features(columns, "y", rows=[DropDuplicates()]).adapt(source)
    list(features.read(source))
    assert read == [["x", "y"], ["x", "y", "c"], ["x", "y", "z", "c"], ["x", "z", "c", "y"]]


def test_batches_of_which_no_row_is_left():
    texts, lists = ["a b", "c", "d"], [[1, 2], [3, 4], [5, 6]]
    rows = dlbd.data.open(
        {"x": [1.0, None, 2.0], "c": list("aba"), "v": lists, "t": texts, "d": ["2026-01-01"] * 3, "y": [0, 1, 1]}
    )
    vectors = [Number("x", missing="drop"), Category("c"), Vector("v"), Text("t", encode="bag"), Date("d")]
    others = [Number("x", missing="drop"), Text("t", length=3), Category("c", encode="hash", buckets=3)]
    for columns, window in ((vectors, None), (vectors, Window(1, horizon=0)), (others, None)):
        features = Features(columns, "y", window=window)
        features.adapt(rows)
        found = list(features.read(rows, rows=1))
        assert [block.size for block in found] == [1, 0, 1]
        for name, array in found[1].x.items():
            assert array.shape == (0, *features.output_shapes[name])
            assert array.dtype == features.output_dtypes[name]
