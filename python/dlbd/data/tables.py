"""Writing a table of a database: all of it, or nothing."""

from __future__ import annotations

import datetime
import decimal
import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from itertools import chain
from typing import Any

from dlbd.data.arrow import cast, pa, usual
from dlbd.data.errors import SourceError
from dlbd.data.sorting import writing_temporary
from dlbd.data.statements import SQLITE, Dialect

_IF_EXISTS = ("error", "replace", "append")

# Rows of one INSERT.
ROWS = 1000


def write_table(
    address: str,
    table: str,
    batches: Any,
    *,
    if_exists: str = "error",
    timeout: float = 30.0,
    connect_args: dict[str, Any] | None = None,
) -> int:
    """Write rows into a table of a database, in one transaction: when it fails, nothing has changed.

    Args:
        address: ``sqlite:///file``, ``duckdb:///file`` (both made if they do not exist), ``mysql://...``,
            ``mariadb://...``, ``postgresql://...``, as for :func:`dlbd.data.open`.
        table: its name.
        batches: a source, a table or a reader of pyarrow, or record batches.
        if_exists: what to do with a table of that name: ``"error"`` (the default), ``"replace"``, or ``"append"``
            (columns are found by name).
        timeout: seconds without a sign of life from a server after which writing is an error; 30 by default.
        connect_args: for the database's client.

    Returns:
        How many rows were written.

    Raises:
        ValueError: the table exists, ``if_exists`` is none of the three, a type has no counterpart in the database, or
            there is not even one batch to say the columns.
        SourceError: the database does not take the rows.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> dlbd.data.write_table(f"sqlite:///{folder}/a.db", "people", dlbd.data.open({"age": [30, 20]}))
        2
        >>> dlbd.data.open(f"sqlite:///{folder}/a.db", table="people", order_by="age").to_numpy()["age"]
        array([20, 30])
    """
    if not timeout > 0:
        raise ValueError(f"timeout is a number of seconds above 0; received {timeout!r}")
    if if_exists not in _IF_EXISTS:
        raise ValueError(f"if_exists is one of {', '.join(_IF_EXISTS)}; received {if_exists!r}")
    scheme = address.partition(":")[0].partition("+")[0]
    if scheme not in ("sqlite", "duckdb", "mysql", "mariadb", "postgresql", "postgres"):
        raise ValueError(f"tables are written to sqlite, duckdb, mysql, mariadb and postgresql; not to {scheme!r}")
    schema, stream = _stream(batches)
    arguments = (address, table, schema, stream, if_exists, connect_args or {})
    if scheme == "sqlite":
        return _write_sqlite(*arguments)
    if scheme == "duckdb":
        return int(import_module("dlbd.data.duckdb").write(*arguments))
    return int(import_module("dlbd.data.sql").write(*arguments, timeout))


def _stream(batches: Any) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    if hasattr(batches, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(batches)
        found, stream = reader.schema, iter(reader)
    else:
        stream = iter(batches)
        first = next(stream, None)
        if first is None:
            raise ValueError("there is no batch, so that the table would have no columns")
        found, stream = first.schema, chain([first], stream)
    schema = pa.schema([pa.field(field.name, usual(field.type)) for field in found])
    return schema, (_as_first(batch, schema) for batch in stream)


def _as_first(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if sorted(batch.schema.names) != sorted(schema.names):
        raise ValueError(f"a batch has the columns {batch.schema.names}, and the first one {schema.names}")
    return cast(batch, schema, "a batch")


@contextmanager
def spooled(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Generator[Iterator[pa.RecordBatch], None, None]:
    """The same batches from a temporary file, once all are there: if they are read from the database that they are
    written to, that is over, and its locks are gone.
    """
    why = "rows come to a table"
    with tempfile.TemporaryFile(buffering=0) as file:
        with writing_temporary(why):
            writer = pa.ipc.new_stream(file, schema)
        for batch in batches:
            with writing_temporary(why):
                writer.write_batch(batch)
        with writing_temporary(why):
            writer.close()
        file.seek(0)
        with pa.ipc.open_stream(file) as reader:
            yield iter(reader)


def create(dialect: Dialect, name: str, schema: pa.Schema, type_name: Callable[[pa.DataType], str | None]) -> str:
    """CREATE TABLE for a quoted name.

    Raises:
        ValueError: a column's type has no counterpart.
    """
    columns = []
    for field in schema:
        kind = type_name(field.type)
        if kind is None:
            raise ValueError(f"column {field.name!r}: {field.type} has no counterpart in {dialect.name}")
        columns.append(f"{dialect.name_of(field.name)} {kind}")
    return f"CREATE TABLE {name} ({', '.join(columns)})"


def insert(dialect: Dialect, name: str, names: Sequence[str], placeholder: str) -> str:
    """INSERT of one row, its values by position."""
    columns = ", ".join(map(dialect.name_of, names))
    columns = columns.replace("%", "%%") if placeholder == "%s" else columns
    return f"INSERT INTO {name} ({columns}) VALUES ({', '.join([placeholder] * len(names))})"


def rows_of(batches: Iterable[pa.RecordBatch]) -> Generator[list[tuple[Any, ...]], None, None]:
    """The rows as tuples of Python values, some at a time."""
    for batch in batches:
        for begin in range(0, batch.num_rows, ROWS):
            columns = [_in_utc(column).to_pylist() for column in batch.slice(begin, ROWS).columns]
            yield list(zip(*columns, strict=True))


def _in_utc(column: pa.Array) -> pa.Array:
    kind = column.type
    return column.cast(pa.timestamp(kind.unit, "UTC")) if pa.types.is_timestamp(kind) and kind.tz else column


def written_type(
    kind: pa.DataType, names: dict[str, str], decimal_digits: int, timestamp: str, with_zone: str
) -> str | None:
    """What the database calls a type of Arrow: by ``names``, or with its numbers."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_decimal(kind) and kind.precision <= decimal_digits:
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind) and kind.unit != "ns":
        return timestamp if kind.tz is None else with_zone
    return names.get(str(kind))


@contextmanager
def new_file(path: str) -> Generator[None, None, None]:
    """Remove a database's file, and what lies beside it, if it was not there before and the work fails."""
    existed = os.path.exists(path)
    try:
        yield
    except BaseException:
        if not existed:
            for suffix in ("", "-journal", "-wal", "-shm", ".wal"):
                if os.path.exists(path + suffix):
                    os.remove(path + suffix)
        raise


_SQLITE_TYPES = {
    "bool": "BOOLEAN",
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"), "INTEGER"),
    "float": "REAL",
    "double": "REAL",
    "string": "TEXT",
    "large_string": "TEXT",
    "binary": "BLOB",
    "large_binary": "BLOB",
    "date32[day]": "DATE",
}


def _sqlite_type(kind: pa.DataType) -> str | None:
    return written_type(kind, _SQLITE_TYPES, 15, "TIMESTAMP", "TIMESTAMP")


def _write_sqlite(
    address: str, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], if_exists: str, connect_args: Any
) -> int:
    from dlbd.data.sqlite import file_of, recover

    file, name = file_of(address), SQLITE.name_of(table)
    creation = create(SQLITE, name, schema, _sqlite_type)
    count = 0

    def found() -> bool:
        known = connection.execute("SELECT type FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        if known and if_exists == "error":
            raise exists(address, table)
        return bool(known)

    try:
        with new_file(file), closing(sqlite3.connect(file, isolation_level=None, **connect_args)) as connection:
            found()
            with spooled(schema, batches) as stored:
                connection.execute("BEGIN IMMEDIATE")
                known = found()
                if known and if_exists == "replace":
                    connection.execute(f"DROP TABLE {name}")
                if not known or if_exists == "replace":
                    connection.execute(creation)
                statement = insert(SQLITE, name, schema.names, "?")
                for rows in rows_of(stored):
                    connection.executemany(statement, [tuple(map(_for_sqlite, row)) for row in rows])
                    count += len(rows)
                connection.execute("COMMIT")  # closing without it takes all back
    except sqlite3.Error as error:
        recover(file)
        raise SourceError(f"{address}, table {table}: {error}") from None
    return count


def _for_sqlite(value: Any) -> Any:
    """Texts for what SQLite has no type for."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return str(value) if isinstance(value, (decimal.Decimal, datetime.date)) else value


def exists(name: str, table: str) -> ValueError:
    """The error where a table should not exist."""
    return ValueError(f'{name} has a table {table!r} already: pass if_exists="replace" or "append"')
