"""StopAtThreshold."""

from __future__ import annotations

from dlbd.callbacks.base import Logs
from dlbd.callbacks.monitor import MonitorCallback


class StopAtThreshold(MonitorCallback):
    """Ends training at the end of the first epoch in which a loss or a metric has reached a threshold. Not in Keras.

    Args:
        threshold: the value that is good enough.
        monitor: name of the value in the logs; "loss" by default, "val_accuracy" for example.
        mode: "min": the value must fall to the threshold; "max": it must rise to it; "auto" (the default): the name
            tells, or the class of the metric with that name.
        verbose: 1 prints why it stopped.

    Attributes:
        stopped_epoch: number of the epoch after which it stopped; None if it did not.

    Raises:
        ValueError: ``mode`` is unknown, or (at the end of the first epoch) needed and not given.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.125), "mse")
        >>> stop = dlbd.callbacks.StopAtThreshold(0.1)
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=99, verbose=0, callbacks=[stop])
        >>> history.history["loss"], stop.stopped_epoch
        ([1.0, 0.25, 0.0625], 2)
    """

    remembered = ("stopped_epoch",)

    def __init__(self, threshold: float, monitor: str = "loss", mode: str = "auto", verbose: int = 0) -> None:
        super().__init__(monitor, mode)
        self.threshold = threshold
        self.verbose = verbose
        self.stopped_epoch: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.stopped_epoch = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.watched(logs)
        if value is None:
            return
        if value >= self.threshold if self.larger_is_better else value <= self.threshold:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.verbose:
                print(f"Epoch {epoch + 1}: {self.monitor} {value:.6g} has reached {self.threshold:.6g}")
