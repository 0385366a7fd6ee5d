"""Parcels that processes send to this one."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from dlbd.data.inbox import KEY, Inbox

ONE, OTHER = b"1" * KEY, b"2" * KEY


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    before = threading.active_count()
    made = Inbox("127.0.0.1")
    yield made
    made.close()
    assert threading.active_count() == before


def send(
    inbox: Inbox, content: bytes, *, key: bytes = ONE, end: bytes | None = None, token: bytes | None = None
) -> str:
    with socket.create_connection(("127.0.0.1", inbox.address[1]), 10) as connection:
        connection.sendall((token or inbox.token) + key + content + (key if end is None else end))
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read().decode()


def test_parcels_are_kept_until_they_are_taken(inbox: Inbox):
    large = bytes(range(256)) * 20_000
    assert send(inbox, large) == "ok"
    assert send(inbox, b"", key=OTHER) == "ok"
    assert inbox.received == len(large) + 2 * KEY
    for key, content in ((OTHER, b""), (ONE, large)):
        with closing(inbox.take(key)) as parcel:
            assert parcel.read() == content
    with pytest.raises(KeyError):
        inbox.take(ONE)


@pytest.mark.parametrize("end", [b"", ONE[1:], OTHER])
def test_a_parcel_that_breaks_off_was_never_there(inbox: Inbox, end: bytes):
    for content in (b"", b"content"):
        assert send(inbox, content, end=end) == ""
    with pytest.raises(KeyError):
        inbox.take(ONE)
    assert send(inbox, b"content") == "ok"


def test_a_stranger_is_not_heard(inbox: Inbox):
    for token in (b"?", b"?" * len(inbox.token)):
        assert send(inbox, b"content", token=token) == ""
    assert inbox.received == 0


def test_a_full_disk_is_the_answer(inbox: Inbox, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: open("/dev/full", "r+b", buffering=0))  # noqa: SIM115
    assert "No space left on device" in send(inbox, b"content" * 1000)


def test_nothing_is_left_of_a_sender_that_stays_silent():
    inbox = Inbox("127.0.0.1")
    with socket.create_connection(("127.0.0.1", inbox.address[1]), 10) as connection:
        connection.sendall(inbox.token + ONE)
        send(inbox, b"content", key=OTHER)
        inbox.close()
        assert connection.recv(1) == b""


def test_a_program_may_end_without_closing():
    program = "import socket; from dlbd.data.inbox import Inbox; inbox = Inbox('127.0.0.1'); "
    program += "sender = socket.create_connection(('127.0.0.1', inbox.address[1])); sender.sendall(inbox.token)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
