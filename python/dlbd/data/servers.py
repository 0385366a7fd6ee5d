"""What is particular to the servers of SQL: their types, their cursors that stream, how a table is written whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Protocol

from dlbd.data.arrow import pa
from dlbd.data.statements import MYSQL, POSTGRESQL, Dialect
from dlbd.data.tables import exists, insert, rows_of, written_type
from dlbd.data.tuples import Column

# A column, what is selected for it and what orders it, where that is not just the column.
Described = tuple[Column, str, str]


class Server(Protocol):
    """A kind of server.

    Attributes:
        scheme, driver: SQLAlchemy's names of the server and the client.
        connect_args: for the client, unless the user says otherwise.
        tables: a query for schema and name of all tables and views, and whether they need no schema before them.
    """

    scheme: str
    driver: str
    dialect: Dialect
    connect_args: dict[str, Any]
    tables: str

    def set_up(self, connection: Any) -> None:
        """Make a client's connection one that only reads."""
        ...

    def socket_of(self, connection: Any) -> int:
        """The file number of a connection's socket."""
        ...

    def described(self, cursor: Any, hints: pa.Schema) -> list[Described]:
        """The columns of a cursor's result; ``hints`` are the types that somebody asks for."""
        ...

    def streaming(self, connection: Any) -> Any:
        """A context with a cursor that never holds the whole result, and leaves the rest of it unread."""
        ...

    def type_name(self, kind: pa.DataType) -> str | None:
        """The type of a column that keeps such values; None if there is none."""
        ...

    def write(
        self,
        connect: Callable[[], Any],
        source: str,
        table: str,
        creation: str,
        if_exists: str,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
    ) -> int:
        """Write all rows or none; ``creation`` makes a table of the name that is put into it."""
        ...


def _booleans(of: type) -> Callable[[Sequence[Any]], pa.Array]:
    """Of numbers or bytes that are 0 or 1."""
    values = {None: None, 0: False, 1: True} if of is int else {None: None, b"\0": False, b"\1": True}
    return lambda given: pa.array([values[v] for v in given], pa.bool_())


class MySql:
    """MySQL and MariaDB, by PyMySQL."""

    scheme, driver, dialect = "mysql", "pymysql", MYSQL
    tables = "SELECT table_schema, table_name, table_schema = DATABASE() FROM information_schema.tables"
    # read_timeout is until a connection is set up; from then on a scan has its deadline
    connect_args: dict[str, Any] = {"charset": "utf8mb4", "connect_timeout": 10, "read_timeout": 10}  # noqa: RUF012

    def set_up(self, connection: Any) -> None:
        connection._read_timeout = None
        with connection.cursor() as cursor:
            # times with a zone come in UTC; the server waits for a reader that trains between two batches
            cursor.execute("SET time_zone = '+00:00', net_write_timeout = 86400")
            cursor.execute("SET SESSION TRANSACTION READ ONLY")

    def socket_of(self, connection: Any) -> int:
        return int(connection._sock.fileno())

    def described(self, cursor: Any, hints: pa.Schema) -> list[Described]:
        return [_mysql_column(field, hints) for field in cursor._result.fields]

    @contextmanager
    def streaming(self, connection: Any) -> Generator[Any, None, None]:
        from pymysql.cursors import SSCursor

        cursor = connection.cursor(SSCursor)
        try:
            yield cursor
        finally:
            # or closing would read all that was not read, and fail where the connection is lost
            if cursor._result is not None:
                cursor._result.unbuffered_active = False
            cursor.connection = None

    def type_name(self, kind: pa.DataType) -> str | None:
        return written_type(kind, _MYSQL_TYPES, 65, "DATETIME(6)", "TIMESTAMP(6) NULL")

    def write(
        self,
        connect: Callable[[], Any],
        source: str,
        table: str,
        creation: str,
        if_exists: str,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
    ) -> int:
        """A new table gets its name at the end, since CREATE and DROP are no part of a transaction."""
        staging, count = f"dlbd_{uuid.uuid4().hex}", 0
        with closing(connect()) as connection, connection.cursor() as cursor:
            connection._read_timeout = None
            cursor.execute("SET time_zone = '+00:00'")
            query = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s"
            known = bool(cursor.execute(query, (table,)))
            if known and if_exists == "error":
                raise exists(source, table)
            new = not known or if_exists == "replace"
            target = MYSQL.name_of(staging if new else table)
            try:
                if new:
                    cursor.execute(creation.format(target) + " CHARACTER SET utf8mb4")
                for rows in rows_of(batches):
                    cursor.executemany(insert(MYSQL, target, schema, "%s"), rows)
                    count += len(rows)
                connection.commit()
                if new:
                    old = [(table, f"{staging}_old")] * known
                    moves = [f"{MYSQL.name_of(a)} TO {MYSQL.name_of(b)}" for a, b in [*old, (staging, table)]]
                    cursor.execute(f"RENAME TABLE {', '.join(moves)}")
                    if known:
                        cursor.execute(f"DROP TABLE {MYSQL.name_of(old[0][1])}")
            except BaseException:
                if new:  # by another connection: this one may be lost, or in the middle of a statement
                    connection._force_close()
                    with closing(connect()) as other, other.cursor() as dropping:
                        dropping.execute(f"DROP TABLE IF EXISTS {target}")
                raise
        return count


_MYSQL_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "uint8": "TINYINT UNSIGNED",
    "uint16": "SMALLINT UNSIGNED",
    "uint32": "INT UNSIGNED",
    "uint64": "BIGINT UNSIGNED",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "LONGTEXT",
    "large_string": "LONGTEXT",
    "binary": "LONGBLOB",
    "large_binary": "LONGBLOB",
    "date32[day]": "DATE",
}

_UNSIGNED = 32
_BINARY = 63  # the "character set" of bytes

# PyMySQL's FIELD_TYPE, without and with a sign.
_MYSQL_INTEGERS = {
    1: (pa.int8(), pa.uint8()),
    2: (pa.int16(), pa.uint16()),
    3: (pa.int32(), pa.uint32()),
    8: (pa.int64(), pa.uint64()),
    9: (pa.int32(), pa.uint32()),
    13: (pa.int16(), pa.int16()),
}
_MYSQL_OTHERS = {
    5: pa.float64(),
    6: pa.null(),
    7: pa.timestamp("us", "UTC"),
    10: pa.date32(),
    11: pa.duration("us"),
    12: pa.timestamp("us"),
    245: pa.string(),
}


def _mysql_column(field: Any, hints: pa.Schema) -> Described:
    name, code = field.name, field.type_code
    unsigned = bool(field.flags & _UNSIGNED)
    hinted = hints.field(name).type if name in hints.names else None
    if code == 1 and field.length == 1 and not unsigned and not (hinted and pa.types.is_integer(hinted)):
        return Column(name, pa.bool_(), "TINYINT(1)", (int,), _booleans(int)), "", ""
    if code == 16 and field.length == 1:
        return Column(name, pa.bool_(), "BIT(1)", (bytes,), _booleans(bytes)), "", ""
    if code in _MYSQL_INTEGERS:
        return Column(name, _MYSQL_INTEGERS[code][unsigned]), "", ""
    if code == 4:  # its text has six digits, unless it is made a DOUBLE
        return Column(name, pa.float32()), f"{MYSQL.name_of(name)} * 1e0", ""
    if code in (0, 246):
        precision = field.length - (field.scale > 0) - (not unsigned)
        decimal = pa.decimal128 if precision <= 38 else pa.decimal256
        return Column(name, decimal(precision, field.scale)), "", ""
    if code in _MYSQL_OTHERS:
        return Column(name, _MYSQL_OTHERS[code]), "", ""
    return Column(name, pa.binary() if field.charsetnr == _BINARY else pa.string()), "", ""


class PostgreSql:
    """PostgreSQL, by psycopg."""

    scheme, driver, dialect = "postgresql", "psycopg", POSTGRESQL
    connect_args: dict[str, Any] = {"connect_timeout": 10}  # noqa: RUF012
    tables = (
        "SELECT nspname, relname, pg_table_is_visible(c.oid) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    )

    def set_up(self, connection: Any) -> None:
        connection.rollback()
        connection.read_only = True

    def socket_of(self, connection: Any) -> int:
        return int(connection.fileno())

    def described(self, cursor: Any, hints: pa.Schema) -> list[Described]:
        return [_postgresql_column(field, hints) for field in cursor.description]

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
        return written_type(kind, _POSTGRESQL_TYPES, 76, "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")

    def write(
        self,
        connect: Callable[[], Any],
        source: str,
        table: str,
        creation: str,
        if_exists: str,
        schema: pa.Schema,
        batches: Iterator[pa.RecordBatch],
    ) -> int:
        target, count = POSTGRESQL.name_of(table), 0
        with closing(connect()) as connection, connection.cursor() as cursor:
            known = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (target,)).fetchone()[0]
            if known and if_exists == "error":
                raise exists(source, table)
            if known and if_exists == "replace":
                cursor.execute(f"DROP TABLE {target}")
            if not known or if_exists == "replace":
                cursor.execute(creation.format(target))
            columns = ", ".join(POSTGRESQL.name_of(name) for name in schema.names)
            with cursor.copy(f"COPY {target} ({columns}) FROM STDIN") as copy:
                for rows in rows_of(batches):
                    for row in rows:
                        copy.write_row(row)
                    count += len(rows)
            connection.commit()  # closing without it takes all back
        return count


_POSTGRESQL_TYPES = {
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

# By the number of the type in pg_type.
_POSTGRESQL_KINDS = {
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


def _postgresql_column(field: Any, hints: pa.Schema) -> Described:
    name, code = field.name, field.type_code
    if code in _POSTGRESQL_KINDS:
        return Column(name, _POSTGRESQL_KINDS[code]), "", ""
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


SERVERS: dict[str, Server] = {"mysql": MySql(), "postgresql": PostgreSql()}
