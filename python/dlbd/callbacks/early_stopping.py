"""EarlyStopping."""

from __future__ import annotations

from typing import Any

from dlbd.callbacks.base import Logs
from dlbd.callbacks.monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Ends training when a value has stopped improving.

    Args:
        monitor: name of the value in the logs; "val_loss" by default. If it is missing there, a warning says so.
        min_delta: the least change that counts as better; 0 by default.
        patience: epochs without improvement after which it stops; 0 by default: at the first one.
        verbose: 1 prints why it stopped.
        mode: "min", "max", or "auto" (the default), which tells from the name, or from the class of the metric with
            that name.
        baseline: the value that must be beaten for an epoch to count as better.
        restore_best_weights: end with the weights of the best epoch.
        start_from_epoch: epochs before this one are not judged.

    Attributes:
        stopped_epoch: number of the epoch after which it stopped; 0 if it did not.
        best, best_epoch: the best value so far and its epoch.

    Raises:
        ValueError: ``mode`` is unknown, or (at the end of the first epoch) needed and not given.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> stop = dlbd.callbacks.EarlyStopping(monitor="loss", patience=2)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=9, verbose=0, callbacks=[stop])
        >>> history.history["loss"], stop.best_epoch  # nothing is less than 0
        ([1.0, 0.0, 0.0, 0.0], 1)
    """

    remembered = ("wait", "stopped_epoch", "best", "best_weights", "best_epoch")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_weights: Any = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.watched(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.improves(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)
