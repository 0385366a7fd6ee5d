"""What makes a model's inputs of raw rows, as plain data in the model's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlbd.saving.objects import deserialize_keras_object, serialize_keras_object

_OURS = "dlbd>Features"


class SavedFeatures:
    """A model's features as its file has them, where their extra is not installed: whatever needs them says so."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "config":  # protocols that Python asks for
            raise AttributeError(name)
        raise ImportError("raw rows need the extra data: pip install 'dlbd[data]'")


def features_config(features: Any) -> Any:
    """For :func:`features_from_config`; None for None, and for what a subclass of Model calls by that name."""
    if isinstance(features, SavedFeatures):
        return features.config
    return serialize_keras_object(features) if hasattr(features, "blocks") else None


def features_from_config(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The features, or what stands for them where their extra is not installed.

    Raises:
        ValueError: the configuration is none of features.
    """
    if config is None:
        return None
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise ValueError(f"its features are no configuration: {config!r}")
    if config.get("registered_name") == _OURS:
        try:
            import dlbd.data.features  # noqa: F401  (registers them)
        except ImportError:
            return SavedFeatures(config)
    features = deserialize_keras_object(config, custom_objects)
    if not hasattr(features, "blocks"):
        raise ValueError(f"its features are a {type(features).__name__}")
    return features
