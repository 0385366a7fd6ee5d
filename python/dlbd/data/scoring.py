"""Predictions for the rows of data frames of Spark."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dlbd import config
from dlbd.backend import Array
from dlbd.data.arrow import pa, pc
from dlbd.data.errors import missing
from dlbd.data.features.block import spread
from dlbd.data.spark import kind_of
from dlbd.data.spark.columns import numbered
from dlbd.models.raw_rows import features_of
from dlbd.saving import get_custom_objects, load_model, save_model, serialize_keras_object
from dlbd.structure import flatten

try:
    from pyspark import SparkFiles, TaskContext
    from pyspark.errors import PySparkNotImplementedError
    from pyspark.sql import types
except ImportError as error:
    raise missing("spark", error) from error

# Rows of a forward pass.
_ROWS = 1024

_SPARK: dict[str, types.DataType] = {
    "bool": types.BooleanType(),
    "float32": types.FloatType(),
    "float64": types.DoubleType(),
    "int8": types.ByteType(),
    "int16": types.ShortType(),
    "int32": types.IntegerType(),
    "int64": types.LongType(),
}


def transformed(
    frame: Any, model: Any, columns: str | Sequence[str] | None, name: str, order_by: str | Sequence[str]
) -> Any:
    """:func:`dlbd.spark.transform`."""
    connect = kind_of(frame) == "connect"
    features = features_of(model)
    schema = frame.schema
    order_by = (order_by,) if isinstance(order_by, str) else order_by
    for one in order_by:
        _require(schema, one)
    read = _columns_read(schema, model, (columns,) if isinstance(columns, str) else columns, features)
    outputs = _outputs(model, features, name)
    _check_schema(schema, outputs, frame.sparkSession.conf.get("spark.sql.caseSensitive") == "true")
    content = _file_of(model)
    digest = hashlib.blake2b(content).hexdigest()
    shared = _sent(frame.sparkSession, content, digest) if connect else _broadcast(frame.sparkSession, content)
    named = {leaf for leaf in flatten(serialize_keras_object(model)) if isinstance(leaf, str)}
    own = {key: value for key, value in get_custom_objects().items() if key in named}
    names = schema.names

    def scored(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from dlbd.data.scoring import _loaded, _scored

        whole = (batch.rename_columns(names) for batch in batches)
        yield from _scored(whole, _loaded(digest, shared, own), read, name)

    ordered = _in_order(numbered(frame, len(names)), names, features, order_by)
    try:
        return ordered.mapInArrow(scored, types.StructType([*schema.fields, *outputs]))
    except PySparkNotImplementedError:
        for i, field in enumerate(schema):
            _require_arrow(ordered.select(f"c{i}"), field)
        raise


# On the driver


def _columns_read(schema: types.StructType, model: Any, columns: Sequence[str] | None, features: Any) -> Sequence[str]:
    if features is not None:
        if columns is not None:
            raise ValueError(f"[{model.name}] its features name the columns; columns= is for models without")
        columns = features.columns
    elif not columns:
        raise ValueError(f"[{model.name}] has no features that name its columns: pass columns=")
    for one in columns:
        _require(schema, one)
    if features is None:
        _check_input(schema, model, columns)
    return tuple(columns)


def _require(schema: types.StructType, name: str) -> None:
    if name not in schema.names:
        raise ValueError(f"the data frame has no column {name!r}; it has {schema.names}")


def _check_schema(schema: types.StructType, outputs: Sequence[types.StructField], case_sensitive: bool) -> None:
    names = schema.names
    twice = [one for one in names if names.count(one) > 1]
    if twice:
        raise ValueError(f"the data frame has several columns {twice[0]!r}: rename or drop all but one")
    same = (lambda text: text) if case_sensitive else str.lower
    for field in outputs:
        if same(field.name) in map(same, names):
            raise ValueError(f"the data frame has a column {field.name!r} already: pass another name=")


def _require_arrow(frame: Any, field: types.StructField) -> None:
    """ValueError if Spark has no Arrow for the only column of a frame."""
    try:
        frame.mapInArrow(lambda batches: batches, types.StructType([field]))
    except PySparkNotImplementedError:
        kind = field.dataType.simpleString()
        raise ValueError(
            f"column {field.name!r} is of Spark's type {kind}, which Spark gives to no Python: drop or cast it"
        ) from None


def _in_order(frame: Any, names: Sequence[str], features: Any, order_by: Sequence[str]) -> Any:
    """The frame, numbered; where the features make windows with each series in one partition, in order."""
    window = getattr(features, "window", None)
    if window is None:
        if order_by:
            raise ValueError("order_by= is for features that make windows over rows")
        return frame
    if not order_by:
        raise ValueError("the features make windows over successive rows: pass order_by=, the columns that order them")
    place = {one: f"c{i}" for i, one in enumerate(names)}
    series = [] if window.by is None else [place[window.by]]
    together = frame.repartition(*series) if series else frame.repartition(1)
    return together.sortWithinPartitions(*series, *(place[one] for one in order_by))


def _check_input(schema: types.StructType, model: Any, columns: Sequence[str]) -> None:
    shape = model.input_shape
    if isinstance(shape, (list, dict)):
        raise ValueError(f"[{model.name}] has several inputs, {model.input_names}: it needs features that fill them")
    kinds = [schema[one].dataType for one in columns]
    if len(columns) == 1 and not isinstance(kinds[0], types.NumericType | types.BooleanType):
        return
    for one, kind in zip(columns, kinds, strict=True):
        if not isinstance(kind, types.NumericType | types.BooleanType):
            raise ValueError(f"column {one!r} is of the type {kind.simpleString()}: several columns are all numeric")
    if None not in shape[1:] and len(columns) != np.prod(shape[1:], dtype=int):
        raise ValueError(f"[{model.name}] takes {shape[1:]} numbers per row; received columns={list(columns)}")


def _outputs(model: Any, features: Any, name: str) -> list[types.StructField]:
    """The columns that are added."""
    classes = None if features is None else features.classes
    if classes is not None:
        kind = types.StringType() if isinstance(classes[0], str) else _SPARK[str(np.asarray(classes).dtype)]
        (output,) = model.outputs
        scores = types.StructField(f"{name}_scores", _spark_type(output.shape, output.dtype))
        return [types.StructField(name, kind), scores]
    names = _output_names(model, name)
    given = zip(names, model.outputs, strict=True)
    return [types.StructField(one, _spark_type(output.shape, output.dtype)) for one, output in given]


def _spark_type(shape: Sequence[int | None], dtype: str) -> types.DataType:
    kind = _SPARK[str(dtype)]
    for _ in shape[1:] if tuple(shape[1:]) != (1,) else ():
        kind = types.ArrayType(kind, containsNull=False)
    return kind


def _file_of(model: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.dlbd")
        save_model(model, path)
        with open(path, "rb") as file:
            return file.read()


def _broadcast(session: Any, content: bytes) -> Callable[[], bytes]:
    shared = session.sparkContext.broadcast(content)
    return lambda: shared.value


def _sent(session: Any, content: bytes, digest: str) -> Callable[[], bytes]:
    """By Spark Connect, which knows no broadcast: a file of the session."""
    file = f"{digest}.dlbd"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, file)
        with open(path, "wb") as out:
            out.write(content)
        session.addArtifacts(path, file=True)

    def content_of_file() -> bytes:
        with open(SparkFiles.get(file), "rb") as found:
            return found.read()

    return content_of_file


# On the workers

_models: dict[str, Any] = {}  # the last that this process has loaded, by the digests of their files
_MODELS = 4


def _loaded(digest: str, content: Callable[[], bytes], own: dict[str, Any]) -> Any:
    if digest not in _models:
        while len(_models) >= _MODELS:
            del _models[next(iter(_models))]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.dlbd")
            with open(path, "wb") as file:
                file.write(content())
            _models[digest] = load_model(path, own, compile=False)
    return _models[digest]


def _scored(
    batches: Iterator[pa.RecordBatch], model: Any, columns: Sequence[str], name: str
) -> Iterator[pa.RecordBatch]:
    context = TaskContext.get()
    if context is not None:
        config.set_num_threads(context.cpus())
    features = features_of(model)
    classes = None if features is None else features.classes
    for batch, x, kept in _inputs(batches, model, features, columns):
        added = {key: spread(values, kept) for key, values in _predicted(model, x, classes, name).items()}
        names = [*batch.schema.names, *added]
        yield pa.RecordBatch.from_arrays([*batch.columns, *added.values()], names)


def _inputs(
    batches: Iterator[pa.RecordBatch], model: Any, features: Any, columns: Sequence[str]
) -> Iterator[tuple[pa.RecordBatch, Any, Array | None]]:
    """Each batch, what the model takes of it, and which rows that is."""
    if features is None:
        for batch in batches:
            kept = _whole_rows(batch, columns)
            yield batch, _input(batch if kept is None else batch.filter(pa.array(kept)), columns, model), kept
        return
    for batch, block in features.paired(batches):
        yield batch, features.arrange(block.x, model), block.kept


def _whole_rows(batch: pa.RecordBatch, columns: Sequence[str]) -> Array | None:
    """Which rows have no NULL in these columns; None for all."""
    kept = np.ones(batch.num_rows, bool)
    for values in map(batch.column, columns):
        kept &= np.asarray(values.is_valid())
    return None if kept.all() else kept


def _input(batch: pa.RecordBatch, columns: Sequence[str], model: Any) -> Array:
    rows, arrays = batch.num_rows, [batch.column(name) for name in columns]
    if pa.types.is_string(arrays[0].type) or pa.types.is_large_string(arrays[0].type):
        return arrays[0].to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if pa.types.is_struct(arrays[0].type):  # a vector of pyspark.ml, dense as all rows of a model are
        arrays = [_dense(arrays[0])]
    numbers = [_numbers(array, name) for name, array in zip(columns, arrays, strict=True)]
    x = numbers[0] if len(numbers) == 1 else np.stack(numbers, axis=1)
    shape = model.input_shape[1:]
    return x if None in shape else x.reshape(rows, *shape)


def _dense(vectors: pa.StructArray) -> pa.ListArray:
    kinds = np.asarray(vectors.field("type"))
    if not kinds.all():  # 0 for a sparse one
        raise ValueError("a column has sparse vectors: pyspark.ml.functions.vector_to_array makes arrays of them")
    return vectors.field("values")


def _numbers(array: pa.Array, name: str) -> Array:
    """The values, (rows, ...) of lists; decimals as floats."""
    shape = [len(array)]
    while pa.types.is_list(array.type):
        lengths = np.unique(np.asarray(pc.list_value_length(array)))
        if len(lengths) > 1:
            raise ValueError(f"column {name!r} has arrays of {lengths[0]} and of {lengths[1]} numbers")
        shape.append(int(lengths[0]) if len(lengths) else 0)
        array = array.flatten()
    if array.null_count:
        raise ValueError(f"column {name!r} has an array with NULL in it")
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    return array.to_numpy(zero_copy_only=False).reshape(shape)  # type: ignore[no-any-return]


# What a model predicts, as columns


def _output_names(model: Any, name: str) -> list[str]:
    names = model.output_names
    return [name] if len(names) == 1 else [f"{name}_{one}" for one in names]


def _predicted(model: Any, x: Any, classes: list[Any] | None, name: str) -> dict[str, pa.Array]:
    found = flatten(model.predict(x, batch_size=_ROWS, verbose=0))
    if classes is None:
        return {key: _arrow(y) for key, y in zip(_output_names(model, name), found, strict=True)}
    scores = found[0]
    chosen = scores.argmax(axis=1) if scores.shape[-1] > 1 else scores.reshape(-1) > 0.5
    return {name: pa.array(classes).take(pa.array(chosen.astype(np.int64))), f"{name}_scores": _arrow(scores)}


def _arrow(y: Array) -> pa.Array:
    """A value for each row; a list where a row has several, of lists where it has them in rows."""
    values = pa.array(np.ascontiguousarray(y).reshape(-1))
    shape = y.shape if y.shape[1:] != (1,) else y.shape[:1]
    for axis in range(len(shape) - 1, 0, -1):
        count, length = int(np.prod(shape[:axis])), shape[axis]
        values = pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32) * length), values)
    return values
