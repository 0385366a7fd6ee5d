"""What a name, a class, a configuration or an object means: behind each ``get`` and ``serialize``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlbd.naming import snake_case
from dlbd.saving.objects import registered


def by_name(classes: Iterable[type]) -> dict[str, Any]:
    """The classes by their names, "MaxNorm" and "max_norm"."""
    return {name: cls for cls in classes for name in (cls.__name__, snake_case(cls.__name__))}


def find(kind: str, base: type, known: Mapping[str, Any], identifier: Any) -> Any:
    """The object that ``identifier`` means; functions and None come back as they are.

    Args:
        kind: what it is called in errors.
        base: the class of all of its kind.
        known: classes by name.
        identifier: None, an object, a class, a name, a dict ``{"class_name": ..., "config": {...}}`` or a function.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.
    """
    identifier = registered(identifier)
    if identifier is None or isinstance(identifier, base):
        return identifier
    if isinstance(identifier, str):
        return class_of(kind, known, identifier)()
    if isinstance(identifier, dict) and "class_name" in identifier:
        return class_of(kind, known, identifier["class_name"]).from_config(identifier.get("config", {}))
    if isinstance(identifier, type) and issubclass(identifier, base):
        return identifier()
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    raise ValueError(f"[{kind}] expected a name, a function or a {base.__name__}; received {identifier!r}")


def class_of(kind: str, known: Mapping[str, Any], name: Any) -> Any:
    """The class of that name.

    Raises:
        ValueError: there is none.
    """
    cls = known.get(name)
    if cls is None:
        listed = sorted(n for n in known if n.islower())
        raise ValueError(f"[{kind}] nothing is named {name!r}; expected one of {listed}")
    return cls


def serialize(thing: Any) -> Any:
    """``{"class_name": ..., "config": {...}}``, which ``get`` understands; of a function its name, of None None."""
    if hasattr(thing, "get_config"):
        return {"class_name": type(thing).__name__, "config": thing.get_config()}
    return getattr(thing, "__name__", None)
