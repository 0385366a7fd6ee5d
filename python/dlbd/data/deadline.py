"""A bound for how long a source may stay silent."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from dlbd.data.errors import SourceError

T = TypeVar("T")

_AHEAD = 2  # batches read before they are asked for


class _End:
    """The last thing in the queue: the iterator's end, or its error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


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
    items: queue.Queue[Any] = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                return items.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        error: BaseException | None = None
        try:
            iterator = make()
            try:
                for item in iterator:
                    put(item)
                    if stopped.is_set():
                        break
            finally:
                iterator.close()
        except BaseException as caught:
            error = caught
        put(_End(error))

    thread = threading.Thread(target=read, name=f"dlbd.data {name}", daemon=True)
    thread.start()
    ended, before = False, progress()
    try:
        while True:
            try:
                item = items.get(timeout=seconds)
            except queue.Empty:
                now = progress()
                if now != before:
                    before = now
                    continue
                raise SourceError(f"{name}: nothing came for {seconds:g} seconds (timeout=)") from None
            if isinstance(item, _End):
                ended = True
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        if not ended:
            abort()
        thread.join(seconds)
