"""An address at which nobody answers: opening it ends when the time is up, whatever it is the address of."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, write_table

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port of 127.0.0.1 that takes no more connections, and says nothing of it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listening.getsockname())
        time.sleep(0.1)
        yield listening.getsockname()[1]
        for one in waiting:
            one.close()


@pytest.fixture
def mute() -> Iterator[int]:
    """A port of 127.0.0.1 that takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
        yield listening.getsockname()[1]


ADDRESSES = {
    "postgresql": "postgresql://kim:s3cret@127.0.0.1:{}/shop",
    "mysql": "mysql://kim:s3cret@127.0.0.1:{}/shop",
    "mongodb": "mongodb://kim:s3cret@127.0.0.1:{}/shop",
    "s3": "s3://bucket/file.csv",
    "hdfs": "hdfs://127.0.0.1:{}/file.csv",
}


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("place", ["black_hole", "mute"])
def test_opening_ends_in_time(kind: str, place: str, request: pytest.FixtureRequest):
    port = request.getfixturevalue(place)
    options = {"table": "t"}
    if kind == "s3":
        options = {"storage_options": {"endpoint_override": f"http://127.0.0.1:{port}", "access_key": "a"}}
        options["storage_options"]["secret_key"] = "s3cret"
    elif kind == "hdfs":
        pytest.importorskip("hdfs_native")
        options = {}
    begin = time.monotonic()
    with pytest.raises(SourceError) as raised:
        dlbd.data.open(ADDRESSES[kind].format(port), timeout=2, **options)
    assert time.monotonic() - begin < (14 if kind == "hdfs" else 8)  # whose client tries again
    assert str(raised.value).startswith(f"{kind}://")
    assert "s3cret" not in str(raised.value)
    if kind in ("postgresql", "mysql"):
        begin = time.monotonic()
        with pytest.raises(SourceError):
            write_table(ADDRESSES[kind].format(port), "t", pa.table({"x": [1]}), timeout=2)
        assert time.monotonic() - begin < 8
    until = time.monotonic() + 5
    while [t.name for t in threading.enumerate() if t.name.startswith(("dlbd.data", "pymongo"))]:
        assert time.monotonic() < until, threading.enumerate()
        time.sleep(0.05)
