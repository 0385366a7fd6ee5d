"""Callback: what is told of each stage of training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Logs = dict[str, float]


class Callback:
    """Override what you need; ``self.model`` is the model, ``logs`` the losses and metrics so far.

    ``self.model.stop_training = True`` ends training after the epoch.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self._model = model

    def on_train_begin(self, logs: Logs | None = None) -> None: ...
    def on_train_end(self, logs: Logs | None = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_test_begin(self, logs: Logs | None = None) -> None: ...
    def on_test_end(self, logs: Logs | None = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_begin(self, logs: Logs | None = None) -> None: ...
    def on_predict_end(self, logs: Logs | None = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...


class CallbackList:
    """Several callbacks as one, which calls only those that override a stage."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks must be Callback objects; received {callback!r}")
            callback.set_params(params)
            callback.set_model(model)

    def listeners(self, *stages: str) -> list[Any]:
        """The bound methods of those who override one of ``stages``."""
        found = []
        for callback in self.callbacks:
            for stage in stages:
                own = getattr(callback, stage)
                if getattr(own, "__func__", own) is not getattr(Callback, stage):
                    found.append(own)
        return found

    def tell(self, stage: str, *args: Any) -> None:
        for listener in self.listeners(stage):
            listener(*args)


def as_list(callbacks: Any) -> list[Callback]:
    """What a user passed as ``callbacks=``."""
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
