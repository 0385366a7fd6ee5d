"""A silent source is an error in time, and no thread outlives the reading."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable

import pytest

from dlbd.data import SourceError
from dlbd.data.deadline import Patience, watched


class Server:
    """Gives numbers, and may fall silent before one of them, or fail."""

    def __init__(self, numbers: int, silent_at: int | None = None, fails_at: int | None = None) -> None:
        self.numbers, self.silent_at, self.fails_at = numbers, silent_at, fails_at
        self.aborted = threading.Event()
        self.closed = False

    def scan(self) -> Generator[int, None, None]:
        try:
            for i in range(self.numbers):
                if i == self.silent_at:
                    self.aborted.wait(30)
                    raise OSError("socket closed")
                if i == self.fails_at:
                    raise ValueError("broken")
                yield i
        finally:
            self.closed = True

    def watched(self, seconds: float = 10) -> Generator[int, None, None]:
        return watched(self.scan, seconds, "server", self.aborted.set)


@pytest.fixture(autouse=True)
def no_thread_left():
    before = threading.active_count()
    yield
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_everything_comes_in_order():
    server = Server(1000)
    assert list(server.watched()) == list(range(1000))
    assert server.closed
    assert not server.aborted.is_set()


def test_silence_is_an_error():
    server = Server(10, silent_at=5)
    seen = []
    with pytest.raises(SourceError, match=r"server: nothing came for 0\.2 seconds"):
        seen.extend(server.watched(0.2))
    assert server.aborted.is_set()
    assert server.closed


def test_a_slow_consumer_is_no_silence():
    numbers = Server(5).watched(0.2)
    assert next(numbers) == 0
    time.sleep(0.5)
    assert list(numbers) == [1, 2, 3, 4]


def test_an_error_arrives_behind_what_came_before():
    server = Server(10, fails_at=3)
    seen: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        seen.extend(server.watched())
    assert seen == [0, 1, 2]


def test_closing_early_ends_the_scan():
    server = Server(1_000_000)
    numbers = server.watched()
    assert next(numbers) == 0
    numbers.close()
    assert server.closed
    assert server.aborted.is_set()


def test_a_source_that_works_on_is_not_silent():
    numbers = iter([0, 1, 2, 2])  # its progress, each time it is asked
    server = Server(3, silent_at=2)
    reading = watched(server.scan, 0.1, "server", server.aborted.set, lambda: next(numbers))
    begin = time.monotonic()
    with pytest.raises(SourceError, match=r"nothing came for 0\.1 seconds"):
        list(reading)
    assert time.monotonic() - begin > 0.25


class Taker:
    """Takes numbers, and falls silent at one of them."""

    def __init__(self, silent_at: int | None = None) -> None:
        self.silent_at = silent_at
        self.aborted = threading.Event()

    def take(self, numbers: Iterable[int]) -> int:
        for i in numbers:
            if i == self.silent_at:
                assert self.aborted.wait(30)
                raise OSError("socket closed")
        return i


def test_a_silent_taker_is_an_error():
    taker = Taker(silent_at=3)
    patience = Patience(0.2, "server", taker.aborted.set)
    with pytest.raises(SourceError, match=r"server: nothing came for 0\.2 seconds"), patience.waiting():
        taker.take(patience.free(iter(range(5))))


def test_whoever_makes_the_items_may_take_its_time():
    def slow() -> Generator[int, None, None]:
        for i in range(3):
            time.sleep(0.3)
            yield i

    taker = Taker()
    patience = Patience(0.1, "server", taker.aborted.set)
    with patience.waiting():
        assert taker.take(patience.free(slow())) == 2
    assert not taker.aborted.is_set()
    with pytest.raises(ValueError, match="broken"), patience.waiting():
        raise ValueError("broken")


def test_a_taker_that_works_on_is_not_silent():
    answers = iter([0, 1, 2, 2])  # its progress, each time it is asked
    taker = Taker(silent_at=0)
    patience = Patience(0.1, "server", taker.aborted.set, lambda: next(answers))
    begin = time.monotonic()
    with pytest.raises(SourceError), patience.waiting():
        taker.take(patience.free(iter([0])))
    assert time.monotonic() - begin > 0.28
