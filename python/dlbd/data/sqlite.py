"""Tables, views and queries of an SQLite file, by the standard library's client."""

from __future__ import annotations

import decimal
import os
import re
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from dlbd.data.arrow import as_schema, converted, pa
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.reader import options_of
from dlbd.data.sorting import sorted_batches
from dlbd.data.statements import SQLITE, Rows, found, one_of, subquery, title
from dlbd.data.tuples import Column, batches_of, numbers_first

# Rows looked at to find the type of a column that is declared without one, as an expression in a query is.
_SAMPLE = 1000

# Decimals of so many digits are told apart by their floats.
_FLOAT_DIGITS = 15

# Instructions of SQLite's machine between two looks for Ctrl-C: some milliseconds.
_INSTRUCTIONS = 100_000


def reader(
    what: str,
    *,
    table: str | None,
    query: str | None,
    parameters: Mapping[str, Any] | None,
    schema: Any,
    **options: Any,
) -> SqliteReader:
    """Rows of ``sqlite:///relative.db`` or ``sqlite:////absolute.db``; the only option is ``connect_args``, a dict for
    ``sqlite3.connect`` such as ``{"timeout": 20}``, the seconds to wait for a writer's lock, 5 by default.
    """
    options_of(options, ("connect_args",), "SQLite")
    one_of(what, table, query, parameters)
    return SqliteReader(file_of(what), table, query, parameters or {}, schema, options.get("connect_args") or {})


def file_of(address: str) -> str:
    """The file that ``scheme:///file`` names.

    Raises:
        ValueError: it names none.
    """
    scheme, _, rest = address.partition("://")
    if not rest.startswith("/") or rest[1:] in ("", ":memory:"):
        raise ValueError(f"{scheme}:///relative.db or {scheme}:////absolute.db names a file; received {address!r}")
    return rest[1:]


def recover(file: str) -> None:
    """Take back what a writer began that died, or whose disk was full: a connection that only reads may not do it."""
    if os.path.exists(f"{file}-journal"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()


class SqliteReader:
    """A table, a view or a query. Each scan has a connection of its own, which cannot write."""

    ordered, remote, sorts, counts_by_reading = False, False, True, True

    def __init__(
        self,
        file: str,
        table: str | None,
        query: str | None,
        parameters: Mapping[str, Any],
        schema: Any,
        connect_args: Mapping[str, Any],
    ) -> None:
        self._file, self._connect_args = file, {"timeout": 5.0, **connect_args}
        self.name = title(f"sqlite:///{file}", table)
        if not os.path.exists(file):
            raise SourceError(f"sqlite:///{file}: there is no such file")
        with self._connected(opening=True) as connection:
            if table is not None:
                name = found(table, _tables(connection), f"sqlite:///{file}")
                origin = SQLITE.name_of(name)
            else:
                origin = subquery(str(query))
                name = self._as_view(connection, origin, parameters)
            declared = connection.execute("SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1", (name,))
            hints = as_schema(schema) if schema is not None else pa.schema([])
            columns = {column: _column(column, kind, hints) for column, kind in declared}
            unknown = [column for column, known in columns.items() if known is None]
            if unknown:
                statement, values = Rows(SQLITE, origin, pa.schema([]), parameters).select(unknown, None, ())
                sample = connection.execute(statement, values).fetchmany(_SAMPLE)
                for i, column in enumerate(unknown):
                    columns[column] = Column(column, self._sampled(column, {type(row[i]) for row in sample}))
            by_bytes = connection.execute("PRAGMA encoding").fetchone()[0] == "UTF-8"
        self._columns: dict[str, Column] = {name: column for name, column in columns.items() if column is not None}
        self.schema = pa.schema([(column.name, column.type) for column in self._columns.values()])
        # of what is not compared as it is stored
        orders = {
            name: _order(column)
            for name, column in self._columns.items()
            if column.make is not None or not (by_bytes or column.type != pa.string())
        }
        self._unsorted = {name for name, order in orders.items() if order is None}
        self._rows = Rows(
            SQLITE, origin, self.schema, parameters, orders={n: order or "" for n, order in orders.items()}
        )

    def _as_view(self, connection: sqlite3.Connection, origin: str, parameters: Mapping[str, Any]) -> str:
        """A temporary view of the query, whose columns keep the types of those that they come from."""
        text, _ = SQLITE.bound(origin, parameters, placeholder="NULL")  # views have no parameters
        connection.execute(f"CREATE TEMP VIEW dlbd_query AS SELECT * FROM {text}")
        return "dlbd_query"

    def _sampled(self, column: str, types: set[type]) -> pa.DataType:
        types -= {type(None)}
        if types == {int, float}:
            types = {float}
        if len(types) > 1:
            some = ", ".join(sorted(t.__name__ for t in types))
            raise SourceError(f"{self.name}: column {column!r} is declared without a type and holds {some} values")
        return _SAMPLED[types.pop() if types else type(None)]

    @contextmanager
    def _connected(self, opening: bool = False) -> Generator[sqlite3.Connection, None, None]:
        """A connection that only reads; the client's errors are ours inside."""
        recover(self._file)
        try:
            address = f"{Path(self._file).absolute().as_uri()}?mode=ro"
            arguments = {"uri": True, "check_same_thread": False, **self._connect_args}
            with closing(sqlite3.connect(address, **arguments)) as connection:
                # the handler is Python: an interrupt is raised in it, and ends the statement
                connection.set_progress_handler(lambda: 0, _INSTRUCTIONS)
                yield connection
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", "")
            if code == "SQLITE_INTERRUPT":
                raise KeyboardInterrupt from None
            wrong = opening and (code == "SQLITE_ERROR" or isinstance(error, sqlite3.ProgrammingError))
            raise (ValueError if wrong else SourceError)(f"{self.name}: {error}") from None

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        if self._unsorted.isdisjoint(order_by):
            return self._scan(columns, where, order_by, rows)
        return sorted_batches(self._scan(columns, where, (), rows), order_by, rows)

    def _scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        chosen = numbers_first(self._columns[name] for name in columns)
        statement, values = self._rows.select([column.name for column in chosen], where, order_by)
        with self._connected() as connection:
            for batch in batches_of(connection.execute(statement, values), chosen, rows, self.name):
                yield batch.select(list(columns))

    def count(self, where: Expression | None) -> int | None:
        counting = self._rows.count(where)
        if counting is None:
            return None
        with self._connected() as connection:
            return int(connection.execute(*counting).fetchone()[0])

    def abort(self) -> None:
        """Nothing waits for long here."""


def _tables(connection: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite@_%' ESCAPE '@'"
    return [name for (name,) in connection.execute(query)]


_SAMPLED = {int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.binary(), type(None): pa.null()}

# Types of an affinity (section 3.1 of SQLite's "Datatypes"), after those that its users mean and it does not know.
_BY_AFFINITY = [
    (r"INT", pa.int64()),
    (r"CHAR|CLOB|TEXT", pa.string()),
    (r"BLOB", pa.binary()),
    (r"REAL|FLOA|DOUB", pa.float64()),
    (r"^(NUMERIC|DECIMAL|NUMBER)", pa.float64()),
]


def _column(name: str, declared: str, hints: pa.Schema) -> Column | None:
    """The column by its declared type; None if it says nothing. Times and decimals have no type in SQLite, so that a
    type asked for decides how they are read.
    """
    kind = declared.upper().strip()
    hint = hints.field(name).type if name in hints.names else None
    if hint is not None and (
        pa.types.is_decimal(hint)
        or pa.types.is_boolean(hint)
        or (pa.types.is_temporal(hint) and "INT" not in kind)  # an integer is a time by Arrow's own cast
    ):
        return _special(name, hint, declared)
    if kind in ("BOOL", "BOOLEAN"):
        return _special(name, pa.bool_(), declared)
    if kind == "DATE":
        return _special(name, pa.date32(), declared)
    if kind in ("DATETIME", "TIMESTAMP"):
        return _special(name, pa.timestamp("us"), declared)
    if precise := re.match(r"(?:NUMERIC|DECIMAL|NUMBER) *\( *(\d+) *(?:, *(\d+) *)?\)", kind):
        precision, scale = int(precise[1]), int(precise[2] or 0)
        if 1 <= precision <= 38 and scale <= precision:
            return _special(name, pa.decimal128(precision, scale), declared)
    for pattern, arrow in _BY_AFFINITY:
        if re.search(pattern, kind):
            return Column(name, arrow, declared)
    if hint is not None and pa.types.is_integer(hint):
        return Column(name, pa.int64())
    if hint is not None and pa.types.is_floating(hint):
        return Column(name, pa.float64())
    return Column(name, hint) if hint in (pa.string(), pa.binary()) else None


def _special(name: str, kind: pa.DataType, declared: str) -> Column:
    if pa.types.is_boolean(kind):
        return Column(name, kind, declared, (int,), _booleans)
    if pa.types.is_decimal(kind):
        return Column(name, kind, declared, (int, float, str), partial(_decimals, kind))
    return Column(name, kind, declared, (str,), partial(_times, kind))


def _booleans(values: Sequence[Any]) -> pa.Array:
    if not set(values) <= {None, 0, 1}:
        raise ValueError
    return pa.array(values, pa.int8()).cast(pa.bool_())


def _decimals(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    # the shortest text of a float is the decimal that was written, up to 15 digits
    return pa.array([None if v is None else decimal.Decimal(str(v)) for v in values], kind)


def _times(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    return converted(pa.array(values, pa.string()), kind)


def _order(column: Column) -> str | None:
    """What sorts the stored values as the converted ones; None if nothing does."""
    quoted, kind = SQLITE.name_of(column.name), column.type
    if pa.types.is_boolean(kind) or pa.types.is_date(kind):
        return quoted
    if pa.types.is_decimal(kind) and kind.precision <= _FLOAT_DIGITS:
        return f"CAST({quoted} AS NUMERIC)"
    if pa.types.is_timestamp(kind) and kind.tz is None:  # "2024-05-01" is "2024-05-01T00:00:00.0"
        text = f"replace({quoted}, 'T', ' ')"
        return f"{text} || substr('0000-01-01 00:00:00.000000000', length({text}) + 1)"
    return None
