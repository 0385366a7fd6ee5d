"""ReduceLROnPlateau."""

from __future__ import annotations

import numpy as np

from dlbd.callbacks.base import Logs
from dlbd.callbacks.monitor import MonitorCallback


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by a factor when a value has stopped improving.

    The logs of the epoch get the learning rate that it was trained with as "learning_rate".

    Args:
        monitor: name of the value in the logs; "val_loss" by default.
        factor: what the learning rate is multiplied by, less than 1; 0.1 by default.
        patience: epochs without improvement after which it is; 10 by default.
        verbose: 1 prints when it is.
        mode: "min", "max", or "auto" (the default), which tells from the name, or from the class of the metric with
            that name.
        min_delta: the least change that counts as better; 0.0001 by default.
        cooldown: epochs after a reduction that are not counted; 0 by default.
        min_lr: the learning rate does not become less; 0 by default.

    Raises:
        ValueError: ``factor`` is 1 or more, or ``mode`` is unknown or (at the end of the first epoch) needed and not
            given.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> slower = dlbd.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=6, verbose=0, callbacks=[slower])
        >>> history.history["loss"], history.history["learning_rate"]  # nothing is less than 0
        ([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25, 0.125, 0.125])
    """

    remembered = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1:
            raise ValueError(f"[ReduceLROnPlateau] factor must be less than 1; received {factor}")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best: float | None = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        value = self.watched(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        before = float(optimizer.learning_rate)
        if before <= np.float32(self.min_lr):
            return
        optimizer.learning_rate = max(before * self.factor, self.min_lr)
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate falls to {float(optimizer.learning_rate):.6g}")
