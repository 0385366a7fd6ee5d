"""Names under which files speak of a user's classes and functions. Nothing is ever looked up in a module by a file."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}  # the way back


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack: list[Mapping[str, Any]] = []


_scopes = _Scopes()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Register a class or a function, so that a model that uses it can be loaded: a decorator.

    A file holds only the name and the configuration; the code is the program's own. Registering a name again replaces
    what it meant.

    Args:
        package: goes in front of the name; "Custom" by default.
        name: that of the class or the function by default.

    Returns:
        The decorator, which gives its argument back.

    Raises:
        ValueError: the class has no ``get_config`` and ``from_config``, or the function is a lambda without a name.

    Example:
        >>> @dlbd.saving.register_keras_serializable(package="examples")
        ... class Twice(dlbd.layers.Layer):
        ...     def call(self, inputs):
        ...         return 2 * inputs
        >>> dlbd.saving.get_registered_name(Twice)
        'examples>Twice'
        >>> config = dlbd.saving.serialize_keras_object(Twice(name="t"))
        >>> type(dlbd.saving.deserialize_keras_object(config)) is Twice
        True
    """

    def register(thing: T) -> T:
        own = name if name is not None else getattr(thing, "__name__", "<lambda>")
        if own == "<lambda>":
            raise ValueError("a lambda has no name to be found by: pass name=, or define a function")
        if inspect.isclass(thing) and not (hasattr(thing, "get_config") and hasattr(thing, "from_config")):
            raise ValueError(f"{own} cannot be registered: a class that is saved needs get_config() and from_config()")
        full = f"{package}>{own}"
        _registered[full] = thing
        _names[thing] = full
        return thing

    return register


class CustomObjectScope:
    """Within this block, names of classes and functions mean these objects too, on this thread.

    Args:
        custom_objects: {name: class or function}.

    Example:
        >>> class Twice(dlbd.layers.Layer):
        ...     def call(self, inputs):
        ...         return 2 * inputs
        >>> config = dlbd.saving.serialize_keras_object(Twice(name="t"))
        >>> with dlbd.saving.custom_object_scope({"Twice": Twice}):
        ...     dlbd.saving.deserialize_keras_object(config).name
        't'
    """

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom_objects = dict(custom_objects)

    def __enter__(self) -> CustomObjectScope:
        _scopes.stack.append(self.custom_objects)
        return self

    def __exit__(self, *error: object) -> None:
        _scopes.stack.pop()


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """The process's table of registered names, which may be changed.

    Example:
        >>> dlbd.saving.get_custom_objects()["shifted"] = lambda x: x + 1
        >>> dlbd.activations.get("shifted")(2)
        3
        >>> del dlbd.saving.get_custom_objects()["shifted"]
    """
    return _registered


def get_registered_name(obj: Any) -> str:
    """The name that a class or a function was registered under; otherwise its own.

    Example:
        >>> dlbd.saving.get_registered_name(dlbd.layers.Dense)
        'Dense'
    """
    try:
        return _names.get(obj) or str(obj.__name__)
    except TypeError:  # not hashable
        return str(obj.__name__)


def get_registered_object(name: str | None, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What was registered under ``name``, or stands in ``custom_objects`` or an enclosing scope; None if nothing.

    Example:
        >>> dlbd.saving.get_registered_object("nothing") is None
        True
    """
    for table in (custom_objects or {}, *reversed(_scopes.stack), _registered):
        if name in table:
            return table[name]
    return None
