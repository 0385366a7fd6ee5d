"""Layers as plain data, and back."""

from __future__ import annotations

from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """A constructor's argument as plain data: of a layer or an initializer its class and configuration."""
    if isinstance(value, np.dtype):
        return value.name
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if callable(value):
        return getattr(value, "__name__", None)
    return value


def restored(config: dict[str, Any]) -> Any:
    """The layer that :func:`plain` wrote down."""
    from dlbd import layers, models

    name = config["class_name"]
    kind = getattr(layers, name, None) or getattr(models, name, None)
    if kind is None:
        raise ValueError(f"there is no layer class {name!r} in dlbd.layers")
    return kind.from_config(config["config"])
