"""Layers as plain data, and back: what layers need of :mod:`dlbd.saving`."""

from __future__ import annotations

import inspect
from typing import Any

from dlbd.saving.objects import deserialize_keras_object as restored
from dlbd.saving.objects import serialize_keras_object as plain
from dlbd.saving.objects import with_objects

# What every layer has, though a user's own constructor may not take it.
_COMMON = ("name", "trainable", "dtype")


def made_from(cls: Any, config: dict[str, Any]) -> Any:
    """A new layer of class ``cls`` from what its ``get_config`` gave."""
    config = with_objects(config)
    parameters = inspect.signature(cls.__init__).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return cls(**config)
    rest = {name: config.pop(name) for name in _COMMON if name in config and name not in parameters}
    layer = cls(**config)
    if "name" in rest:
        layer.name = rest["name"]
    if rest.get("trainable") is False:
        layer.trainable = False
    return layer


__all__ = ["made_from", "plain", "restored"]
