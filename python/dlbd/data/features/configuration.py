"""Features as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlbd.data.features.category import Category
from dlbd.data.features.column import Column
from dlbd.data.features.date import Date
from dlbd.data.features.image import Image
from dlbd.data.features.number import Number
from dlbd.data.features.rows import DropDuplicates, DropMissing
from dlbd.data.features.target import Target
from dlbd.data.features.targets import Targets
from dlbd.data.features.text import Text
from dlbd.data.features.vector import Vector
from dlbd.data.features.window import Window

_CLASSES: dict[str, Any] = {
    c.__name__: c for c in (Category, Date, DropDuplicates, DropMissing, Image, Number, Target, Text, Vector, Window)
}


def part_from_config(config: Mapping[str, Any]) -> Any:
    """A column, a step or a window from what its ``get_config`` said.

    Raises:
        ValueError: there is no such class.
    """
    arguments = dict(config)
    name = arguments.pop("class_name")
    if name not in _CLASSES:
        raise ValueError(f"features have no part of kind {name!r}; there are {sorted(_CLASSES)}")
    return _CLASSES[name](**arguments)


def target_config(targets: Targets) -> Any:
    """Of one target its own, of several a list, of outputs ``{"outputs": {name: config}}``."""
    if targets is None or isinstance(targets, Column):
        return None if targets is None else targets.get_config()
    if isinstance(targets, dict):
        return {"outputs": {output: t.get_config() for output, t in targets.items()}}
    return [t.get_config() for t in targets]


def target_from_config(config: Any) -> Targets:
    """The way back."""
    if config is None:
        return None
    if isinstance(config, list):
        return tuple(part_from_config(c) for c in config)
    if "outputs" in config:
        return {output: part_from_config(c) for output, c in config["outputs"].items()}
    return part_from_config(config)  # type: ignore[no-any-return]
