"""PostgreSQL, by psycopg: connections, types, cursors that stream, how a table is written whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.servers import Described
from dlbd.data.statements import POSTGRESQL
from dlbd.data.tables import exists, written_type
from dlbd.data.tuples import Column


class PostgreSql:
    """PostgreSQL, by psycopg."""

    scheme, driver, dialect = "postgresql", "psycopg", POSTGRESQL
    tables = (
        "SELECT nspname, relname, pg_table_is_visible(c.oid) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    )

    def connect(self, client: Any, arguments: Mapping[str, Any], seconds: float) -> Any:
        return client.connect(**{"connect_timeout": math.ceil(seconds), **arguments})

    def number_of(self, connection: Any) -> int:
        return int(connection.info.backend_pid)

    def works(self, connection: Any, number: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' "
                "AND (wait_event_type IS NULL OR wait_event_type NOT IN ('Client', 'Lock'))",
                (number,),
            )
            return cursor.fetchone() is not None

    def set_up(self, connection: Any) -> None:
        connection.rollback()
        connection.read_only = True
        if connection.info.server_version >= _LOOKS_FOR_CLIENTS:
            try:  # or a query that nobody waits for any more is computed to its end
                connection.execute("SET LOCAL client_connection_check_interval = '1s'")
            except connection.Error:  # some systems cannot
                connection.rollback()

    def socket_of(self, connection: Any) -> int:
        return int(connection.fileno())

    def described(self, cursor: Any, hints: pa.Schema) -> list[Described]:
        return [_column(field, hints) for field in cursor.description]

    @contextmanager
    def streaming(self, connection: Any) -> Generator[Any, None, None]:
        cursor = connection.cursor(name="dlbd")
        cursor.itersize = 500  # rows that come at once
        try:
            yield cursor
        finally:
            connection.close()  # first: closing a cursor asks the server
            cursor.close()

    def type_name(self, kind: pa.DataType) -> str | None:
        return written_type(kind, _TYPES, 76, "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")

    def write(
        self,
        connection: Any,
        connect: Callable[[], Any],
        source: str,
        table: str,
        creation: str,
        if_exists: str,
        names: Sequence[str],
        rows: Iterator[list[tuple[Any, ...]]],
    ) -> int:
        target, count = POSTGRESQL.name_of(table), 0
        with connection.cursor() as cursor:
            known = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (target,)).fetchone()[0]
            if known and if_exists == "error":
                raise exists(source, table)
            if known and if_exists == "replace":
                cursor.execute(f"DROP TABLE {target}")
            if not known or if_exists == "replace":
                cursor.execute(creation.format(target))
            columns = ", ".join(map(POSTGRESQL.name_of, names))
            with cursor.copy(f"COPY {target} ({columns}) FROM STDIN") as copy:
                for some in rows:
                    for row in some:
                        copy.write_row(row)
                    count += len(some)
            connection.commit()  # closing without it takes all back
        return count


_TYPES = {
    "bool": "BOOLEAN",
    **dict.fromkeys(("int8", "int16", "uint8"), "SMALLINT"),
    **dict.fromkeys(("int32", "uint16"), "INTEGER"),
    **dict.fromkeys(("int64", "uint32"), "BIGINT"),
    "uint64": "NUMERIC(20, 0)",
    "float": "REAL",
    "double": "DOUBLE PRECISION",
    "string": "TEXT",
    "large_string": "TEXT",
    "binary": "BYTEA",
    "large_binary": "BYTEA",
    "date32[day]": "DATE",
}

_LOOKS_FOR_CLIENTS = 140_000  # version

# By the number of the type in pg_type.
_KINDS = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    25: pa.string(),
    26: pa.int64(),
    700: pa.float32(),
    701: pa.float64(),
    1043: pa.string(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}
_NUMERIC = 1700


def _column(field: Any, hints: pa.Schema) -> Described:
    name, code = field.name, field.type_code
    if code in _KINDS:
        return Column(name, _KINDS[code]), "", ""
    quoted = POSTGRESQL.name_of(name)
    if code == _NUMERIC:
        hinted = hints.field(name).type if name in hints.names else None
        if field.precision is not None:
            decimal = pa.decimal128 if field.precision <= 38 else pa.decimal256
            return Column(name, decimal(field.precision, field.scale)), "", ""
        if hinted is not None and pa.types.is_decimal(hinted):
            return Column(name, hinted), "", ""
        return Column(name, pa.float64()), f"{quoted}::float8", f"{quoted}::float8"
    text = f"{quoted}::text"  # json, uuid, char(n), enumerations and whatever else
    return Column(name, pa.string()), text, f'{text} COLLATE "C"'
