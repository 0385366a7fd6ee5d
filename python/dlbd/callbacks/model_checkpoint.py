"""ModelCheckpoint: the model as files while it is trained."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from dlbd.callbacks.base import Logs
from dlbd.callbacks.monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, after every epoch or so many batches, or only where a value has become better.

    A file is there whole or not at all: if the disk is full or the process is killed, the one before is as it was.

    Args:
        filepath: name of the file, which ends in ".dlbd". It may hold the number of the epoch, from 1, that of the
            batch, and values of the logs: "{epoch:02d}-{val_loss:.2f}.dlbd". Folders are made.
        monitor: name of the value in the logs; "val_loss" by default.
        verbose: 1 prints what is saved and why.
        save_best_only: save only where the value is better than any before.
        save_weights_only: as ``model.save_weights`` does; otherwise as ``model.save``.
        mode: "min", "max", or "auto" (the default), which tells from the name, or from the class of the metric with
            that name.
        save_freq: "epoch" (the default), or a number of batches.
        initial_value_threshold: the value that the first one must be better than.

    Attributes:
        best: the best value so far.

    Raises:
        ValueError: ``filepath`` ends otherwise, or ``save_freq`` or ``mode`` is something else; (while training)
            ``filepath`` names what is not in the logs.
        OSError: (while training) the file cannot be written.

    Example:
        >>> import os, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> best = dlbd.callbacks.ModelCheckpoint(
        ...     os.path.join(folder, "{epoch:02d}-{loss:.1f}.dlbd"), monitor="loss", save_best_only=True
        ... )
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[best])
        >>> sorted(os.listdir(folder))  # the loss falls from 1 to 0, and stays there
        ['01-1.0.dlbd', '02-0.0.dlbd']
    """

    remembered = ("best", "_batches")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        if not self.filepath.endswith(".dlbd"):
            hint = self.filepath.removesuffix(".keras").removesuffix(".h5") + ".dlbd"
            raise ValueError(f'[ModelCheckpoint] filepath must end in ".dlbd": {hint!r}; received {self.filepath!r}')
        if save_freq != "epoch" and (isinstance(save_freq, (bool, str)) or save_freq < 1):
            raise ValueError(
                f'[ModelCheckpoint] save_freq must be "epoch" or a number of batches; received {save_freq!r}'
            )
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.initial_value_threshold = initial_value_threshold
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0  # since the last file
        if save_freq != "epoch":
            self.after_train_batch = self._count  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save({"epoch": epoch + 1}, logs or {})

    def _count(self, batch: int, read: Callable[[], Logs]) -> None:
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            self._save({"epoch": self._epoch + 1, "batch": batch + 1}, read())

    def _save(self, numbers: dict[str, int], logs: Logs) -> None:
        why = ""
        if self.save_best_only:
            value = self.watched(logs)
            if value is None:
                return
            before = "" if self.best is None else f" from {self.best:.6g}"
            if math.isnan(value) or not self.improves(value, self.best):
                self._print(numbers, f"{self.monitor} went{before} to {value:.6g}, not saved")
                return
            why = f"{self.monitor} went{before} to {value:.6g}, "
            self.best = value
        path = self._path(numbers, logs)
        self._print(numbers, f"{why}saving to {path}")
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)

    def _path(self, numbers: dict[str, int], logs: Logs) -> str:
        values: dict[str, Any] = {
            **{name: np.asarray(v).item() for name, v in logs.items() if np.size(v) == 1},
            **numbers,
        }
        try:
            return self.filepath.format(**values)
        except KeyError as error:
            raise ValueError(
                f"[ModelCheckpoint] filepath {self.filepath!r} names {error}, which is not among {sorted(values)}"
            ) from error

    def _print(self, numbers: dict[str, int], text: str) -> None:
        if self.verbose:
            print(", ".join(f"{name} {n}" for name, n in numbers.items()).capitalize() + f": {text}")
