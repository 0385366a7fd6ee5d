"""Nested lists, tuples and dicts, as layers, tapes and batches take and give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def map_structure(function: Callable[[Any], Any], value: Any) -> Any:
    """``function`` of every leaf of nested lists, tuples and dicts."""
    if isinstance(value, dict):
        return {k: map_structure(function, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        mapped = [map_structure(function, v) for v in value]
        return mapped if isinstance(value, list) else tuple(mapped)
    return function(value)


def flatten(value: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dicts, in order."""
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in flatten(v)]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in flatten(v)]
    return [value]
