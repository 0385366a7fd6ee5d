"""Saving: models and training as files, layers and the like as plain data."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dlbd.saving.objects import deserialize_keras_object, serialize_keras_object
from dlbd.saving.registration import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

if TYPE_CHECKING:
    from dlbd.saving.model_file import load_model, load_weights, save_model, save_weights
    from dlbd.saving.torch_weights import load_torch_weights

# Layers need what stands above; what stands below needs layers.
_LATER = {
    "load_model": "model_file",
    "load_torch_weights": "torch_weights",
    "load_weights": "model_file",
    "save_model": "model_file",
    "save_weights": "model_file",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"dlbd.saving.{_LATER[name]}"), name)
    raise AttributeError(f"module 'dlbd.saving' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_torch_weights",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
