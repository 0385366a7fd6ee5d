"""History: what fit returns."""

from __future__ import annotations

from typing import Any

from dlbd.callbacks.base import Callback, Logs


class History(Callback):
    """The losses and metrics of every epoch.

    Attributes:
        history: lists by name; those of the validation data begin with ``val_``.
        epoch: the epochs' numbers.
        params: verbose, epochs, steps.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_model": None}  # a model holds its history: no circle in a pickle
