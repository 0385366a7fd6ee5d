"""ProgbarLogger: the progress bar of fit and evaluate."""

from __future__ import annotations

from collections.abc import Callable

from dlbd.callbacks.base import Callback, Logs
from dlbd.callbacks.progress import Bar
from dlbd.callbacks.screen import screen


class ProgbarLogger(Callback):
    """Shows progress and the running loss and metrics; ``fit`` and ``evaluate`` add one unless ``verbose=0``.

    In a terminal and in a notebook a bar grows, at most ten times a second; a file or pipe gets one line per epoch.
    A metric that is a vector is shown by its elements, or by their mean if there are more than four, one that is a
    matrix by its shape; ``History`` has them whole.

    Args:
        verbose: 1 (the default) for a bar where one can grow, 2 for one line per epoch everywhere.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> bar = dlbd.callbacks.ProgbarLogger(verbose=2)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0, callbacks=[bar])  # doctest: +ELLIPSIS
        Epoch 1/1 - 1/1 - 0s - ... - loss: 1.0000
    """

    def __init__(self, verbose: int = 1) -> None:
        super().__init__()
        self.verbose = verbose
        self._bar: Bar | None = None
        self._steps = 0
        self._total: int | None = None
        self._in_fit = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True
        self._total = self.params.get("steps")

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._open(self._total, f"Epoch {epoch + 1}/{self.params['epochs']}")

    def after_train_batch(self, batch: int, read: Callable[[], Logs]) -> None:
        self._advance(batch, read)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._total = self._steps  # if it was unknown before
        self._close(logs or {})

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_fit = False
        self.abandon()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._open(self.params.get("steps"))

    def after_test_batch(self, batch: int, read: Callable[[], Logs]) -> None:
        if not self._in_fit:
            self._advance(batch, read)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._close(logs or {})

    def abandon(self) -> None:
        """Training or evaluation was cut short: the line stays as it is, and what comes next begins a new one."""
        if self._bar is not None:
            self._bar.abandon()
            self._bar = None

    def _open(self, total: int | None, title: str = "") -> None:
        self._steps = 0
        self._bar = Bar(total, screen(self.verbose), title)

    def _advance(self, batch: int, read: Callable[[], Logs]) -> None:
        self._steps = batch + 1  # the epoch may have begun in another process
        if self._bar is not None and self._bar.due():
            self._bar.show(self._steps, read())

    def _close(self, logs: Logs) -> None:
        if self._bar is not None:
            self._bar.finish(self._steps, logs)
            self._bar = None
