"""Callback: what is told of each stage of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

# Floats, or arrays of metrics that are vectors or matrices.
Logs = dict[str, Any]


class Callback:
    """What ``fit``, ``evaluate`` and ``predict`` tell of each stage; a subclass overrides what it needs.

    Stages are ``on_train_begin(logs)`` and ``_end``, ``on_epoch_begin(epoch, logs)`` and ``_end``,
    ``on_train_batch_begin(batch, logs)`` and ``_end``, and the same with ``test`` and ``predict``. Epochs and batches
    count from 0. ``logs`` is a dict of floats: at the end of a batch the loss and metrics of the epoch so far, at the
    end of an epoch those of the epoch, the validation's as ``val_...``.

    A callback without batch stages costs nothing per batch. ``on_train_batch_end`` and ``on_test_batch_end`` cost the
    reading of the logs, for which a GPU must come to a halt; ``after_train_batch`` and ``after_test_batch``, which are
    not Keras's, read them only when they ask.

    Attributes:
        model: the model. ``self.model.stop_training = True`` ends training after the batch, and its epoch with it.
        params: dict with verbose, epochs and steps.

    Example:
        >>> class Told(dlbd.callbacks.Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, sorted(logs))
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[Told()])
        0 ['loss']
        1 ['loss']
    """

    # Attributes that say how far the callback has come: what get_state gives.
    remembered: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    def get_state(self) -> dict[str, Any]:
        """What :class:`BackupAndRestore` is to keep: a nest of numbers, strings and arrays.

        By default the attributes that the class lists in ``remembered``.

        Example:
            >>> class Counted(dlbd.callbacks.Callback):
            ...     remembered = ("batches",)
            ...     batches = 0
            ...     def after_train_batch(self, batch, read):
            ...         self.batches += 1
            >>> Counted().get_state()
            {'batches': 0}
        """
        return {name: getattr(self, name) for name in self.remembered}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on as :meth:`get_state` said; after ``on_train_begin``."""
        for name in self.remembered:
            setattr(self, name, state[name])

    @property
    def model(self) -> Any:
        """The model that is trained; None before."""
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called first, with verbose, epochs and steps."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called next, with the model."""
        self._model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch of ``fit``."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch; logs are those of that epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a training step."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a training step; logs are the means over the epoch so far."""

    def after_train_batch(self, batch: int, read: Callable[[], Logs]) -> None:
        """After a training step, like ``on_train_batch_end``; ``read()`` gives the logs."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """The old name of ``on_train_batch_begin``."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The old name of ``on_train_batch_end``."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before an evaluation, also that of an epoch."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After an evaluation, with its results."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of an evaluation; logs are the means so far."""

    def after_test_batch(self, batch: int, read: Callable[[], Logs]) -> None:
        """After a batch of an evaluation; ``read()`` gives the logs."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before the first batch of ``predict``."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After the last batch of ``predict``."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of ``predict``."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of ``predict``; ``logs["outputs"]`` holds copies of its outputs."""


class CallbackList:
    """Several callbacks as one, which calls only those that override a stage.

    ``fit`` makes one from its ``callbacks``; a loop of one's own may, too.

    Args:
        callbacks: the callbacks, called in this order.
        model: what they get as ``model``.
        params: what they get as ``params``.

    Raises:
        TypeError: one is no :class:`Callback`.

    Example:
        >>> told = dlbd.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: print("epoch", epoch))
        >>> dlbd.callbacks.CallbackList([told], model=None, params={}).tell("on_epoch_begin", 0, {})
        epoch 0
    """

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
        """Call the method named ``stage`` of all who override it."""
        for listener in self.listeners(stage):
            listener(*args)


def as_list(callbacks: Any) -> list[Callback]:
    """What a user passed as ``callbacks=``."""
    if callbacks is None:
        return []
    if isinstance(callbacks, CallbackList):
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, Sequence) else [callbacks]
