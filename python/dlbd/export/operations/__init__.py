"""What becomes of the functions of :mod:`dlbd.ops`: ONNX nodes, or other functions that have some."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd.export.operations import arithmetic, creation, products, recurrent, reductions, shapes, sorting, spatial

_ROOMS = (arithmetic, creation, products, recurrent, reductions, shapes, sorting, spatial)

# By the operation's __name__, in the form that Trace takes.
OPERATIONS: dict[str, Callable[..., Any]] = {name: own for room in _ROOMS for name, own in room.OPERATIONS.items()}
