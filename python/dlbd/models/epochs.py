"""Where fit stands in its data and its epochs, so that training which was cut short can be taken up there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from dlbd import random
from dlbd.models.batches import Batch, Source, close, one_epoch


class Epochs:
    """A source's batches epoch by epoch. With ``steps`` an epoch goes on in the data where the one before ended.

    Args:
        source: where the batches come from.
        steps: batches per epoch; None for one pass over the data.

    Attributes:
        goes_on: whether an epoch goes on so.
        last: the last batch that :meth:`seek` left out.
    """

    def __init__(self, source: Source, steps: int | None) -> None:
        self._source, self._steps = source, steps
        self.goes_on = steps is not None
        self._batches: Iterator[Batch] = iter(())
        self._begun: Any = None  # the state of the random numbers before the pass over the data, which made its order
        self._taken = 0  # batches of this pass
        self.last: Batch | None = None

    def epoch(self, done: int = 0) -> Iterator[Batch]:
        """The batches of one more epoch, or what is left of one that was begun before and of which some are done."""
        if self._steps is not None:
            return self._go_on(self._steps - done)
        if not done:
            self._begin()
        return self._rest()

    def _begin(self) -> None:
        self.close()
        self._begun, self._taken = random.get_state(), 0
        self._batches = self._source.epoch()

    def close(self) -> None:
        """Let go of what makes the batches."""
        close(self._batches)

    def _rest(self) -> Iterator[Batch]:
        for batch in self._batches:
            self._taken += 1
            yield batch

    def _go_on(self, steps: int) -> Iterator[Batch]:
        for _ in range(steps):
            batch = next(self._batches, None)
            if batch is None:
                self._begin()
                batch = next(self._batches, None)
            if batch is None:
                return
            self._taken += 1
            yield batch

    def position(self) -> dict[str, Any]:
        """Where in the data this is, for :meth:`seek`."""
        return {"begun": self._begun, "taken": self._taken}

    def seek(self, position: dict[str, Any]) -> None:
        """Go where :meth:`position` was: the same order, without the batches that were taken.

        Raises:
            ValueError: the data has fewer batches now.
        """
        if position["begun"] is None:
            return
        random.set_state(position["begun"])
        self._begin()
        for _ in range(position["taken"]):
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError(f"the data ends before batch {position['taken']}, which was trained on before")
            self.last = batch
        self._taken = position["taken"]


class Run:
    """A run of ``fit``: what :class:`dlbd.callbacks.BackupAndRestore` writes down, and puts back.

    Attributes:
        callbacks: all of them.
        data: where in the data it is.
        validated: how many batches of the validation data were taken.
        epoch, batch: which epoch is next or running, and how many of its batches are done when ``fit`` takes it up.
        logs: of the last epoch that was finished.
        restore: puts everything back, once all exists that a first step makes.
    """

    def __init__(self, callbacks: list[Any], data: Epochs, validation: Source | None, epoch: int) -> None:
        self.callbacks, self.data, self._validation = callbacks, data, validation
        self.epoch, self.batch, self.validated = epoch, 0, 0
        self.logs: dict[str, Any] = {}
        self.restore: Callable[[], None] | None = None

    def position(self, epoch: int, batch: int, logs: dict[str, Any]) -> dict[str, Any]:
        """Where it stands when so many batches of ``epoch`` are done, for :meth:`take_up`."""
        data = self.data.position() if batch or self.data.goes_on else None
        return {"epoch": epoch, "batch": batch, "logs": logs, "data": data, "validated": self.validated}

    def take_up(self, position: dict[str, Any], restore: Callable[[], None]) -> None:
        """Stand there again. ``restore`` will be called once a step has been tried."""
        self.epoch, self.batch, self.logs = position["epoch"], position["batch"], position["logs"]
        self.validated = position["validated"]
        if position["data"] is not None:
            self.data.seek(position["data"])
        if self._validation is not None and getattr(self._validation, "once", False):
            with one_epoch(self._validation) as batches:
                deque(islice(batches, self.validated), maxlen=0)
        self.restore = restore if self.batch else None
