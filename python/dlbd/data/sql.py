"""Tables, views and queries of MySQL, MariaDB and PostgreSQL: PyMySQL and psycopg stream them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from dlbd.data.arrow import as_schema, pa
from dlbd.data.connections import SIGN_OF_LIFE, Client, Database
from dlbd.data.deadline import Patience
from dlbd.data.expressions import Expression
from dlbd.data.reader import options_of
from dlbd.data.servers import Server
from dlbd.data.sorting import sorted_batches
from dlbd.data.statements import Rows, found, one_of, subquery, title
from dlbd.data.tables import create, rows_of
from dlbd.data.tuples import batches_of, numbers_first

_OPTIONS = ("user", "password", "connect_args")


def reader(
    what: str,
    *,
    table: str | None,
    query: str | None,
    parameters: Mapping[str, Any] | None,
    schema: Any,
    timeout: float = 30.0,
    **options: Any,
) -> SqlReader:
    """Rows of ``mysql://user:password@host:port/database``, ``mariadb://...``, ``postgresql://...``.

    Options: ``user`` and ``password``, where the address should not have them; ``connect_args``, a dict for the client:
    of PyMySQL (``{"ssl_ca": "ca.pem", "ssl_verify_identity": True}``) or psycopg
    (``{"sslmode": "verify-full", "sslrootcert": "ca.pem"}``).
    """
    options_of(options, _OPTIONS, what.partition(":")[0])
    database = Database(what, **options)
    one_of(database.name, table, query, parameters)
    return SqlReader(database, table, query, parameters or {}, schema, timeout)


class SqlReader(Client):
    """A table, a view or a query. Each scan has a connection of its own, which is told to only read."""

    ordered, remote, sorts = False, True, True

    def __init__(
        self,
        database: Database,
        table: str | None,
        query: str | None,
        parameters: Mapping[str, Any],
        schema: Any,
        timeout: float,
    ) -> None:
        super().__init__(database, title(database.name, table), timeout)

        def described(connection: Any) -> tuple[str, list[Any]]:
            self._server.set_up(connection)
            if table is not None:
                origin = self._server.dialect.name_of(*_qualified(self._server, connection, table, database.name))
            else:
                origin = f"{subquery(str(query))} AS dlbd_query"
            statement, values = self._server.dialect.bound(f"SELECT * FROM {origin} LIMIT 0", parameters)
            with closing(connection.cursor()) as cursor:
                cursor.execute(statement, values)
                return origin, self._server.described(cursor, as_schema(schema if schema is not None else {}))

        origin, described_columns = self.answer(described)
        self._columns = {column.name: column for column, _, _ in described_columns}
        self.schema = pa.schema([(column.name, column.type) for column in self._columns.values()])
        self._rows = Rows(
            self._server.dialect,
            origin,
            self.schema,
            parameters,
            {column.name: expression for column, expression, _ in described_columns if expression},
            {column.name: order for column, _, order in described_columns if order},
        )
        self._unsorted = {column.name for column, _, order in described_columns if order is None}

    @contextmanager
    def _reading(self) -> Generator[Any, None, None]:
        with self.connected() as connection:
            self._server.set_up(connection)
            yield connection

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
        with self._reading() as connection, self._server.streaming(connection) as cursor:
            cursor.execute(statement, values)
            for batch in batches_of(iter(cursor), chosen, rows, self.name):
                yield batch.select(list(columns))

    def count(self, where: Expression | None) -> int | None:
        counting = self._rows.count(where)
        if counting is None:
            return None
        with self._reading() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(*counting)
            return int(cursor.fetchone()[0])


def _qualified(server: Server, connection: Any, table: str, source: str) -> tuple[str, ...]:
    """The parts of a table's name, given as ``table`` or ``schema.table``."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(server.tables)
        everything = [(schema, name, bool(is_default)) for schema, name, is_default in cursor.fetchall()]
    tables = {f"{schema}.{name}": (schema, name) for schema, name, _ in everything}
    own = {name: (schema, name) for schema, name, is_default in everything if is_default}
    return own[table] if table in own else tables.get(table) or own[found(table, list(own), source)]


def write(
    address: str,
    table: str,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    if_exists: str,
    connect_args: Mapping[str, Any],
    timeout: float,
) -> int:
    """See :func:`dlbd.data.write_table`."""
    database = Database(address, connect_args=connect_args)
    server = database.server
    creation = create(server.dialect, "{}", schema, server.type_name)
    client = Client(database, f"{database.name}, table {table}", timeout)
    patience = Patience(timeout, client.name, client.abort, client.progress)
    rows = patience.free(rows_of(batches))

    def connect() -> Any:
        return database.connect(min(timeout, SIGN_OF_LIFE))

    with client.connected() as connection, patience.waiting():
        return server.write(connection, connect, database.name, table, creation, if_exists, schema.names, rows)
