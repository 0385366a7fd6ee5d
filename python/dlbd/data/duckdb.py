"""Tables, views and queries of a DuckDB file: it gives batches of Arrow by itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.deadline import watched
from dlbd.data.errors import SourceError, missing
from dlbd.data.expressions import Expression
from dlbd.data.reader import options_of, with_client_text
from dlbd.data.sqlite import file_of
from dlbd.data.statements import DUCKDB, Rows, found, one_of, subquery, title
from dlbd.data.tables import create, exists, new_file, spooled, written_type

try:
    import duckdb
except ImportError as error:
    raise missing("duckdb", error) from error

# Nothing is downloaded; sorting uses little memory, and files beyond it.
_CONFIG: dict[str, Any] = {"memory_limit": "128MB", "autoinstall_known_extensions": False}


def reader(
    what: str,
    *,
    table: str | None,
    query: str | None,
    parameters: Mapping[str, Any] | None,
    schema: Any,
    **options: Any,
) -> DuckdbReader:
    """Rows of ``duckdb:///relative.duckdb`` or ``duckdb:////absolute.duckdb``; the only option is ``connect_args``, a
    dict of DuckDB's settings, such as ``{"memory_limit": "1GB"}``; 128 MB by default.
    """
    options_of(options, ("connect_args",), "DuckDB")
    one_of(what, table, query, parameters)
    return DuckdbReader(file_of(what), table, query, parameters or {}, options.get("connect_args") or {})


class DuckdbReader:
    """A table, a view or a query. Each scan has a connection of its own, which cannot write."""

    ordered, remote, sorts = False, False, True

    def __init__(
        self,
        file: str,
        table: str | None,
        query: str | None,
        parameters: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> None:
        self._file, self._settings = file, {**_CONFIG, **settings}
        self.name = title(f"duckdb:///{file}", table)
        with self._connected(opening=True) as connection:
            self.counts_by_reading = True  # as a view or a query
            if table is not None:
                place = _qualified(connection, table, f"duckdb:///{file}")
                stored = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
                self.counts_by_reading = place not in stored
                origin = DUCKDB.name_of(*place)
            else:
                origin = f"{subquery(str(query))} AS dlbd_query"
            statement, values = DUCKDB.bound(f"SELECT * FROM {origin} LIMIT 0", parameters)
            given = connection.sql(statement, params=values).to_arrow_reader(1).schema
        self.schema = pa.schema([(field.name, _in_utc(field.type)) for field in given])
        # it orders its enumerations by their declaration
        enumerations = [field.name for field in self.schema if pa.types.is_dictionary(field.type)]
        texts = {name: DUCKDB.bytes_of.format(f"CAST({DUCKDB.name_of(name)} AS VARCHAR)") for name in enumerations}
        self._rows = Rows(DUCKDB, origin, self.schema, parameters, orders=texts)

    @contextmanager
    def _connected(self, opening: bool = False) -> Generator[Any, None, None]:
        """A connection that only reads; the client's errors are ours inside."""
        try:
            with closing(duckdb.connect(self._file, read_only=True, config=self._settings)) as connection:
                connection.execute("SET enable_progress_bar = false")
                yield connection
        except duckdb.Error as error:
            wrong = opening and isinstance(error, duckdb.ProgrammingError)
            raise (ValueError if wrong else SourceError)(with_client_text(self.name, error)) from None

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        statement, values = self._rows.select(columns, where, order_by)
        schema = pa.schema([self.schema.field(name) for name in columns])
        with self._connected() as connection:

            def batches() -> Generator[pa.RecordBatch, None, None]:
                for batch in connection.sql(statement, params=values).to_arrow_reader(rows):
                    yield batch.cast(schema)

            # in a thread, since DuckDB does not look for Ctrl-C; it may take its time to sort
            with closing(watched(batches, threading.TIMEOUT_MAX, self.name, connection.interrupt)) as scan:
                yield from scan

    def count(self, where: Expression | None) -> int | None:
        counting = self._rows.count(where)
        if counting is None:
            return None
        with self._connected() as connection:
            return int(connection.execute(*counting).fetchall()[0][0])

    def abort(self) -> None:
        """Nothing waits here that closing the scan does not end."""


def _in_utc(kind: pa.DataType) -> pa.DataType:
    """Times with a zone are given in that of the session: the same instants in UTC."""
    return pa.timestamp(kind.unit, "UTC") if pa.types.is_timestamp(kind) and kind.tz else kind


def _qualified(connection: Any, table: str, source: str) -> tuple[str, ...]:
    """Schema and name of a table, given as ``table`` or ``schema.table``."""
    query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database()"
    tables = {
        (name if schema == "main" else f"{schema}.{name}"): (schema, name)
        for schema, name in connection.execute(query).fetchall()
    }
    return tables[found(table, list(tables), source)]


_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "binary": "BLOB",
    "large_binary": "BLOB",
    "date32[day]": "DATE",
}


def _type_name(kind: pa.DataType) -> str | None:
    return written_type(kind, _TYPES, 38, "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


def write(
    address: str, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], if_exists: str, settings: Any
) -> int:
    """See :func:`dlbd.data.write_table`."""
    file, name = file_of(address), DUCKDB.name_of(table)
    creation = create(DUCKDB, name, schema, _type_name)
    columns = ", ".join(DUCKDB.name_of(column) for column in schema.names)
    config, count = {**_CONFIG, **settings}, 0

    def found(connection: Any) -> bool:
        query = "SELECT 1 FROM information_schema.tables WHERE table_name = ? AND table_schema = 'main'"
        known = bool(connection.execute(query, (table,)).fetchall())
        if known and if_exists == "error":
            raise exists(address, table)
        return known

    try:
        if os.path.exists(file):
            with closing(duckdb.connect(file, read_only=True, config=config)) as connection:
                found(connection)
        with (
            spooled(schema, batches) as rows,
            new_file(file),
            closing(duckdb.connect(file, config=config)) as connection,
        ):
            connection.execute("BEGIN")
            known = found(connection)
            if known and if_exists == "replace":
                connection.execute(f"DROP TABLE {name}")
            if not known or if_exists == "replace":
                connection.execute(creation)
            for batch in rows:
                connection.register("dlbd_batch", pa.Table.from_batches([batch]))
                connection.execute(f"INSERT INTO {name} ({columns}) SELECT * FROM dlbd_batch")
                connection.unregister("dlbd_batch")
                count += batch.num_rows
            connection.execute("COMMIT")  # closing without it takes all back
    except duckdb.Error as error:
        raise SourceError(with_client_text(f"{address}, table {table}", error)) from None
    return count
