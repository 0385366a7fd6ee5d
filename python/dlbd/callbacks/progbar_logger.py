"""ProgbarLogger: the progress bar of fit and evaluate."""

from __future__ import annotations

from collections.abc import Callable

from dlbd.callbacks.base import Callback, Logs
from dlbd.callbacks.progress import Bar, in_terminal, write


class ProgbarLogger(Callback):
    """Shows progress and the running loss and metrics; ``fit`` adds one itself unless ``verbose=0``."""

    def __init__(self, verbose: int = 1) -> None:
        super().__init__()
        self.verbose = verbose
        self._bar: Bar | None = None
        self._steps = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.verbose == 1:
            write(f"Epoch {epoch + 1}/{self.params['epochs']}\n")
        self._open(self.params.get("steps"))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.verbose == 2:
            write(f"Epoch {epoch + 1}/{self.params['epochs']}\n")
        self._close(logs or {})

    def open_test(self, steps: int | None) -> None:
        self._open(steps)

    def close_test(self, logs: Logs) -> None:
        self._close(logs)

    def _open(self, steps: int | None) -> None:
        self._steps = 0
        self._bar = Bar(steps, live=self.verbose == 1 and in_terminal())

    def _close(self, logs: Logs) -> None:
        if self._bar is not None:
            self._bar.finish(self._steps, logs)
            self._bar = None

    def after_batch(self, logs: Callable[[], Logs]) -> None:
        """Called after every step; asks for the logs only when it is time to show them."""
        self._steps += 1
        if self._bar is not None and self._bar.due():
            self._bar.show(self._steps, logs())

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._bar is not None:
            self._bar.abandon()
            self._bar = None
