"""TerminateOnNaN."""

from __future__ import annotations

import math
from collections.abc import Callable

from dlbd.callbacks.base import Callback, Logs

# Batches from one look at the loss to the next. A look costs 7 microseconds on a CPU, where a whole step of a small
# model takes 16, and on a GPU the wait for all that was launched: one in sixteen batches is lost in the noise.
LOOK_EVERY = 16


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite.

    The mean loss of the epoch so far, which stays NaN or infinite once it is, is looked at after every 16th batch and
    at the end of an epoch, so that training is not slowed. Keras looks after every batch; what up to 15 more batches
    do to weights that are lost anyway makes no difference.

    Args:
        raise_error: raise a RuntimeError in place of ending ``fit`` as if it were done; False by default.

    Raises:
        RuntimeError: the loss is NaN or infinite, and ``raise_error`` is True.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1)])
        >>> model.compile(dlbd.optimizers.SGD(1e30), "mse")
        >>> stop = dlbd.callbacks.TerminateOnNaN()
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=99, verbose=0, callbacks=[stop])
        Epoch 2: the loss is inf, training ends
        >>> history.epoch
        [0, 1]
    """

    remembered = ("_bad",)

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error
        self._bad: float | None = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._bad = None

    def after_train_batch(self, batch: int, read: Callable[[], Logs]) -> None:
        if batch % LOOK_EVERY == LOOK_EVERY - 1:
            self._look(read(), f"after batch {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._look(logs or {}, f"after epoch {epoch + 1}")
        if self._bad is not None:
            print(f"Epoch {epoch + 1}: the loss is {self._bad}, training ends")

    def _look(self, logs: Logs, when: str) -> None:
        loss = logs.get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"[TerminateOnNaN] the loss is {loss} {when}")
        self._bad = loss
        self.model.stop_training = True
