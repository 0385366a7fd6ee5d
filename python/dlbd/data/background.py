"""An iterator that a thread reads ahead of time."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from dlbd.data.errors import SourceError

T = TypeVar("T")

END: Any = object()  # what comes after the last item
_AWAKE = 0.5  # seconds: whoever waits looks up that often, for signals
_running = threading.local()  # .reading: what the thread belongs to


class Background(Generic[T]):
    """The items of an iterator, which a thread reads ahead of time. The thread lives until the end or :meth:`close`.

    Where the iterator itself reads from another one of these, to close the outer one ends its wait for the inner one.

    Args:
        make: gives the iterator; called in the thread, where the iterator is closed, too.
        name: of the thread.
        ahead: how many items wait to be taken, at most; one more is being made then.

    Attributes:
        error: what the iterator raised, as soon as it has: before the items that wait are taken.
    """

    def __init__(self, make: Callable[[], Generator[T, None, None]], name: str, ahead: int) -> None:
        self.error: BaseException | None = None
        self._make = make
        self._items: queue.Queue[Any] = queue.Queue(ahead)
        self._stopped, self._cut = threading.Event(), False
        self._inner: list[Background[Any]] = []
        outer: Background[Any] | None = getattr(_running, "reading", None)
        if outer is not None:
            outer._inner.append(self)
            if outer._stopped.is_set():
                self._cut_off()
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        _running.reading = self
        try:
            iterator = self._make()
            try:
                for item in iterator:
                    self._put(item)
                    if self._stopped.is_set():
                        break
            finally:
                iterator.close()
        except BaseException as error:
            self.error = error
        self._put(END)

    def _put(self, item: Any) -> None:
        while not self._stopped.is_set():
            try:
                return self._items.put(item, timeout=0.1)
            except queue.Full:
                continue

    def get(self, seconds: float | None = None) -> T:
        """The next item; :data:`END` at the end.

        Args:
            seconds: how long to wait; None (the default) for as long as it takes.

        Raises:
            queue.Empty: nothing came for so long.
        """
        item = self._waited_for(sys.maxsize if seconds is None else seconds)
        if item is not END:
            return item  # type: ignore[no-any-return]
        if self._cut:
            raise SourceError(f"{self._thread.name}: nobody wants more")
        self._thread.join()
        if self.error is not None:
            raise self.error
        return END  # type: ignore[no-any-return]

    def _waited_for(self, seconds: float) -> Any:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > _AWAKE:
            # a signal that another thread got wakes nobody: its handler runs once this thread is awake
            with suppress(queue.Empty):
                return self._items.get(timeout=_AWAKE)
        return self._items.get(timeout=max(left, 0))

    def close(self, seconds: float | None = None) -> bool:
        """Let the thread end; whether it has, after waiting for so long at most."""
        self._stopped.set()
        for inner in self._inner:
            inner._cut_off()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _cut_off(self) -> None:
        """Whoever waits for an item waits no longer."""
        self._cut = True
        with suppress(queue.Full):
            self._items.put_nowait(END)
