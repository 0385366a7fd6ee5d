"""LearningRateScheduler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from dlbd.callbacks.base import Callback, Logs


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of every epoch.

    The logs of the epoch get it as "learning_rate".

    Args:
        schedule: a function of the epoch's number (from 0) and the learning rate so far that gives the new one; one
            of the number alone will do, too.
        verbose: 1 prints every learning rate.

    Raises:
        TypeError: ``schedule`` gives something else than a number.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1)])
        >>> model.compile(dlbd.optimizers.SGD(1.0), "mse")
        >>> halved = dlbd.callbacks.LearningRateScheduler(lambda epoch, lr: lr / 2 if epoch else lr)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[halved])
        >>> history.history["learning_rate"]
        [1.0, 0.5, 0.25]
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        arguments = epoch, float(optimizer.learning_rate)
        given = self.schedule(*arguments[: _positional(self.schedule)])
        try:
            optimizer.learning_rate = float(given)
        except (TypeError, ValueError):
            raise TypeError(f"[LearningRateScheduler] schedule must give a number; received {given!r}") from None
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {float(optimizer.learning_rate):.6g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _positional(function: Callable[..., Any]) -> int:
    """How many of (epoch, learning rate) the function takes."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some that are written in C
        return 2
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 2
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
