"""Deep learning on big data: Keras's interface on hand-written kernels."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dlbd import keras_alias, ops
from dlbd.autograd import GradientTape
from dlbd.devices import device
from dlbd.tensor import Tensor, Variable

if TYPE_CHECKING:
    from dlbd import (
        activations,
        callbacks,
        config,
        constraints,
        data,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        optimizers,
        random,
        regularizers,
        saving,
        spark,
        utils,
    )
    from dlbd.layers import Input, Layer
    from dlbd.models import Model, Sequential

__version__ = "0.1.0"

# Loaded when first used: `import dlbd` stays quick.
_SUBMODULES = frozenset(
    (
        "activations",
        "callbacks",
        "config",
        "constraints",
        "data",
        "datasets",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "models",
        "optimizers",
        "random",
        "regularizers",
        "saving",
        "spark",
        "utils",
    )
)
_NAMES = {"Input": "layers", "Layer": "layers", "Model": "models", "Sequential": "models"}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"dlbd.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"dlbd.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dlbd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_NAMES})


keras = sys.modules[__name__]
keras_alias.install(keras)

__all__ = [
    "GradientTape",
    "Input",
    "Layer",
    "Model",
    "Sequential",
    "Tensor",
    "Variable",
    "activations",
    "callbacks",
    "config",
    "constraints",
    "data",
    "datasets",
    "device",
    "initializers",
    "keras",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "spark",
    "utils",
]
