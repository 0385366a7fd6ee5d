"""Where fit stands in its data and its epochs, so that training which was cut short can be taken up there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dlbd import random
from dlbd.models.batches import Batch, Source


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
        self._begun, self._taken = random.get_state(), 0
        self._batches = self._source.epoch()

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
        epoch, batch: which epoch is next or running, and how many of its batches are done when ``fit`` takes it up.
        logs: of the last epoch that was finished.
        restore: puts everything back, once all exists that a first step makes.
    """

    def __init__(self, callbacks: list[Any], data: Epochs, epoch: int) -> None:
        self.callbacks, self.data, self.epoch, self.batch = callbacks, data, epoch, 0
        self.logs: dict[str, Any] = {}
        self.restore: Callable[[], None] | None = None
