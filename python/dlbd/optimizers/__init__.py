"""Optimizers, with Keras's names, defaults and rules."""

from __future__ import annotations

from typing import Any

from dlbd.optimizers import schedules
from dlbd.optimizers.optimizer import Optimizer
from dlbd.optimizers.rules import SGD, Adagrad, Adam, AdamW, RMSprop
from dlbd.saving.objects import registered as _registered
from dlbd.saving.objects import serialize_keras_object as _serialized

_BY_NAME: dict[str, type[Optimizer]] = {cls.__name__.lower(): cls for cls in (SGD, Adam, AdamW, RMSprop, Adagrad)}


def get(identifier: Any) -> Optimizer:
    """The optimizer that ``identifier`` means.

    Args:
        identifier: an optimizer (given back as it is); a name, whatever its case; a class; or a dict
            ``{"class_name": ..., "config": {...}}``.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.optimizers.get("adam")
        <Adam learning_rate=0.001>
    """
    identifier = _registered(identifier)
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str) and identifier.lower() in _BY_NAME:
        return _BY_NAME[identifier.lower()]()
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    if isinstance(identifier, dict) and str(identifier.get("class_name", "")).lower() in _BY_NAME:
        return _BY_NAME[identifier["class_name"].lower()].from_config(identifier.get("config", {}))
    raise ValueError(f"[optimizer] expected an Optimizer or one of {sorted(_BY_NAME)}; received {identifier!r}")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer without its state as plain data, which :func:`deserialize` understands.

    Example:
        >>> dlbd.optimizers.serialize(dlbd.optimizers.SGD(0.5))["config"]["learning_rate"]
        0.5
    """
    return _serialized(optimizer)  # type: ignore[no-any-return]


deserialize = get

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
