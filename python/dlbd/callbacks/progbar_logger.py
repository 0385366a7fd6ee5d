"""ProgbarLogger: the progress bar of fit and evaluate."""

from __future__ import annotations

from collections.abc import Callable

from dlbd.callbacks.base import Callback, Logs
from dlbd.callbacks.progress import Bar, in_terminal, write


class ProgbarLogger(Callback):
    """Shows progress and the running loss and metrics; ``fit`` adds one itself unless ``verbose=0``.

    Args:
        verbose: 1 (the default) for a bar, which a terminal sees grow; 2 for one line per epoch.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> bar = dlbd.callbacks.ProgbarLogger(verbose=2)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0, callbacks=[bar])  # doctest: +ELLIPSIS
        Epoch 1/1
        1/1 ... - loss: 1.0000
    """

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
        """An evaluation of so many steps begins; None if it is not known how many."""
        self._open(steps)

    def close_test(self, logs: Logs) -> None:
        """The evaluation has ended with these results."""
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
