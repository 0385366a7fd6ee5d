"""What a kind of server of SQL must know: see mysql.py and postgresql.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from dlbd.data.arrow import pa
from dlbd.data.statements import Dialect
from dlbd.data.tuples import Column

# A column, what is selected for it and what orders it, where that is not just the column; None where nothing does.
Described = tuple[Column, str, str | None]


class Server(Protocol):
    """A kind of server.

    Attributes:
        scheme, driver: SQLAlchemy's names of the server and the client.
        tables: a query for schema and name of all tables and views, and whether they need no schema before them.
    """

    scheme: str
    driver: str
    dialect: Dialect
    tables: str

    def connect(self, client: Any, arguments: Mapping[str, Any], seconds: float) -> Any:
        """A connection made by the client's module; nothing takes longer than the seconds, unless the arguments say so,
        until it is there.
        """
        ...

    def number_of(self, connection: Any) -> int:
        """What the server calls a connection."""
        ...

    def works(self, connection: Any, number: int) -> bool:
        """Whether the server computes what it was asked over the connection of this number; asked over another one. It
        does not where it waits for that connection's client, or for a lock.
        """
        ...

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
        connection: Any,
        connect: Callable[[], Any],
        source: str,
        table: str,
        creation: str,
        if_exists: str,
        names: Sequence[str],
        rows: Iterator[list[tuple[Any, ...]]],
    ) -> int:
        """Write all rows or none; ``creation`` makes a table of the name that is put into it, ``connect()`` another
        connection.
        """
        ...
