"""Layers, losses, optimizers and the like as plain data in Keras's form, and back.

``{"module": "dlbd.layers", "class_name": "Dense", "config": {...}, "registered_name": None}``. A class is found in a
fixed list of our own modules, by a name that they export, or among those that the program registered. What a file says
of modules is never imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from dlbd.saving.registration import CustomObjectScope, get_registered_name, get_registered_object
from dlbd.tensor import Tensor

# Where names of ours are looked for, in this order when a configuration does not say which.
_MODULES = (
    "layers",
    "models",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
)
_WITH_FUNCTIONS = ("activations", "losses", "metrics")
_NOT_SAVED = frozenset(("deserialize", "get", "ops", "serialize"))  # exported, but no functions of a model
_ELSEWHERE = {"Functional": "Model"}  # Keras's names of classes that have another one here
_PLAIN = (bool, int, float, str)


def serialize_keras_object(obj: Any) -> Any:
    """``obj`` as plain data: an object that has ``get_config``, a function, an array, or a nest of such.

    Functions of ours become their names; others the name that they were registered under.

    Raises:
        ValueError: ``obj`` is a lambda, or nothing that can be said in plain data.

    Example:
        >>> config = dlbd.saving.serialize_keras_object(dlbd.regularizers.L2(0.5))
        >>> config["module"], config["class_name"], config["config"]
        ('dlbd.regularizers', 'L2', {'l2': 0.5})
        >>> dlbd.saving.serialize_keras_object(dlbd.activations.relu)
        'relu'
    """
    if obj is None or isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        made = [serialize_keras_object(value) for value in obj]
        return tuple(made) if isinstance(obj, tuple) else made
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, (np.ndarray, Tensor)):
        array = np.asarray(obj)
        return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    if hasattr(obj, "get_config") and not isinstance(obj, type):
        return _serialized_object(obj)
    if callable(obj) and hasattr(obj, "__name__"):
        return _serialized_function(obj)
    raise ValueError(f"{obj!r} cannot be saved: it is neither plain data nor has it get_config()")


def _serialized_object(obj: Any) -> dict[str, Any]:
    cls = type(obj)
    name = get_registered_name(cls)
    ours = _public_module(cls) if name == cls.__name__ else None
    return {
        "module": cls.__module__ if ours is None else f"dlbd.{ours}",
        "class_name": cls.__name__,
        "config": serialize_keras_object(obj.get_config()),
        "registered_name": None if ours else name,
    }


def _serialized_function(function: Any) -> Any:
    name = get_registered_name(function)
    if name == getattr(function, "__name__", None) and _public_module(function) is not None:
        return name
    if name == "<lambda>":
        raise ValueError(
            "a lambda cannot be saved, as code in files is never run: define a function, and register it by "
            "@dlbd.saving.register_keras_serializable()"
        )
    module = getattr(function, "__module__", None)
    return {"class_name": "function", "config": name, "module": module, "registered_name": name}


def _public_module(thing: Any) -> str | None:
    """Which of our modules shows ``thing`` under its own name."""
    if not str(getattr(thing, "__module__", "")).startswith("dlbd."):
        return None
    return next((name for name in _MODULES if _public(name, thing.__name__) is thing), None)


def _public(module: str, name: str) -> Any:
    """What our ``module`` exports as ``name``; None if it exports nothing of that name."""
    found = _module(module)
    if found is None or name not in found.__all__:
        return None
    return getattr(found, name)


def _module(name: str) -> ModuleType | None:
    try:
        return import_module(f"dlbd.{name}")  # one of _MODULES
    except ModuleNotFoundError:
        return None


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """The object that :func:`serialize_keras_object`, or Keras's function of that name, made ``config`` of.

    Args:
        config: plain data; what is no object's configuration comes back as it is.
        custom_objects: {name: class or function}, beside those that are registered.
        safe_mode: must be True: there is no way to run code that stands in a file.

    Raises:
        ValueError: a class or function is not known, or ``safe_mode`` is False.

    Example:
        >>> config = dlbd.saving.serialize_keras_object(dlbd.layers.Dense(3, activation="relu"))
        >>> dlbd.saving.deserialize_keras_object(config).units
        3
    """
    if not safe_mode:
        raise ValueError("safe_mode=False is not offered: code that stands in a file is never run")
    with CustomObjectScope(custom_objects or {}):
        return _deserialized(config)


def _deserialized(config: Any) -> Any:
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        return _map(_deserialized, config)
    require_no_code(config)
    name = config["class_name"]
    inner = config.get("config", {})
    if name == "__tuple__":
        return tuple(_deserialized(value) for value in config.get("items", ()))
    if name in ("__numpy__", "__tensor__"):
        return _array(inner)
    if name == "function":
        return _named(config, "function", str(inner), _WITH_FUNCTIONS)
    if name.endswith("DTypePolicy"):
        return dtype_of_policy(inner["name"])
    cls = class_named(config)
    if not isinstance(inner, dict):
        raise ValueError(f"the configuration of {name!r} is no dict: {inner!r}")
    return cls.from_config(inner)


def registered(identifier: Any) -> Any:
    """What a name or a configuration means that is not one of ours, for each ``get``; otherwise as it is."""
    if isinstance(identifier, str):
        found = get_registered_object(identifier)
        return identifier if found is None else found
    if isinstance(identifier, dict) and isinstance(identifier.get("class_name"), str):
        name = identifier["class_name"]
        known = (get_registered_object(n) for n in (identifier.get("registered_name"), name))
        if name == "function" or any(found is not None for found in known):
            return _deserialized(identifier)
    return identifier


def _map(function: Callable[[Any], Any], nest: Any) -> Any:
    """``function`` of what a list, tuple or dict holds; anything else as it is."""
    if isinstance(nest, (list, tuple)):
        made = [function(value) for value in nest]
        return tuple(made) if isinstance(nest, tuple) else made
    return {key: function(value) for key, value in nest.items()} if isinstance(nest, dict) else nest


def with_objects(config: Any) -> Any:
    """A nest in which what :func:`serialize_keras_object` wrote is objects again; all else stays as it is."""
    if isinstance(config, dict) and {"class_name", "config", "module"} <= config.keys():
        return _deserialized(config)
    require_no_code(config)
    return _map(with_objects, config)


def require_no_code(config: Any) -> None:
    """ValueError for what Keras makes of a lambda."""
    if isinstance(config, dict) and config.get("class_name") == "__lambda__":
        raise ValueError("the file holds the code of a lambda, which is never run: name the function and register it")


def class_named(config: Mapping[str, Any]) -> Any:
    """The class that ``config`` names.

    Raises:
        ValueError: there is none.
    """
    found = _named(config, "class", config["class_name"], _MODULES)
    if not (inspect.isclass(found) and hasattr(found, "from_config") and hasattr(found, "get_config")):
        raise ValueError(f"{config['class_name']!r} is no class that can be loaded")
    return found


def _named(config: Mapping[str, Any], kind: str, name: str, modules: Sequence[str]) -> Any:
    registered = config.get("registered_name")
    for given in (registered, name):
        found = get_registered_object(given)
        if found is not None:
            return found
    for module in _modules(config.get("module"), modules):
        found = _public(module, _ELSEWHERE.get(name, name))
        if found is not None and name not in _NOT_SAVED:
            return found
    raise ValueError(
        f"there is no {kind} {registered or name!r} of module {config.get('module')!r} here. If it is your own, "
        f"register it by @dlbd.saving.register_keras_serializable(), or pass custom_objects={{{name!r}: ...}}"
    )


def _modules(module: Any, modules: Sequence[str]) -> Sequence[str]:
    """Those of ours, among ``modules``, that a configuration's ``module``, Keras's or ours, stands for."""
    if module is None or module == "builtins":
        return modules
    parts = str(module).split(".")
    if parts[0] not in ("dlbd", "keras"):
        return ()
    parts = [part for part in parts[1:] if part != "src"]
    if not parts:
        return ("models",)
    schedules = parts[0] == "optimizers" and "schedules" in parts
    wanted = "optimizers.schedules" if schedules else parts[0]
    return [name for name in modules if name == wanted]


def _array(config: Mapping[str, Any]) -> Any:
    dtype = np.dtype(str(config.get("dtype", "float32")))
    if dtype.kind not in "fiub":
        raise ValueError(f"the file holds an array of dtype {dtype}, which is none of numbers")
    return np.array(config["value"], dtype)


def dtype_of_policy(name: str) -> str:
    """What we compute in where Keras had a dtype policy: float32 wherever it computes in less."""
    return name if name in ("float64", "float32") or "float" not in name else "float32"
