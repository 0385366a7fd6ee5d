"""A bound for how long a source may stay silent."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from dlbd.data.background import END, Background
from dlbd.data.errors import SourceError

T = TypeVar("T")

_AHEAD = 2  # batches read before they are asked for


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
        seconds: how long to wait for each item.
        name: what the error calls the source.
        abort: makes the iterator raise where it waits; called when the time is up, and when nobody wants more.
        progress: gives something else whenever the source has got on with its work: it is not silent then.

    Raises:
        SourceError: nothing came for so long.
    """
    reading = Background(make, f"dlbd.data {name}", _AHEAD)
    before = progress()
    try:
        while True:
            try:
                item = reading.get(seconds)
            except queue.Empty:
                now = progress()
                if now == before:
                    raise SourceError(f"{name}: nothing came for {seconds:g} seconds (timeout=)") from None
                before = now
                continue
            if item is END:
                return
            yield item
    finally:
        if not reading.close(0):
            abort()
            reading.close(seconds)
