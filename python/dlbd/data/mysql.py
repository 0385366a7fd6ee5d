"""MySQL and MariaDB, by PyMySQL: connections, types, cursors that stream, how a table is written whole."""

from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.servers import Described
from dlbd.data.statements import MYSQL
from dlbd.data.tables import exists, insert, written_type
from dlbd.data.tuples import Column


class MySql:
    """MySQL and MariaDB, by PyMySQL."""

    scheme, driver, dialect = "mysql", "pymysql", MYSQL
    tables = "SELECT table_schema, table_name, table_schema = DATABASE() FROM information_schema.tables"

    def connect(self, client: Any, arguments: Mapping[str, Any], seconds: float) -> Any:
        arguments = _for_client(arguments)
        # PyMySQL would take Latin-1, the server takes UTF-8
        passwords = {key: arguments[key] for key in ("password", "passwd") if isinstance(arguments.get(key), str)}
        encoded = {key: password.encode() for key, password in passwords.items()}
        bounds = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), seconds)
        try:
            connection = client.connect(**{"charset": "utf8mb4", **bounds, **arguments, **encoded})
        except client.OperationalError as error:
            if arguments.get("ssl_disabled") and error.args[0] == _DENIED:  # all that MariaDB says of it
                error.add_note("(without TLS, which the server may ask for)")
            raise
        except UnicodeEncodeError:  # its repr has the password
            raise client.OperationalError("PyMySQL takes no such letters in the password of an option file") from None
        except RuntimeError as error:  # an authentication that asks for another package
            raise client.OperationalError(str(error)) from None
        connection._read_timeout, connection._write_timeout = map(arguments.get, ("read_timeout", "write_timeout"))
        return connection

    def number_of(self, connection: Any) -> int:
        return int(connection.thread_id())

    def works(self, connection: Any, number: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SHOW PROCESSLIST")
            found = {row[0]: (row[4], row[6] or "") for row in cursor.fetchall()}
        command, state = found.get(number, (_IDLE, ""))
        return command != _IDLE and state not in _OF_CLIENTS and not state.startswith("Waiting for ")

    def set_up(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            # times with a zone come in UTC; the server waits for a reader that trains between two batches
            cursor.execute("SET time_zone = '+00:00', net_write_timeout = 86400")
            cursor.execute("SET SESSION TRANSACTION READ ONLY")

    def socket_of(self, connection: Any) -> int:
        return int(connection._sock.fileno())

    def described(self, cursor: Any, hints: pa.Schema) -> list[Described]:
        version = cursor.connection.get_server_info()
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
        whole = "MariaDB" not in version and numbers >= _SORTS_WHOLE
        return [_column(field, hints, whole) for field in cursor._result.fields]

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
        return written_type(kind, _TYPES, 65, "DATETIME(6)", "TIMESTAMP(6) NULL")

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
        """A new table gets its name at the end, since CREATE and DROP are no part of a transaction."""
        staging, count = f"dlbd_{uuid.uuid4().hex}", 0
        with connection.cursor() as cursor:
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
                for some in rows:
                    cursor.executemany(insert(MYSQL, target, names, "%s"), some)
                    count += len(some)
                connection.commit()
                if new:
                    old = [(table, f"{staging}_old")] * known
                    moves = [f"{MYSQL.name_of(a)} TO {MYSQL.name_of(b)}" for a, b in [*old, (staging, table)]]
                    cursor.execute(f"RENAME TABLE {', '.join(moves)}")
                    if known:
                        cursor.execute(f"DROP TABLE {MYSQL.name_of(old[0][1])}")
            except BaseException as error:
                if new:  # by another connection: this one may be lost, or in the middle of a statement
                    connection._force_close()
                    try:
                        with closing(connect()) as other, other.cursor() as dropping:
                            other._read_timeout = _FAREWELL
                            dropping.execute(f"DROP TABLE IF EXISTS {target}")
                    except Exception:
                        error.add_note(f"(its table {staging} may be left)")
                raise
        return count


_FAREWELL = 10.0  # seconds for what was begun to be taken back
_DENIED = 1045
_IDLE = "Sleep"
# States in which the server waits for its client.
_OF_CLIENTS = ("Writing to net", "Sending to client", "Reading from net", "Receiving from client")


_SWITCHES = {"ssl_disabled", "ssl_verify_cert", "ssl_verify_identity"}


def _for_client(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """As PyMySQL takes them. An address has texts alone, and SQLAlchemy puts its ``ssl_ca=`` into a dict ``ssl``, which
    PyMySQL would not read beside ``ssl_verify_identity=``.

    Raises:
        FileNotFoundError: one for TLS is not there; the error of Python's ssl does not name it.
    """
    switches = {key: str(arguments[key]).lower() in ("1", "true", "yes") for key in _SWITCHES & set(arguments)}
    found = {**arguments, **switches}
    ssl = found.get("ssl")
    if isinstance(ssl, str):
        raise ValueError(f"ssl={ssl}: in an address ssl_ca= names the file of an authority, say")
    within = {f"ssl_{key}": value for key, value in ssl.items()} if isinstance(ssl, Mapping) else {}
    if within and switches:
        del found["ssl"]
        found = {**within, **found}
    for key in ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key"):
        file = {**within, **found}.get(key)
        if file and not os.path.exists(file):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file)
    return found


_TYPES = {
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

# Texts and bytes are ordered by so many bytes, as max_sort_length says; by all, from this version of MySQL on.
_SORTED_BYTES, _SORTS_WHOLE = 1024, (8, 0, 20)

_UNSIGNED = 32
_BINARY = 63  # the "character set" of bytes

# PyMySQL's FIELD_TYPE, without and with a sign.
_INTEGERS = {
    1: (pa.int8(), pa.uint8()),
    2: (pa.int16(), pa.uint16()),
    3: (pa.int32(), pa.uint32()),
    8: (pa.int64(), pa.uint64()),
    9: (pa.int32(), pa.uint32()),
    13: (pa.int16(), pa.int16()),
}
_OTHERS = {
    5: pa.float64(),
    6: pa.null(),
    7: pa.timestamp("us", "UTC"),
    10: pa.date32(),
    11: pa.duration("us"),
    12: pa.timestamp("us"),
    245: pa.string(),
}


def _column(field: Any, hints: pa.Schema, whole: bool) -> Described:
    name, code = field.name, field.type_code
    unsigned = bool(field.flags & _UNSIGNED)
    hinted = hints.field(name).type if name in hints.names else None
    if code == 1 and field.length == 1 and not unsigned and not (hinted and pa.types.is_integer(hinted)):
        return Column(name, pa.bool_(), "TINYINT(1)", (int,), _booleans(int)), "", ""
    if code == 16 and field.length == 1:
        return Column(name, pa.bool_(), "BIT(1)", (bytes,), _booleans(bytes)), "", ""
    if code in _INTEGERS:
        return Column(name, _INTEGERS[code][unsigned]), "", ""
    if code == 4:  # its text has six digits, unless it is made a DOUBLE
        return Column(name, pa.float32()), f"{MYSQL.name_of(name)} * 1e0", ""
    if code in (0, 246):
        precision = field.length - (field.scale > 0) - (not unsigned)
        decimal = pa.decimal128 if precision <= 38 else pa.decimal256
        return Column(name, decimal(precision, field.scale)), "", ""
    if code in _OTHERS:
        return Column(name, _OTHERS[code]), "", ""
    order = "" if whole or field.length <= _SORTED_BYTES else None
    return Column(name, pa.binary() if field.charsetnr == _BINARY else pa.string()), "", order


def _booleans(of: type) -> Callable[[Sequence[Any]], pa.Array]:
    """Of numbers or bytes that are 0 or 1."""
    values = {None: None, 0: False, 1: True} if of is int else {None: None, b"\0": False, b"\1": True}
    return lambda given: pa.array([values[v] for v in given], pa.bool_())
