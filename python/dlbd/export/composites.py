"""Operations that are made of others, whose public form notes symbols: their code calls the plain one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

from dlbd import ops
from dlbd.ops import indexing
from dlbd.symbolic import takes_symbols
from dlbd.tensor import as_float, as_tensor


def composite(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The code of an operation, around the public form of those that it calls."""
    raw: Any = getattr(operation, "__wrapped__", operation)
    return _moved(raw, _names(raw.__module__))


@cache
def _names(module: str) -> dict[str, Any]:
    """The names in a module of :mod:`dlbd.ops`, with operations in their public form."""
    names = dict(vars(sys.modules[module]))
    for name, value in names.items():
        if not callable(value):
            continue
        if value in _PUBLIC:
            names[name] = _PUBLIC[value]
        elif isinstance(value, FunctionType) and value.__module__ == module and not hasattr(value, "__wrapped__"):
            names[name] = _moved(value, names)
    return names


def _moved(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    """The same function, which finds other things under its names."""
    moved = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    moved.__kwdefaults__ = function.__kwdefaults__
    return moved


def _as_float(x: Any) -> Any:
    tensor = as_tensor(x)
    return tensor if tensor.dtype.kind == "f" else ops.cast(tensor, "float32")


_PUBLIC: dict[Any, Callable[..., Any]] = {getattr(ops, name).__wrapped__: getattr(ops, name) for name in ops.__all__}
_PUBLIC |= {indexing.getitem: takes_symbols(indexing.getitem, indexing.__name__), as_float: _as_float}
