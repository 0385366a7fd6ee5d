"""Parcels that other processes send to this one over the network, kept on disk until they are taken."""

from __future__ import annotations

import secrets
import shutil
import socket
import socketserver
import tempfile
import threading
from contextlib import ExitStack, suppress
from typing import IO, Any

KEY = 16  # bytes of a parcel's key
_PIECE = 1 << 20


class Inbox:
    """Listens for parcels. Each is kept in a file without a name, which is gone when it is closed.

    A sender writes the token, the parcel's key, its content, the key again, and shuts down its side; it is answered
    ``b"ok"`` once the parcel lies here, or what went wrong. A parcel that breaks off was never there.

    Args:
        host: where it listens.
        known_as: how others call that host; the same by default.

    Attributes:
        address: host and port that others send to.
        token: 32 bytes that a sender must know.
        received: bytes so far.
    """

    def __init__(self, host: str, known_as: str | None = None) -> None:
        self.token = secrets.token_bytes(32)
        self.received = 0
        self._parcels: dict[bytes, IO[bytes]] = {}
        self._receiving: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        inbox = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                inbox._receiving[self.request] = threading.current_thread()
                if not inbox._closing:
                    inbox._receive(self.request)
                del inbox._receiving[self.request]

        class Server(socketserver.ThreadingTCPServer):
            address_family = socket.getaddrinfo(host, 0)[0][0]

        self._server = Server((host, 0), Handler)
        self.address = (known_as or host, int(self._server.server_address[1]))
        self._server.daemon_threads = True  # a program may end without closing what it reads
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="dlbd.data inbox", daemon=True
        )
        self._thread.start()

    def take(self, key: bytes) -> IO[bytes]:
        """The content of a parcel whose sender was answered, from its begin; the caller closes it."""
        return self._parcels.pop(key)

    def close(self) -> None:
        """No thread, connection or file is left."""
        self._closing = True
        self._server.shutdown()
        self._thread.join()
        for connection, thread in list(self._receiving.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
        self._server.server_close()
        while self._parcels:
            self._parcels.popitem()[1].close()

    def _receive(self, connection: socket.socket) -> None:
        with ExitStack() as unless_kept:
            try:
                parcel = unless_kept.enter_context(tempfile.TemporaryFile())
                with connection.makefile("rb") as sent:
                    if not secrets.compare_digest(sent.read(len(self.token)), self.token):
                        return
                    key = sent.read(KEY)
                    shutil.copyfileobj(sent, _Counted(parcel, self), _PIECE)
                size = max(parcel.tell() - KEY, 0)
                parcel.seek(size)
                if parcel.read() == key:
                    parcel.truncate(size)
                    parcel.seek(0)
                    self._parcels[key] = parcel
                    unless_kept.pop_all()
                    connection.sendall(b"ok")
            except OSError as error:  # the disk is full, the sender is gone
                with suppress(OSError):
                    connection.sendall(str(error).encode())


class _Counted:
    """A file that is written to, with its bytes counted."""

    def __init__(self, file: IO[bytes], inbox: Inbox) -> None:
        self._file, self._inbox = file, inbox

    def write(self, data: Any) -> int:
        self._inbox.received += len(data)
        return self._file.write(data)
