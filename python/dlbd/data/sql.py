"""Tables, views and queries of MySQL, MariaDB and PostgreSQL: SQLAlchemy connects, PyMySQL and psycopg stream."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import quote

from dlbd.data.arrow import as_schema, pa
from dlbd.data.deadline import watched
from dlbd.data.errors import SourceError, missing
from dlbd.data.expressions import Expression
from dlbd.data.reader import options_of, with_client_text
from dlbd.data.servers import SERVERS, Server
from dlbd.data.statements import Rows, found, one_of, subquery, title
from dlbd.data.tables import create
from dlbd.data.tuples import batches_of, numbers_first

try:
    import sqlalchemy as sa
except ImportError as error:
    raise missing("sql", error) from error

T = TypeVar("T")

# Seconds for a server to answer while it is connected to and its catalogue read.
_ANSWER = 20

# MySQL's number for a column that does not exist, which PyMySQL has among the troubles of the server.
_NO_COLUMN = 1054

_OPTIONS = ("user", "password", "connect_args")


def reader(
    what: str,
    *,
    table: str | None,
    query: str | None,
    parameters: Mapping[str, Any] | None,
    schema: Any,
    **options: Any,
) -> SqlReader:
    """Rows of ``mysql://user:password@host:port/database``, ``mariadb://...``, ``postgresql://...``.

    Options: ``user`` and ``password``, where the address should not have them; ``connect_args``, a dict for the client:
    of PyMySQL (``{"ssl": {"ca": "ca.pem"}}``) or psycopg (``{"sslmode": "verify-full", "sslrootcert": "ca.pem"}``).
    """
    options_of(options, _OPTIONS, what.partition(":")[0])
    database = Database(what, **options)
    one_of(database.name, table, query, parameters)
    return SqlReader(database, table, query, parameters or {}, schema)


class Database:
    """An address, and connections to it.

    Attributes:
        name: without user and password.
        server: what is particular to its kind.
    """

    def __init__(
        self,
        address: str,
        user: str | None = None,
        password: str | None = None,
        connect_args: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            url = sa.make_url(address)
            scheme, _, driver = url.drivername.partition("+")
            self.server: Server = SERVERS["postgresql" if scheme.startswith("postgres") else "mysql"]
            known = driver in ("", self.server.driver)
        except (sa.exc.ArgumentError, ValueError):  # their text has the password
            known = False
        if not known or not url.database:
            scheme = address.partition(":")[0]
            raise ValueError(
                f"{scheme}: an address is {scheme}://user:password@host:port/database, special characters "
                "as %40; clients are pymysql and psycopg"
            )
        url = url.set(drivername=f"{self.server.scheme}+{self.server.driver}")
        url = url.set(username=user or url.username, password=password or url.password)
        arguments = dict(connect_args or {})
        secrets = {url.password, arguments.get("password"), arguments.get("passwd")} - {None}
        self._secrets = sorted({str(s) for s in secrets} | {quote(str(s), safe="") for s in secrets})
        self.name = f"{scheme}://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database}"
        try:
            self.engine = sa.create_engine(
                url,
                poolclass=sa.NullPool,
                pool_reset_on_return=None,
                connect_args={**self.server.connect_args, **arguments},
            )
        except ImportError as error:
            raise missing("sql", error) from error
        self.errors: tuple[type[Exception], ...] = (
            self.engine.dialect.loaded_dbapi.Error,
            sa.exc.SQLAlchemyError,
            OSError,
        )

    def connect(self) -> Any:
        """A connection of the client's, which nobody else has."""
        connection = self.engine.raw_connection()
        driver_connection = connection.driver_connection
        connection.detach()
        return driver_connection

    def failed(self, name: str, error: BaseException, opening: bool = False) -> Exception:
        """The error to raise for one of the client's, ``from None``: the client's may show the password."""
        if isinstance(error, SourceError):
            return error
        error = getattr(error, "orig", None) or error
        mistake = isinstance(error, self.engine.dialect.loaded_dbapi.ProgrammingError) or error.args[:1] == (
            _NO_COLUMN,
        )
        wrong = opening and mistake
        return (ValueError if wrong else SourceError)(with_client_text(name, error, self._secrets))


class SqlReader:
    """A table, a view or a query. Each scan has a connection of its own, which is told to only read."""

    ordered, remote, sorts = False, True, True

    def __init__(
        self, database: Database, table: str | None, query: str | None, parameters: Mapping[str, Any], schema: Any
    ) -> None:
        self._database, self._server = database, database.server
        self._connection: Any = None
        self.name = title(database.name, table)

        def described(connection: Any) -> tuple[str, list[Any]]:
            if table is not None:
                origin = self._server.dialect.name_of(*_qualified(self._server, connection, table, database.name))
            else:
                origin = f"{subquery(str(query))} AS dlbd_query"
            statement, values = self._server.dialect.bound(f"SELECT * FROM {origin} LIMIT 0", parameters)
            with closing(connection.cursor()) as cursor:
                cursor.execute(statement, values)
                return origin, self._server.described(cursor, as_schema(schema if schema is not None else {}))

        origin, described_columns = self._answer(described)
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

    def _answer(self, ask: Callable[[Any], T]) -> T:
        """What ``ask(connection)`` gives, in bounded time."""

        def once() -> Generator[T, None, None]:
            with self._connected(opening=True) as connection:
                yield ask(connection)

        with closing(watched(once, _ANSWER, self.name, self.abort)) as answers:
            return next(answers)

    @contextmanager
    def _connected(self, opening: bool = False) -> Generator[Any, None, None]:
        """A connection that only reads; the client's errors are ours inside."""
        try:
            self._connection = connection = self._database.connect()
            try:
                self._server.set_up(connection)
                yield connection
            except BaseException:
                self.abort()
                raise
            finally:
                self._connection = None
                with suppress(*self._database.errors):  # it may be closed
                    connection.close()
        except self._database.errors as error:
            raise self._database.failed(self.name, error, opening) from None

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        chosen = numbers_first(self._columns[name] for name in columns)
        statement, values = self._rows.select([column.name for column in chosen], where, order_by)
        with self._connected() as connection, self._server.streaming(connection) as cursor:
            cursor.execute(statement, values)
            for batch in batches_of(iter(cursor), chosen, rows, self.name):
                yield batch.select(list(columns))

    def count(self, where: Expression | None) -> int | None:
        counting = self._rows.count(where)
        if counting is None:
            return None
        with self._connected() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(*counting)
            return int(cursor.fetchone()[0])

    def abort(self) -> None:
        """Shut the connection's socket down: whoever reads from it finds its end, and the server that it was reset."""
        connection = self._connection
        if connection is not None:
            with suppress(*self._database.errors, AttributeError, ValueError):
                number = os.dup(self._server.socket_of(connection))
                with socket.socket(fileno=number) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.shutdown(socket.SHUT_RDWR)


def _qualified(server: Server, connection: Any, table: str, source: str) -> tuple[str, ...]:
    """The parts of a table's name, given as ``table`` or ``schema.table``."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(server.tables)
        everything = [(schema, name, bool(is_default)) for schema, name, is_default in cursor.fetchall()]
    tables = {f"{schema}.{name}": (schema, name) for schema, name, _ in everything}
    own = {name: (schema, name) for schema, name, is_default in everything if is_default}
    return own[table] if table in own else tables.get(table) or own[found(table, list(own), source)]


def write(
    address: str, table: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], if_exists: str, connect_args: Any
) -> int:
    """See :func:`dlbd.data.write_table`."""
    database = Database(address, connect_args=connect_args)
    server, name = database.server, f"{database.name}, table {table}"
    creation = create(server.dialect, "{}", schema, server.type_name)
    try:
        return server.write(database.connect, database.name, table, creation, if_exists, schema, batches)
    except database.errors as error:
        raise database.failed(name, error) from None
