"""PyDataset: batches by number, made while others are trained on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

from dlbd import random


class PyDataset:
    """Batches that a program makes: the base of classes with ``__getitem__(index)`` and ``__len__``.

    ``fit`` takes the batches in a new order in every epoch, unless ``shuffle=False``.

    Args:
        workers: threads that make batches ahead; with 1 (the default) each is made when it is asked for.
        use_multiprocessing: accepted; threads are used.
        max_queue_size: how many batches at most are made ahead; 10 by default.

    Example:
        >>> class Squares(dlbd.utils.PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         x = np.arange(4.0).reshape(-1, 1) + 4 * index
        ...         return x, x**2
        >>> model = dlbd.Sequential([dlbd.Input((1,)), dlbd.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> len(model.fit(Squares(workers=2), epochs=2, verbose=0).epoch)
        2
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        if workers < 1 or max_queue_size < 1:
            raise ValueError(f"workers and max_queue_size must be at least 1; received {workers} and {max_queue_size}")
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """The batch of that number: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    @property
    def num_batches(self) -> int | None:
        """How many batches an epoch has: ``len()`` where the class has one; None for no end."""
        return len(self) if hasattr(type(self), "__len__") else None  # type: ignore[arg-type]

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def epoch(self, shuffle: bool) -> Iterator[Any]:
        """The batches of one epoch."""
        self.on_epoch_begin()
        size = self.num_batches
        order: Iterable[int] = count() if size is None else range(size)
        if shuffle and size is not None:
            order = random.generator().permutation(size).tolist()
        yield from (self[i] for i in order) if self.workers == 1 else self._ahead(order)
        self.on_epoch_end()

    def _ahead(self, order: Iterable[int]) -> Iterator[Any]:
        pending: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for index in order:
                    pending.append(pool.submit(self.__getitem__, index))
                    if len(pending) > self.max_queue_size:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()
