"""A bound for how long a source may stay silent."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dlbd.data.background import END, Background
from dlbd.data.errors import SourceError

T = TypeVar("T")

_AHEAD = 2  # batches read before they are asked for
_LOOKS = 0.5  # seconds between two looks whether somebody waits for too long, at most
_FAREWELL = 1.0  # seconds that Ctrl-C waits for a thread to end


def watched(
    make: Callable[[], Generator[T, None, None]],
    seconds: float,
    name: str,
    abort: Callable[[], None],
    progress: Callable[[], Any] = lambda: None,
) -> Generator[T, None, None]:
    """What ``make()`` gives, read by a thread ahead of time; silence is an error.

    The thread ends with the iterator, however that ends.

    Args:
        make: gives the iterator; called in the thread, where the iterator is closed too.
        seconds: how long to wait for each item, and for each progress.
        name: what the error calls the source.
        abort: makes the iterator raise where it waits; called when the time is up, and when nobody wants more.
        progress: gives something else whenever the source has got on with its work: it is not silent then. Asked once
            before the reading begins, and then at each silence.

    Raises:
        SourceError: nothing came for so long.
    """
    before = progress()
    reading = Background(make, f"dlbd.data {name}", _AHEAD)
    farewell = seconds
    try:
        while True:
            try:
                item = reading.get(seconds)
            except queue.Empty:
                now = progress()
                if now == before:
                    raise _silence(name, seconds) from None
                before = now
                continue
            if item is END:
                return
            yield item
    except KeyboardInterrupt:
        farewell = _FAREWELL
        raise
    finally:
        if not reading.close(0):
            abort()
            reading.close(farewell)


class Patience:
    """A bound for how long a thread waits for a server that it writes to; see :func:`watched` for the arguments."""

    def __init__(
        self, seconds: float, name: str, abort: Callable[[], None], progress: Callable[[], Any] = lambda: None
    ) -> None:
        self._seconds, self._name, self._abort, self._progress = seconds, name, abort, progress
        self._since: float | None = time.monotonic()  # when the wait began; None while nobody waits
        self._silent = False

    @contextmanager
    def waiting(self) -> Generator[None, None, None]:
        """Whoever waits inside for longer is ended.

        Raises:
            SourceError: so it was.
        """
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(over,), name=f"dlbd.data {self._name}", daemon=True)
        watch.start()
        try:
            yield
        except Exception as error:
            if self._silent:
                raise _silence(self._name, self._seconds, *getattr(error, "__notes__", ())) from None
            raise
        finally:
            over.set()
            watch.join(_FAREWELL)

    def free(self, items: Iterator[T]) -> Generator[T, None, None]:
        """The items. While they are made nobody waits for the server."""
        while True:
            self._since = None
            try:
                item = next(items, END)
            finally:
                self._since = time.monotonic()
            if item is END:
                return
            yield item

    def _watch(self, over: threading.Event) -> None:
        before, got_on = self._progress(), 0.0
        while not over.wait(min(self._seconds / 4, _LOOKS)):
            since = self._since
            if since is None or time.monotonic() - max(since, got_on) < self._seconds:
                continue
            now = self._progress()
            if now != before:
                before, got_on = now, time.monotonic()
            elif self._since == since:  # or it answered meanwhile
                self._silent = True
                self._abort()
                return


def _silence(name: str, seconds: float, *notes: str) -> SourceError:
    return SourceError(" ".join([f"{name}: nothing came for {seconds:g} seconds (timeout=)", *notes]))
