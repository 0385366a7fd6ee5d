"""How executors hand over the rows of a partition: to the reader's inbox, or, where there is no way to it, to Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dlbd.data.errors import missing
from dlbd.data.inbox import Inbox

try:
    from pyspark.sql import types
except ImportError as error:
    raise missing("spark", error) from error

# What executors give to Spark: the key of the parcel that they sent; or no key, and some rows as a stream of Arrow's.
HANDED_OVER = types.StructType(
    [types.StructField("key", types.BinaryType()), types.StructField("rows", types.BinaryType())]
)

_PIECE = 4 << 20  # bytes of rows that go through Spark at once, about
_PATIENCE = 10.0  # seconds to connect to the inbox


def sender(inbox: Inbox | None, rows: int) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """What executors do: send a partition to an inbox as a stream of Arrow's, and give the parcel's key; nothing for a
    partition without rows. Where there is no inbox, or no way to it, rows go through Spark, piece by piece.
    """
    address, token = (None, b"") if inbox is None else (inbox.address, inbox.token)
    piece, patience = _PIECE, _PATIENCE

    def send(batches: Iterator[Any]) -> Iterator[Any]:  # a function in a function: executors need no dlbd for it
        import socket
        import uuid
        from itertools import chain

        import pyarrow

        options = pyarrow.ipc.IpcWriteOptions(compression="lz4")

        def handed_over(key: bytes | None, rows: bytes | None) -> Any:
            return pyarrow.record_batch(
                [pyarrow.array([one], pyarrow.binary()) for one in (key, rows)], ["key", "rows"]
            )

        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            return
        try:
            connection = None if address is None else socket.create_connection(address, patience)
        except OSError:
            connection = None
        if connection is None:
            for batch in chain([first], batches):
                some = min(rows, max(1, batch.num_rows * piece // max(batch.nbytes, 1)))
                for begin in range(0, batch.num_rows, some):
                    out = pyarrow.BufferOutputStream()
                    with pyarrow.ipc.new_stream(out, first.schema, options=options) as stream:
                        stream.write_batch(batch.slice(begin, some))
                    yield handed_over(None, out.getvalue().to_pybytes())
            return
        key = uuid.uuid4().bytes
        with connection:
            connection.settimeout(60)
            with connection.makefile("wb") as out:
                out.write(token + key)
                with pyarrow.ipc.new_stream(out, first.schema, options=options) as stream:
                    stream.write_table(pyarrow.Table.from_batches([first]), rows)
                    for batch in batches:
                        stream.write_table(pyarrow.Table.from_batches([batch]), rows)
                out.write(key)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                said = answer.read().decode()
        if said != "ok":
            raise OSError(said or "the connection to the reader was closed")
        yield handed_over(key, None)

    return send
