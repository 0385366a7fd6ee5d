"""Connections to servers of SQL, which another thread may end, or ask the server about."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from copy import copy
from typing import Any, TypeVar
from urllib.parse import quote

from dlbd.data.deadline import watched
from dlbd.data.errors import SourceError, missing
from dlbd.data.mysql import MySql
from dlbd.data.postgresql import PostgreSql
from dlbd.data.reader import with_client_text
from dlbd.data.servers import Server

try:
    import sqlalchemy as sa
except ImportError as error:
    raise missing("sql", error) from error

T = TypeVar("T")

SERVERS: dict[str, Server] = {"mysql": MySql(), "postgresql": PostgreSql()}

# Seconds in which a server that lives says so.
SIGN_OF_LIFE = 5.0

# MySQL's number for a column that does not exist, which PyMySQL has among the troubles of the server.
_NO_COLUMN = 1054


class Database:
    """An address, and connections to it.

    Attributes:
        name: without user and password.
        server: what is particular to its kind.
        errors: what its client raises.
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
        self.name = f"{scheme}://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database}"
        try:
            dialect = sa.create_engine(url).dialect
        except ImportError as error:
            raise missing("sql", error) from error
        self._client = dialect.loaded_dbapi
        self._arguments = {**dialect.create_connect_args(url)[1], **(connect_args or {})}
        secrets = set(_passwords(self._arguments))
        self._secrets = sorted(secrets | {quote(secret, safe="") for secret in secrets})
        self.errors: tuple[type[Exception], ...] = (self._client.Error, OSError)

    def connect(self, seconds: float) -> Any:
        """A connection of the client's, in bounded time."""
        return self.server.connect(self._client, self._arguments, seconds)

    def failed(self, name: str, error: BaseException, opening: bool = False) -> Exception:
        """The error to raise for one of the client's, ``from None``: the client's may show the password."""
        if isinstance(error, SourceError):
            return error
        mistake = isinstance(error, self._client.ProgrammingError) or error.args[:1] == (_NO_COLUMN,)
        wrong = opening and mistake
        return (ValueError if wrong else SourceError)(with_client_text(name, error, self._secrets))


def _passwords(arguments: Mapping[str, Any]) -> Iterator[str]:
    for key, value in arguments.items():
        if isinstance(value, Mapping):
            yield from _passwords(value)
        elif value and re.search("passw", key):
            yield value.decode(errors="replace") if isinstance(value, bytes) else str(value)


class Client:
    """What talks to a database over one connection; a shallow copy of it over another one.

    Args:
        name: what errors call it.
        timeout: seconds without a sign of life of the server after which waiting for it is an error.
    """

    def __init__(self, database: Database, name: str, timeout: float) -> None:
        self.name, self._database, self._server, self._timeout = name, database, database.server, timeout
        self._connection: Any = None
        self._number: int | None = None  # what the server calls the connection
        self._seen_working = 0

    @contextmanager
    def connected(self, opening: bool = False) -> Generator[Any, None, None]:
        """The connection; the client's errors are ours inside."""
        try:
            self._connection = connection = self._database.connect(self._timeout)
            try:
                self._number = self._server.number_of(connection)
                yield connection
            except BaseException:
                self.abort()
                raise
            finally:
                self._connection = self._number = None
                with suppress(*self._database.errors):  # it may be closed
                    connection.close()
        except self._database.errors as error:
            raise self._database.failed(self.name, error, opening) from None

    def answer(self, ask: Callable[[Any], T], progress: Callable[[], Any] | None = None) -> T:
        """What ``ask(connection)`` gives; who asks wrongly gets a ValueError."""

        def once() -> Generator[T, None, None]:
            with self.connected(opening=True) as connection:
                yield ask(connection)

        with closing(watched(once, self._timeout, self.name, self.abort, progress or self.progress)) as answers:
            return next(answers)

    def progress(self) -> int:
        """How often the server has said, over another connection, that it works on what it was asked."""
        number = self._number
        if number is not None:
            other = copy(self)
            other._connection, other._timeout = None, min(self._timeout, SIGN_OF_LIFE)
            with suppress(SourceError, ValueError):
                works = other.answer(lambda connection: self._server.works(connection, number), lambda: None)
                self._seen_working += works
        return self._seen_working

    def abort(self) -> None:
        """Shut the connection's socket down: whoever reads from it finds its end, and the server that it was reset."""
        connection = self._connection
        if connection is not None:
            with suppress(*self._database.errors, AttributeError, ValueError):
                handle = os.dup(self._server.socket_of(connection))
                with socket.socket(fileno=handle) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.shutdown(socket.SHUT_RDWR)
