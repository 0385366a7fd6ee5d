"""EarlyStopping."""

from __future__ import annotations

import operator
import warnings
from typing import Any

from dlbd.callbacks.base import Callback, Logs


class EarlyStopping(Callback):
    """Ends training when a value has stopped improving.

    Args:
        monitor: name of the value in the logs; "val_loss" by default. If it is missing there, a warning says so.
        min_delta: the least change that counts as better; 0 by default.
        patience: epochs without improvement after which it stops; 0 by default: at the first one.
        verbose: 1 prints why it stopped.
        mode: "min", "max", or "auto" (the default): "max" where the name holds accuracy, precision, recall, f1 or r2,
            or is acc or auc, and "min" otherwise.
        baseline: the value that must be beaten for an epoch to count as better.
        restore_best_weights: end with the weights of the best epoch.
        start_from_epoch: epochs before this one are not judged.

    Attributes:
        stopped_epoch: number of the epoch after which it stopped; 0 if it did not.
        best, best_epoch: the best value so far and its epoch.

    Raises:
        ValueError: ``mode`` is unknown.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> stop = dlbd.callbacks.EarlyStopping(monitor="loss", patience=2)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=9, verbose=0, callbacks=[stop])
        >>> history.history["loss"], stop.best_epoch  # nothing is less than 0
        ([1.0, 0.0, 0.0, 0.0], 1)
    """

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
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'[EarlyStopping] mode must be "auto", "min" or "max"; received {mode!r}')
        self.monitor = monitor
        self.min_delta = abs(min_delta)
        self.patience = patience
        self.verbose = verbose
        larger = mode == "max" or (mode == "auto" and _larger_is_better(monitor))
        self._better = operator.gt if larger else operator.lt
        self._sign = 1 if larger else -1
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
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"EarlyStopping watches {self.monitor!r}, which is not among {sorted(logs or {})}: it never stops",
                stacklevel=2,
            )
            return
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self._improves(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _improves(self, value: float, on: float | None) -> bool:
        return on is None or self._better(value - self._sign * self.min_delta, on)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


def _larger_is_better(monitor: str) -> bool:
    name = monitor.removeprefix("val_").lower()
    return name in ("acc", "auc") or any(part in name for part in ("accuracy", "precision", "recall", "f1", "r2"))
