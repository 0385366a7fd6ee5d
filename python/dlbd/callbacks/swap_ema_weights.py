"""SwapEMAWeights."""

from __future__ import annotations

from typing import Any

from dlbd.backend import copied
from dlbd.callbacks.base import Callback, Logs


class SwapEMAWeights(Callback):
    """Puts the moving averages of the weights in their place while the model is evaluated.

    It goes with an optimizer that keeps them: ``use_ema=True``. The weights themselves come back afterwards.

    Args:
        swap_on_epoch: leave the averages there from the end of an epoch to the beginning of the next, too, so that
            callbacks that come later in the list, such as ``ModelCheckpoint``, see them; False by default.

    Raises:
        ValueError: (at the beginning of training or evaluation) the optimizer keeps no averages.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.125, use_ema=True, ema_momentum=0.5), "mse")
        >>> data, swap = (np.ones((4, 1)), np.ones((4, 1))), dlbd.callbacks.SwapEMAWeights()
        >>> history = model.fit(*data, epochs=2, verbose=0, validation_data=data, callbacks=[swap])
        >>> history.history["val_loss"]  # of outputs 0.5, then of the mean of 0.5 and 0.75
        [0.25, 0.140625]
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._kept: list[tuple[Any, Any]] = []  # (variable, its own value), while the averages are in place
        self._came_in = False  # whether the evaluation that runs brought them there

    def get_state(self) -> dict[str, Any]:
        return {"kept": [value for _, value in self._kept]}

    def set_state(self, state: dict[str, Any]) -> None:
        self._kept = list(zip(self.model.trainable_variables, state["kept"], strict=False))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._take_out()  # of a training that was cut short
        self._require_averages()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._take_out()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._put_in()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._kept = []  # ``fit`` ends with the averages anyway

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._require_averages()
        self._came_in = not self._kept
        self._put_in()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self._came_in:
            self._take_out()

    on_predict_begin, on_predict_end = on_test_begin, on_test_end

    def _require_averages(self) -> None:
        if not getattr(self.model.optimizer, "use_ema", False):
            raise ValueError("[SwapEMAWeights] the optimizer keeps no averages: make it with use_ema=True")

    def _put_in(self) -> None:
        optimizer, variables = self.model.optimizer, self.model.trainable_variables
        if optimizer.built and not self._kept:
            self._kept = [(v, copied(v.array)) for v in variables]
            optimizer.finalize_variable_values(variables)

    def _take_out(self) -> None:
        for variable, value in self._kept:
            variable.assign(value)
        self._kept = []
