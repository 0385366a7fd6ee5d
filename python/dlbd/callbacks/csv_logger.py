"""CSVLogger."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

from dlbd.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Writes the losses and metrics of every epoch to a CSV file, a line each.

    The columns are "epoch", from 0, and the names of the first epoch's logs in alphabetical order. What an epoch does
    not have is "NA": the validation's values with ``validation_freq``. A metric that is a vector or a matrix is written
    as a list.

    Args:
        filename: of the file.
        separator: between the values; "," by default.
        append: add to the file if it is there, without another header; False (the default) begins it anew.

    Example:
        >>> import tempfile
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        ...     log = dlbd.callbacks.CSVLogger(file.name)
        ...     history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[log])
        ...     print(file.read().decode(), end="")
        epoch,loss
        0,1.0
        1,0.0
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self.keys: list[str] | None = None

    def get_state(self) -> dict[str, Any]:
        return {"keys": self.keys, "size": self.filename.stat().st_size if self.filename.exists() else 0}

    def set_state(self, state: dict[str, Any]) -> None:
        """Cut off what was written later: it will be written again."""
        self.keys = state["keys"]
        if self.filename.exists() and self.filename.stat().st_size > state["size"]:
            os.truncate(self.filename, state["size"])

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        begins = self.keys is None and not (self.append and self.filename.exists() and self.filename.stat().st_size)
        rows: list[list[Any]] = []
        if self.keys is None:
            self.keys = _columns(logs, "validation_freq" in self.params)
        if begins:
            rows.append(["epoch", *self.keys])
        rows.append([epoch, *(_plain(logs.get(key, "NA")) for key in self.keys)])
        # opened anew for each epoch: nothing is left open if training is cut short
        with self.filename.open("w" if begins else "a", newline="") as file:
            csv.writer(file, delimiter=self.separator, lineterminator="\n").writerows(rows)


def _columns(logs: Logs, validated_later: bool) -> list[str]:
    names = sorted(logs)
    if validated_later and not any(name.startswith("val_") for name in names):
        names += [f"val_{name}" for name in names if name != "learning_rate"]
    return names


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value).tolist()
