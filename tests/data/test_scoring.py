"""Models on data frames of Spark: dlbd.spark.transform, on a cluster of a master and two workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from dlbd.data import SourceError
from tests.data import rows

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

ROWS = 3_000
X = np.random.default_rng(0).standard_normal((ROWS, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    """X as four columns, and as one of arrays; in eight partitions."""
    columns = {name: X[:, i] for i, name in enumerate(("a", "b", "c.d"))}
    table = {"id": np.arange(ROWS), **columns, "d": X[:, 3].astype(np.float64), "all": pa.array(list(X))}
    return spark.createDataFrame(pa.table(table)).repartition(8)


COLUMNS = ["a", "b", "c.d", "d"]


def dense(*outputs: int) -> Any:
    x = dlbd.Input((4,))
    hidden = layers.Dense(8, activation="relu")(x)
    made = [layers.Dense(n, name=f"top{n}")(hidden) for n in outputs]
    return dlbd.Model(x, made if len(made) > 1 else made[0])


def scored(frame: Any, model: Any, **options: Any) -> pa.Table:
    return dlbd.data.open(dlbd.spark.transform(frame, model, **options), order_by="id").to_arrow()


def test_predictions_are_the_models(frame: Any):
    model = dense(1)
    found = scored(frame, model, columns=COLUMNS)
    np.testing.assert_array_equal(found["prediction"], model.predict(X)[:, 0])
    assert found.schema.field("prediction").type == pa.float32()
    assert found.column_names == ["id", *COLUMNS, "all", "prediction"]


def test_arrays_in_arrays_out(frame: Any):
    x = dlbd.Input((2, 2, 1))
    model = dlbd.Model(x, layers.Conv2D(3, 1)(x))
    found = scored(frame, model, columns="all", name="map")
    np.testing.assert_array_equal(found["map"].to_pylist(), model.predict(X.reshape(-1, 2, 2, 1)))


def test_several_outputs(frame: Any):
    model = dense(1, 3)
    found = scored(frame, model, columns="all")
    one, three = model.predict(X)
    np.testing.assert_array_equal(found["prediction_top1"], one[:, 0])
    np.testing.assert_array_equal(found["prediction_top3"].to_pylist(), three)


def test_text_and_vectors(spark: Any):
    from pyspark.ml.linalg import Vectors

    words = layers.TextVectorization(output_sequence_length=3)
    words.adapt(["a good film", "a bad film"])
    reads = dlbd.Sequential([dlbd.Input((), dtype="string"), words, layers.Embedding(8, 4), layers.Flatten()])
    reads.add(layers.Dense(1))
    texts = ["a good film", "bad", None]
    found = scored(spark.createDataFrame(list(enumerate(texts)), "id int, text string"), reads, columns="text")
    wanted = reads.predict(np.array(texts[:2]))[:, 0]
    assert found["prediction"].to_pylist() == [*wanted.tolist(), None]

    vectors = spark.createDataFrame([(i, Vectors.dense(x.tolist())) for i, x in enumerate(X[:5])], ["id", "v"])
    made = dlbd.spark.transform(vectors, model := dense(1), columns="v")
    assert made.schema["v"].dataType.simpleString() == "vector"
    assert made.first()["v"].toArray().shape == (4,)
    found = dlbd.data.open(made, order_by="id").to_arrow()
    np.testing.assert_array_equal(found["prediction"], model.predict(X[:5])[:, 0])


EVERY_TYPE = """
    select id, float(id) as x, true as bool, 1Y as byte, 2S as short, 3 as int, 4L as long, 1.5f as float,
    2.5D as double, 'text' as text, x'00ff' as binary, date'2020-02-29' as date, 1.25BD as small,
    timestamp'2020-01-01 12:00:00.123456' as at, timestamp_ntz'2020-01-01 12:00:00.123456' as naive,
    cast('-12345678901234567890.123456789' as decimal(38, 9)) as large, array(1, null) as list,
    array(array('a'), null) as lists, map('k', 1.5BD, 'l', null) as map, null as nothing,
    named_struct('a', 1, 'b', array(date'2020-01-01'), 'c d', named_struct('e.f', 'g')) as struct,
    interval '1 02:03:04.000005' day to second as span
    from range(6)
"""


def test_column_types_are_kept(spark: Any):
    made = spark.createDataFrame(rows.TABLE).repartition(8)
    linear = dlbd.Sequential([dlbd.Input((2,)), layers.Dense(1)])
    found = dlbd.spark.transform(made, linear, columns=["id", "label"])
    assert found.schema[: len(made.columns)] == made.schema
    source = dlbd.data.open(found.drop("prediction"), schema=rows.SCHEMA, order_by="id")
    assert source.to_arrow().equals(rows.TABLE)

    nulls = ", ".join(f"if(id % 2 = 0, null, `{name}`) as `{name}`" for name in spark.sql(EVERY_TYPE).columns[2:])
    every = spark.sql(f"select id, x, {nulls} from ({EVERY_TYPE})").repartition(4)
    found = dlbd.spark.transform(every, dlbd.Sequential([dlbd.Input((1,)), layers.Dense(1)]), columns="x")
    assert found.schema[: len(every.columns)] == every.schema
    assert found.drop("prediction").orderBy("id").collect() == every.orderBy("id").collect()
    months = spark.sql("select 1.0 as x, 2.0 as y, interval '1-2' year to month as v")
    with pytest.raises(
        ValueError, match="column 'v' is of Spark's type interval year to month, which Spark gives to no"
    ):
        dlbd.spark.transform(months, linear, columns=["x", "y"])


def test_any_names(spark: Any):
    names = ["a.b", "a b", "`tick`", "c0", "select", "", "é"]
    table = pa.table({"id": np.arange(20), **{name: X[:20, i % 4] for i, name in enumerate(names)}})
    model = dlbd.Sequential([dlbd.Input((len(names),)), layers.Dense(1)])
    found = scored(spark.createDataFrame(table).repartition(3), model, columns=names, name="p. `")
    wanted = model.predict(np.stack([table[name] for name in names], axis=1))[:, 0]
    np.testing.assert_array_equal(found["p. `"], wanted)
    assert found.column_names == ["id", *names, "p. `"]
    one = dlbd.Sequential([dlbd.Input((1,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="has a column 'prediction' already: pass another name="):
        dlbd.spark.transform(spark.sql("select 1.0 as Prediction"), one, columns="Prediction")
    with pytest.raises(ValueError, match="several columns 'x': rename or drop all but one"):
        dlbd.spark.transform(spark.sql("select 1.0 as x, 2.0 as x"), one, columns="x")


def test_a_null_gives_null(spark: Any):
    table = pa.table({"id": [0, 1, 2], "x": [1.0, None, float("nan")], "n": pa.array([1, 2, 3], pa.decimal128(4, 1))})
    model = dlbd.Sequential([dlbd.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    found = scored(spark.createDataFrame(table), model, columns=["x", "n"])["prediction"].to_pylist()
    assert found[:2] == [2.0, None]
    assert np.isnan(found[2])
    arrays = spark.createDataFrame(pa.table({"id": [0, 1], "x": [[1.0, 2.0], None]}))
    assert scored(arrays, model, columns="x")["prediction"].to_pylist() == [3.0, None]


def test_no_rows_and_empty_partitions(frame: Any):
    model = dense(2)
    assert scored(frame.where("id < 0"), model, columns="all").num_rows == 0
    partitions = frame.sparkSession.sparkContext.emptyRDD().toDF(frame.schema)
    assert partitions.rdd.getNumPartitions() == 0
    assert scored(partitions, model, columns="all").column_names == [*frame.columns, "prediction"]
    found = scored(frame.where("id = 7").repartition(4), model, columns="all")
    np.testing.assert_array_equal(found["prediction"].to_pylist(), model.predict(X[7:8]))


def test_features_read_raw_columns(spark: Any):
    from dlbd.data import Category, DropMissing, Features, Number

    table = {"id": range(6), "age": [20, None, 40, 30, 25, 60], "city": ["Oslo", "Bonn", None, "Bonn", "Oslo", "Oslo"]}
    train = dlbd.data.open({**table, "buys": ["no", "yes", "yes", "no", "no", "yes"]}, schema={"id": "int64"})
    inputs = [Number("age", missing="mean", scale="standard"), Category("city")]
    features = Features(inputs, target="buys", rows=[DropMissing(["city"])])
    features.adapt(train)
    x, _ = features.to_numpy(train, targets=False)
    model = dlbd.Sequential([dlbd.Input(features.input_shape), layers.Dense(2, activation="softmax")])
    model.features = features
    found = scored(spark.createDataFrame(train.to_arrow()).drop("buys").repartition(3), model)
    scores = model.predict(x)
    kept = [0, 1, 3, 4, 5]
    assert found["prediction"].to_pylist()[2] is found["prediction_scores"].to_pylist()[2] is None
    assert found["prediction"].take(kept).to_pylist() == [["no", "yes"][i] for i in scores.argmax(axis=1)]
    np.testing.assert_array_equal(found["prediction_scores"].take(kept).to_pylist(), scores)
    with pytest.raises(ValueError, match="its features name the columns"):
        dlbd.spark.transform(spark.range(3), model, columns="id")
    with pytest.raises(ValueError, match="no column 'age'"):
        dlbd.spark.transform(spark.range(3), model)


@pytest.mark.parametrize("by", ["series", None])
def test_windows_go_over_series_whatever_the_partitions(spark: Any, by: str | None):
    from dlbd.data import Features, Number, Window

    series = ["b", None, "a"] if by else ["a"]
    names = [series[i % len(series)] for i in range(300)]
    table = pa.table({"id": np.arange(300), "t": np.arange(300) // len(series), "series": names, "x": X[:300, 0]})
    features = Features([Number("x")], target="x", window=Window(length=4, by=by, smoothing=0.5))
    ordered = dlbd.data.open(table, order_by="t")
    features.adapt(ordered)
    model = dlbd.Sequential([dlbd.Input((4, 1)), layers.Flatten(), layers.Dense(1)])
    model.features = features
    made = spark.createDataFrame(table).repartition(8)
    found = dlbd.data.open(dlbd.spark.transform(made, model, order_by="t"), order_by="id").to_arrow()["prediction"]
    wanted = model.predict(table)[:, 0]
    assert found.null_count == 3 * len(series) == np.isnan(wanted).sum()
    np.testing.assert_array_equal(found.to_numpy(), wanted)
    with pytest.raises(ValueError, match="make windows over successive rows: pass order_by="):
        dlbd.spark.transform(made, model)
    with pytest.raises(ValueError, match="no column 'when'"):
        dlbd.spark.transform(made, model, order_by="when")


def test_the_model_is_loaded_once_in_a_process_of_one_thread(spark: Any, frame: Any):
    @dlbd.saving.register_keras_serializable("test_scoring")
    class Place(layers.Layer):
        """Tells which process loaded it, and how often that has happened, and its threads."""

        def __init__(self, **kwargs: Any) -> None:
            import os

            super().__init__(**kwargs)
            os.environ["LOADED"] = str(int(os.environ.get("LOADED", "0")) + 1)

        def call(self, x: Any) -> Any:
            import os

            about = [os.getpid(), int(os.environ["LOADED"]), dlbd.config.num_threads()]
            return x[:, :3] * 0 + dlbd.ops.convert_to_tensor(np.array([about], np.float32))

    x = dlbd.Input((4,))
    model = dlbd.Model(x, Place()(x))
    found = [scored(frame, model, columns="all")["prediction"].to_pylist() for _ in range(2)]
    process, loaded, threads = np.concatenate(found).T
    assert len(set(zip(process, loaded, strict=True))) == len(set(process)) < 16
    assert set(threads) == {1}


def test_a_model_that_raises_is_an_error(frame: Any):
    model = dlbd.Sequential([dlbd.Input((1,), dtype="int64"), layers.Embedding(4, 2)])
    made = dlbd.spark.transform(frame, model, columns="id")  # nothing has happened yet
    with pytest.raises(
        SourceError, match=r"^Spark DataFrame: Python on an executor: ValueError: .*embedding"
    ) as caught:
        dlbd.data.open(made).to_arrow()
    assert "\n" not in str(caught.value)
    assert dlbd.data.open(dlbd.spark.transform(frame.where("id < 4"), model, columns="id")).to_arrow().num_rows == 4


def test_what_does_not_fit_is_told_at_once(spark: Any, frame: Any):
    model = dense(1)
    for columns, said in [
        (None, "pass columns="),
        (["a", "x"], "no column 'x'"),
        (["a", "b"], r"takes \(4,\) numbers per row; received columns=\['a', 'b'\]"),
        (["a", "all"], "column 'all' is of the type array<float>: several columns are all numeric"),
    ]:
        with pytest.raises(ValueError, match=said):
            dlbd.spark.transform(frame, model, columns=columns)
    with pytest.raises(ValueError, match="order_by= is for features that make windows"):
        dlbd.spark.transform(frame, model, columns="all", order_by="a")
    with pytest.raises(ValueError, match="has a column 'a' already"):
        dlbd.spark.transform(frame, model, columns="all", name="a")
    two = dlbd.Model([y := dlbd.Input((1,), name="y"), z := dlbd.Input((1,), name="z")], layers.Add()([y, z]))
    with pytest.raises(ValueError, match=r"has several inputs, \['y', 'z'\]"):
        dlbd.spark.transform(frame, two, columns="all")
    uneven = spark.createDataFrame(
        [(0, [1.0, 2.0]), (1, [1.0]), (2, [1.0, 2.0, 3.0])], "id int, x array<float>"
    ).coalesce(1)
    with pytest.raises(SourceError, match="column 'x' has arrays of 1 and of 2 numbers"):
        scored(uneven, dlbd.Sequential([dlbd.Input((2,)), layers.Dense(1)]), columns="x")
