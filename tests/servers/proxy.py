"""What stands between a client and a server: it asks for a client's certificate, which the server itself does not."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

from tests.servers.certificates import Authority


class TlsProxy:
    """Takes TLS connections of clients whose certificate the authority has signed, and hands on what they say.

    Attributes:
        port: of 127.0.0.1.
    """

    def __init__(self, authority: Authority, port: int) -> None:
        certificate, key = authority.issue("proxy")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
        self._context.load_cert_chain(certificate, key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._to = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            suppress(OSError),
            self._context.wrap_socket(client, server_side=True) as near,
            socket.create_connection(self._to) as far,
        ):
            back = threading.Thread(target=_hand_on, args=(far, near), daemon=True)
            back.start()
            _hand_on(near, far)
            back.join()


def _hand_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while some := one.recv(65536):
            other.sendall(some)
    with suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)
