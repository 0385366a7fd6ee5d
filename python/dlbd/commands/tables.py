"""Tables that are written whole or not at all: CSV, JSON lines, Parquet, SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, BinaryIO

from dlbd.data.arrow import pa
from dlbd.saving.atomic import replacing

Write = Callable[[Any], None]

_SQLITE = "sqlite:///"


@contextmanager
def writing(out: str, table: str) -> Iterator[Write]:
    """A function that writes a record batch. Unless the block ends without an error nothing has changed.

    Args:
        out: a file by its ending, which is replaced if it is there, or ``sqlite:///file``.
        table: of a database; it is new.

    Raises:
        ValueError: nothing can be written there, or there is such a table.
        OSError: the disk is full, say.
    """
    if out.startswith(_SQLITE):
        with _into_sqlite(out.removeprefix(_SQLITE), table) as write:
            yield write
        return
    made = _FILES.get(os.path.splitext(out)[1].lower())
    if made is None:
        raise ValueError(f"--out is a file that ends in {', '.join(_FILES)}, or sqlite:///file; received {out!r}")
    with replacing(out) as file, made(file) as write:
        yield write


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Write]:
    from pyarrow import csv

    yield from _arrow(lambda schema: csv.CSVWriter(file, schema))


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[Write]:
    from pyarrow import parquet

    yield from _arrow(lambda schema: parquet.ParquetWriter(file, schema))


def _arrow(make: Callable[[Any], Any]) -> Iterator[Write]:
    """Batches written by one of Arrow's writers, which wants to know the schema first."""
    writers: list[Any] = []

    def write(batch: Any) -> None:
        if not writers:
            writers.append(make(batch.schema))
        writers[0].write_batch(batch)

    try:
        yield write
    except BaseException:
        for writer in writers:
            with suppress(Exception):
                writer.close()
        raise
    for writer in writers:
        writer.close()


@contextmanager
def _json(file: BinaryIO) -> Iterator[Write]:
    def write(batch: Any) -> None:
        for row in batch.to_pylist():
            file.write(json.dumps(row, default=str, ensure_ascii=False).encode() + b"\n")

    yield write


_FILES: dict[str, Any] = {".csv": _csv, ".jsonl": _json, ".parquet": _parquet}


@contextmanager
def _into_sqlite(path: str, table: str) -> Iterator[Write]:
    new = not os.path.exists(path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield _inserting(database, table)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
    except BaseException as error:
        if new:
            with suppress(OSError):
                os.unlink(path)
        if isinstance(error, sqlite3.Error):
            raise OSError(f"{_SQLITE}{path}: {error}: nothing was written") from error
        raise


def _inserting(database: sqlite3.Connection, table: str) -> Write:
    known = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    if table in known:
        raise ValueError(f"--out-table: there is a table {table!r} already")
    into = _quoted(table)

    def write(batch: Any) -> None:
        columns = ", ".join(f"{_quoted(f.name)} {_type(f.type)}" for f in batch.schema)
        database.execute(f"CREATE TABLE IF NOT EXISTS {into} ({columns})")
        places = ", ".join("?" * batch.num_columns)
        values = [_values(column) for column in batch.columns]
        database.executemany(f"INSERT INTO {into} VALUES ({places})", zip(*values, strict=True))

    return write


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _type(kind: Any) -> str:
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    return "BLOB" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else "TEXT"


def _values(column: Any) -> list[Any]:
    values = column.to_pylist()
    if _type(column.type) != "TEXT":
        return values  # type: ignore[no-any-return]
    return [value if value is None or isinstance(value, str) else str(value) for value in values]
