"""Making the weights of a model that a file describes, and putting the file's values into them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from dlbd import backend
from dlbd.backend import Array
from dlbd.layers.base import Layer
from dlbd.layers.weights import weights_made_by
from dlbd.saving.state import Parts, parts_of
from dlbd.tensor import Variable


@contextmanager
def weights_within(limit: int, zeros: bool = True) -> Iterator[None]:
    """While this runs, all new weights together take at most ``limit`` bytes.

    So the configuration in a file cannot ask for more memory than the file has bytes.

    Args:
        limit: the bytes.
        zeros: begin with zeros, which costs nothing, in place of the initializers' values.
    """
    left = limit

    def make(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
        nonlocal left
        left -= int(np.prod(shape, dtype=object)) * dtype.itemsize
        if left < 0:
            raise ValueError(f"weight {name!r} of shape {shape} does not fit: the file holds {limit} bytes of weights")
        return np.zeros(shape, dtype) if zeros else None

    with weights_made_by(make):
        yield


def layer_table(parts: Parts) -> dict[str, Any]:
    """What layers were built for, and which of them, or of their weights, are not trained."""
    return {
        "shapes": {path: layer.built_shape for path, layer in parts.layers.items() if layer.built_shape is not None},
        "frozen": [path for path, layer in parts.layers.items() if not layer.trainable],
        "frozen_weights": [path for path, v in parts.weights.items() if v.can_train and not v.trainable],
    }


def build_layers(model: Layer, shapes: Mapping[str, Any]) -> Parts:
    """Build what is not built yet; layers may make others when they are built."""
    while True:
        parts = parts_of(model)
        path = next((path for path, layer in parts.layers.items() if not layer.built and path in shapes), None)
        if path is None:
            return parts
        parts.layers[path]._build_for(as_shapes(shapes[path]))


def as_shapes(value: Any) -> Any:
    """Shapes as JSON gives them, as tuples again."""
    if isinstance(value, dict):
        return {key: as_shapes(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        if all(n is None or isinstance(n, int) for n in value):
            return tuple(value)
        return [as_shapes(v) for v in value]
    raise ValueError(f"{value!r} is no shape")


def freeze(parts: Parts, table: Mapping[str, Any]) -> None:
    """Layers and weights as trainable or not as :func:`layer_table` says."""
    frozen, frozen_weights = set(table["frozen"]), set(table["frozen_weights"])
    for path, layer in parts.layers.items():
        layer._trainable = path not in frozen
    for path, v in parts.weights.items():
        if v.can_train:
            v.trainable = path not in frozen_weights


class Offer(NamedTuple):
    """What a file says of an array that it holds."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def fits(self, variable: Variable) -> bool:
        """Floats go into floats and integers into integers."""
        kinds = {"u": "i"}
        mine, its = (kinds.get(dtype.kind, dtype.kind) for dtype in (self.dtype, variable.dtype))
        return self.shape == variable.shape and mine == its

    def __str__(self) -> str:
        return f"{self.shape} {self.dtype}"


def assign(
    weights: Mapping[str, Variable],
    offered: Mapping[str, Offer],
    read: Callable[[str], Array],
    what: str,
    skip_mismatch: bool = False,
) -> None:
    """Overwrite ``weights`` by the ``offered`` arrays of the same names, which ``read`` gets.

    Args:
        what: where they come from, for errors and the warning.
        skip_mismatch: leave weights alone that are missing or have another shape.

    Raises:
        ValueError: names or shapes differ; no weight is changed then.
    """
    missing = [name for name in weights if name not in offered]
    unknown = [name for name in offered if name not in weights]
    other = [
        f"{name} is {Offer(v.shape, v.dtype)} in the model and {offered[name]} in the file"
        for name, v in weights.items()
        if name in offered and not offered[name].fits(v)
    ]
    faults = other + [
        f"{text} {names}" for text, names in (("the file lacks", missing), ("the model lacks", unknown)) if names
    ]
    if faults and not skip_mismatch:
        raise ValueError(f"{what}: these are not the model's weights: " + "; ".join(faults))
    if faults:
        warnings.warn(f"{what}: skipped: " + "; ".join(faults), stacklevel=4)
    for name, v in weights.items():
        if name in offered and offered[name].fits(v):
            backend.write(v.array, read(name).astype(v.dtype, copy=False))
