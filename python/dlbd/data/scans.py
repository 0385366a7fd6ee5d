"""What the readers of files have in common: a scan that can be ended from another thread."""

from __future__ import annotations

import os
import socket
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing, suppress

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression

# Seconds that a scan has to end by itself, and then by the end of its connections, which the client makes anew thrice.
_BY_ITSELF, _CUT_OFF = 1.0, 8.0

Server = tuple[str, int]

_CONNECTING = "02"  # Linux's SYN_SENT


class FileReader(ABC):
    """A reader of files; see :class:`dlbd.data.reader.Reader`.

    Args:
        name: what errors call them.
        remote: whether they are behind a network.
        servers: host and port of those whose client waits for them without end.
    """

    ordered, sorts = True, False
    schema: pa.Schema

    def __init__(self, name: str, remote: bool, servers: Collection[Server]) -> None:
        self.name, self.remote = name, remote
        self._servers = servers
        self._busy = self._stopped = False

    @abstractmethod
    def _batches(
        self, columns: Sequence[str], where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]: ...

    @abstractmethod
    def _count(self) -> int | None: ...

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        self._busy = True
        try:
            with closing(self._batches(columns, where, rows)) as batches:
                for batch in batches:
                    if self._stopped:
                        return
                    yield batch
        finally:
            self._busy = False

    def count(self, where: Expression | None) -> int | None:
        if where is not None:
            return None
        self._busy = True
        try:
            return self._count()
        finally:
            self._busy = False

    def abort(self) -> None:
        self._stopped = True
        cut_off(self._servers, lambda: not self._busy)


def cut_off(servers: Collection[Server], over: Callable[[], bool]) -> None:
    """End this process's connections to the servers, and those that their clients make in place of them, until it is
    over; unless it is over soon without that.
    """
    if not servers:
        return
    begin = time.monotonic()
    while not over() and (waited := time.monotonic() - begin) < _CUT_OFF:
        if waited > _BY_ITSELF:
            places = [place for server in servers for *_, place in socket.getaddrinfo(*server)]
            addresses = {(str(place[0]), int(place[1])) for place in places}
            for handle in os.listdir("/proc/self/fd"):
                _shut_down(int(handle), addresses)
        time.sleep(0.05)


def _shut_down(handle: int, addresses: Collection[Server]) -> None:
    with suppress(OSError):  # closed meanwhile
        status = os.fstat(handle)
        if stat.S_ISSOCK(status.st_mode):
            with socket.socket(fileno=os.dup(handle)) as connection:
                if connection.family in (socket.AF_INET, socket.AF_INET6) and _peer(connection, status) in addresses:
                    connection.shutdown(socket.SHUT_RDWR)


def _peer(connection: socket.socket, status: os.stat_result) -> Server | None:
    """Whom it is connected to, or about to be: the system lists those beside the numbers of their sockets."""
    with suppress(OSError):
        host, port = connection.getpeername()[:2]
        return str(host), int(port)
    with suppress(OSError), open("/proc/self/net/tcp") as lines:
        for line in lines:
            _, _, place, state, *others = line.split()
            if state == _CONNECTING and others[5] == str(status.st_ino):
                host, port = place.split(":")
                return socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)
    return None
