"""Data frames of Spark, read partition by partition."""

from __future__ import annotations

import datetime
import decimal
import operator
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError, missing
from dlbd.data.expressions import Both, Comparison, Either, Expression, IsIn, IsNull, Not, conjuncts
from dlbd.data.inbox import Inbox
from dlbd.data.reader import options_of

try:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import functions as F
    from pyspark.sql import types
    from pyspark.sql.classic.dataframe import DataFrame
except ImportError as error:
    raise missing("spark", error) from error


def reader(frame: Any, **options: Any) -> SparkReader:
    """A reader of a data frame."""
    if not isinstance(frame, DataFrame):
        kind = f"{type(frame).__module__}.{type(frame).__qualname__}"
        raise TypeError(f"of Spark, data frames of pyspark.sql are read, not of Spark Connect; received a {kind}")
    options.pop("schema", None)
    return SparkReader(frame, **options_of(options, ("name",), "a data frame of Spark"))


class SparkReader:
    """Rows of a data frame. Its partitions are computed in order, two at a time, and sent here by the executors: there
    are some batches in memory, there and here, and two partitions on disk here. Spark's driver sees their keys alone.
    """

    ordered, remote, sorts = False, True, True

    def __init__(self, frame: Any, name: str = "Spark DataFrame") -> None:
        self.name = name
        twice = sorted({n for n in frame.columns if frame.columns.count(n) > 1})
        if twice:
            raise ValueError(f"{name} has several columns {twice[0]!r}: rename or drop those of one side of the join")
        self._frame = frame
        self._types = {field.name: field.dataType for field in frame.schema}
        self.schema: pa.Schema = pa.schema([(n, _arrow_type(n, kind)) for n, kind in self._types.items()])
        self._group = ""  # of the jobs of a scan
        self._inbox: Inbox | None = None

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        with self._jobs(), closing(self._listening()) as inbox:
            self._inbox = inbox
            frame = self._filtered(where)
            if order_by:
                frame = frame.orderBy(*(key for name in order_by for key in self._keys(name)))
            readable = (self._readable(name).alias(f"c{i}") for i, name in enumerate(columns))  # PySpark parses names
            send = _sender((self._setting("spark.driver.host"), inbox.port), inbox.token, rows)
            sent = frame.select(*readable).mapInArrow(send, "key binary")
            for row in sent.toLocalIterator(prefetchPartitions=True):
                with closing(inbox.take(bytes(row[0]))) as parcel:
                    for batch in pa.ipc.open_stream(parcel):
                        yield batch.rename_columns(list(columns))

    def count(self, where: Expression | None) -> int | None:
        if any(self._condition(c) is None for c in conjuncts(where)):
            return None
        with self._jobs():
            return int(self._filtered(where).count())

    def abort(self) -> None:
        with suppress(Py4JError, OSError, AttributeError):  # no JVM, or a context that was stopped, has no jobs
            self._context.cancelJobGroup(self._group)

    def progress(self) -> Any:
        """How many tasks have ended and bytes come: where executors are lost, or hang, none does."""
        with suppress(Py4JError, OSError, AttributeError):
            tracker = self._context.statusTracker()
            jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(self._group)]
            stages = {stage for job in jobs if job is not None for stage in job.stageIds}
            found = [tracker.getStageInfo(stage) for stage in stages]
            ended = sum(stage.numCompletedTasks for stage in found if stage is not None)
            return ended, self._inbox.received if self._inbox is not None else 0

    @property
    def _context(self) -> Any:
        return self._frame.sparkSession.sparkContext

    def _setting(self, key: str) -> Any:
        return self._context.getConf().get(key)

    def _listening(self) -> Inbox:
        return Inbox(self._setting("spark.driver.bindAddress") or self._setting("spark.driver.host"))

    @contextmanager
    def _jobs(self) -> Iterator[None]:
        """What this thread has Spark do is one group, which abort() cancels; Spark's errors are the source's."""
        if self._context._jsc is None:
            raise SourceError(f"{self.name}: its session was stopped")
        self._group = f"dlbd-{uuid.uuid4()}"
        try:
            self._context.setJobGroup(self._group, self.name, interruptOnCancel=True)
            yield
        except (PySparkException, Py4JError, OSError, EOFError) as error:
            raise SourceError(f"{self.name}: {_said(error)}") from None

    def _readable(self, name: str) -> Any:
        """The column, as Arrow has a type for it."""
        found = column(name)
        if _is_vector(self._types[name]):
            from pyspark.ml.functions import vector_to_array

            return vector_to_array(found)
        return found

    def _keys(self, name: str) -> list[Any]:
        """What puts rows in the order of a column: NULL, then NaN, which Spark has above all numbers."""
        found, kind = column(name), self._types[name]
        if isinstance(kind, types.FloatType | types.DoubleType):
            return [found.isNotNull(), ~F.isnan(found), found]
        return [(F.collate(found, "UTF8_BINARY") if _is_collated(kind) else found).asc_nulls_first()]

    # Conditions

    def _filtered(self, where: Expression | None) -> Any:
        frame = self._frame
        for part in conjuncts(where):
            condition = self._condition(part)
            frame = frame if condition is None else frame.where(condition)
        return frame

    def _condition(self, where: Expression) -> Any:
        """The same for Spark, true for the same rows and unknown for the same; None if there is none."""
        match where:
            case Both(left, right) | Either(left, right):
                one, other = self._condition(left), self._condition(right)
                if one is None or other is None:
                    return None
                return one & other if isinstance(where, Both) else one | other
            case Not(of):
                inner = self._condition(of)
                return None if inner is None else ~inner
            case IsNull(name):
                return column(name).isNull()
            case IsIn(name, values):
                literals = [self._literal(name, value) for value in values]
                known = bool(literals) and all(literal is not None for literal in literals)
                return column(name).isin(literals) if known else None
            case Comparison(name, operator, value):
                literal = self._literal(name, value)
                if literal is None:
                    return None
                compared = _OPERATORS[operator](column(name), literal)
                if operator in (">", ">=") and isinstance(self._types[name], types.FloatType | types.DoubleType):
                    return compared & ~F.isnan(column(name))  # to Spark NaN is the largest number
                return compared
        return None

    def _literal(self, name: str, value: Any) -> Any:
        """A value that Spark compares with the column as Arrow does; None if it might not."""
        kind = self._types[name]
        if _is_collated(kind):
            return None
        if isinstance(value, datetime.datetime):
            named = {types.TimestampNTZType: "timestamp_ntz", types.TimestampType: "timestamp"}.get(type(kind))
            aware = value.tzinfo is not None
            return F.lit(value.isoformat(" ")).cast(named) if named and aware == (named == "timestamp") else None
        fits = {
            bool: types.BooleanType,
            int: types.NumericType,
            float: types.FractionalType,
            decimal.Decimal: types.DecimalType,
            str: types.StringType,
            datetime.date: types.DateType,
        }.get(type(value))
        if fits is None or not isinstance(kind, fits) or value != value:
            return None
        return F.lit(value)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def column(name: str) -> Any:
    """Spark's column of this name, dots and all."""
    return F.col("`" + name.replace("`", "``") + "`")


def _sender(address: tuple[str, int], token: bytes, rows: int) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """What executors do: send a partition to an inbox as a stream of Arrow's, and give the parcel's key; nothing for a
    partition without rows.
    """

    def send(batches: Iterator[Any]) -> Iterator[Any]:  # a function in a function: executors need no dlbd for it
        import socket
        import uuid

        import pyarrow

        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            return
        key = uuid.uuid4().bytes
        with socket.create_connection(address, 60) as connection:
            with connection.makefile("wb") as out:
                out.write(token + key)
                options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
                with pyarrow.ipc.new_stream(out, first.schema, options=options) as stream:
                    stream.write_table(pyarrow.Table.from_batches([first]), rows)
                    for batch in batches:
                        stream.write_table(pyarrow.Table.from_batches([batch]), rows)
                out.write(key)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                said = answer.read().decode()
        if said != "ok":
            raise OSError(said or "the connection to the reader was closed")
        yield pyarrow.record_batch([pyarrow.array([key], pyarrow.binary())], ["key"])

    return send


_ARROW: dict[type, pa.DataType] = {
    types.BooleanType: pa.bool_(),
    types.ByteType: pa.int8(),
    types.ShortType: pa.int16(),
    types.IntegerType: pa.int32(),
    types.LongType: pa.int64(),
    types.FloatType: pa.float32(),
    types.DoubleType: pa.float64(),
    types.StringType: pa.string(),
    types.CharType: pa.string(),
    types.VarcharType: pa.string(),
    types.BinaryType: pa.binary(),
    types.DateType: pa.date32(),
    types.TimestampType: pa.timestamp("us", "UTC"),
    types.TimestampNTZType: pa.timestamp("us"),
    types.NullType: pa.null(),
}


def _is_collated(kind: types.DataType) -> bool:
    """Whether texts compare by other rules than by their bytes."""
    return isinstance(kind, types.StringType) and getattr(kind, "collation", "UTF8_BINARY") != "UTF8_BINARY"


def _is_vector(kind: types.DataType) -> bool:
    """Whether a column holds vectors of pyspark.ml."""
    return isinstance(kind, types.UserDefinedType) and kind.simpleString() == "vector"


def _arrow_type(name: str, kind: types.DataType) -> pa.DataType:
    if type(kind) in _ARROW:
        return _ARROW[type(kind)]
    if _is_vector(kind):
        return pa.list_(pa.float64())
    match kind:
        case types.DecimalType():
            return pa.decimal128(kind.precision, kind.scale)
        case types.ArrayType():
            return pa.list_(_arrow_type(name, kind.elementType))
        case types.MapType():
            return pa.map_(_arrow_type(name, kind.keyType), _arrow_type(name, kind.valueType))
        case types.StructType():
            return pa.struct([(field.name, _arrow_type(name, field.dataType)) for field in kind])
    raise ValueError(f"column {name!r} is of Spark's type {kind.simpleString()}, which is not read: drop or cast it")


def _said(error: BaseException) -> str:
    """The line that says what happened: of the deepest cause, and of a Python error on an executor its last."""
    cause, text = getattr(error, "java_exception", None), str(error)
    while cause is not None:
        cause, text = cause.getCause(), cause.getMessage() or cause.toString()
    lines = text.strip().splitlines() or [type(error).__name__]
    frames = [i for i, line in enumerate(lines) if line.startswith("  ")]
    of_python = "Traceback (most recent call last)" in text and frames and frames[-1] + 1 < len(lines)
    return f"Python on an executor: {lines[frames[-1] + 1]}" if of_python else lines[0]
