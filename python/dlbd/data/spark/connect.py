"""Data frames of Spark Connect: the driver is a server, which this process talks to by gRPC."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from copy import copy
from typing import Any

from dlbd.data.errors import SourceError, missing
from dlbd.data.inbox import Inbox
from dlbd.data.spark.columns import Columns, numbered
from dlbd.data.spark.frames import FrameReader, said

try:
    import pyspark
    from pyspark.errors import PySparkException
except ImportError as error:
    raise missing("spark", error) from error

_PATIENCE = 3.0  # seconds for the server to end a job


def reader(frame: Any, name: str = "Spark DataFrame") -> ConnectReader:
    """A reader of a data frame."""
    if pyspark.__version__.startswith("3."):
        raise ValueError(f"{name} is of Spark Connect, which is read with pyspark 4; here is {pyspark.__version__}")
    return ConnectReader(frame, name)


class ConnectReader(FrameReader):
    """All partitions are computed at once, as Spark Connect does it, and wait on disk here. Rows go through the server
    where executors cannot reach this process, or the connection is encrypted.
    """

    def __init__(self, frame: Any, name: str) -> None:
        self.name, self._frame = name, frame
        self._inbox, self._signs = None, 0
        self._client: Any = None
        self._tag = ""  # of the jobs of a scan
        with self._session() as own:
            schema = own.schema
        super().__init__(Columns(schema, name, connect=True), name)

    def abort(self) -> None:
        client = self._client
        if client is not None:
            with suppress(Exception):  # a server that is gone, or frozen, ends no jobs
                request = client._interrupt_request("tag", self._tag)
                client._stub.Interrupt(request, metadata=client._builder.metadata(), timeout=_PATIENCE)
            client._channel.close()  # whoever waits for the server waits no longer

    def progress(self) -> Any:
        """Something new while bytes come, or the server says that tasks run."""
        return self._signs, self._inbox.received if self._inbox is not None else 0

    def _heard(self, inflight_tasks: int, **_: Any) -> None:
        self._signs += inflight_tasks > 0

    def _listening(self) -> Inbox | None:
        builder = self._client._builder
        if getattr(builder, "secure", True):
            return None
        try:
            family, kind, *_, address = socket.getaddrinfo(builder.host.strip("[]"), 9, type=socket.SOCK_DGRAM)[0]
            with closing(socket.socket(family, kind)) as way:
                way.connect(address)  # sends nothing, and says by which of our addresses the server is reached
                return Inbox(way.getsockname()[0])
        except OSError:
            return None

    @contextmanager
    def _jobs(self) -> Iterator[Any]:
        with self._session() as frame:
            try:
                yield numbered(frame, len(self.schema))
            except BaseException:
                self.abort()
                raise

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """The frame in its session, by a channel of our own: it may be closed, and tries nothing again for minutes."""
        session = self._frame.sparkSession
        try:
            client = copy(session.client)
            client._stub = type(client._stub)(channel := client._builder.toChannel())
            client._channel = channel
            client._use_reattachable_execute = False
            client._retry_policies = []
            client._progress_handlers = [self._heard]
            client._release_futures = set()
            own = object.__new__(type(session))
            own.__dict__ = {key: value for key, value in vars(session).items() if key != "_sqm"} | {"_client": client}
            self._client, self._tag = client, f"dlbd-{uuid.uuid4()}"
            client.add_tag(self._tag)  # of this thread
            with closing(channel):
                try:
                    yield type(self._frame)(self._frame._plan, own)
                finally:
                    client.remove_tag(self._tag)
        except (PySparkException, OSError, ValueError) as error:  # ValueError: of a channel that was closed
            raise SourceError(f"{self.name}: {said(error)}") from None
