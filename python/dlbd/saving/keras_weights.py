"""The weights in an HDF5 file of Keras 3, by our names.

Keras writes what a layer owns as ``<path>/vars/0``, ``1``, ... A path is made of attributes' names; layers in lists,
and those of Sequential and functional models under "layers", go by their classes, counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.layers import MultiHeadAttention, Operation
from dlbd.layers.base import Layer
from dlbd.models.model import Model
from dlbd.naming import snake_case
from dlbd.saving.building import Offer
from dlbd.tensor import Variable

# Layers whose own weights belong to layers inside of Keras's.
_INSIDE = {MultiHeadAttention: ("query_dense", "key_dense", "value_dense", "output_dense")}
_MAX_DEPTH = 100


class KerasWeights:
    """An HDF5 file that Keras 3 wrote, and nothing but plain arrays in it.

    Args:
        file: an open binary file.
        what: its name, for errors.

    Raises:
        ImportError: h5py is missing.
        ValueError: it is no HDF5 file.
    """

    def __init__(self, file: Any, what: str) -> None:
        try:
            import h5py
        except ImportError as error:
            raise ImportError(f"files of Keras need the extra h5: pip install 'dlbd[h5]' ({error})") from error
        self._h5py = h5py
        try:
            self._root = h5py.File(file, "r")
            if "layer_names" in self._root.attrs or "model_config" in self._root.attrs:
                raise ValueError("is of Keras 2: save it by Keras 3, as .keras or .weights.h5")
            self.datasets = dict(self._datasets_in(self._root, "", 0))
        except (OSError, RuntimeError, KeyError) as error:  # h5py's errors
            raise ValueError(f"{what}: is broken or no HDF5 file: {error}") from error
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error

    def _datasets_in(self, group: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
        """All arrays by their paths. ValueError for anything by which other files could be read, or memory eaten."""
        if depth > _MAX_DEPTH:
            raise ValueError("its groups are nested too deeply")
        for name in group:
            inner = f"{path}/{name}" if path else name
            if not isinstance(group.get(name, getlink=True), self._h5py.HardLink):
                raise ValueError(f"{inner!r} is a link; Keras writes none")
            found = group[name]
            if isinstance(found, self._h5py.Group):
                yield from self._datasets_in(found, inner, depth + 1)
            elif isinstance(found, self._h5py.Dataset):
                yield inner, _checked(found, inner)
            else:
                raise ValueError(f"{inner!r} is neither a group nor an array")

    def total_bytes(self) -> int:
        """The size of all arrays together."""
        return sum(d.id.get_storage_size() for d in self.datasets.values())

    def read(self, path: str) -> Array:
        """A new array."""
        dataset = self.datasets[path]
        array: Array = np.empty(dataset.shape, dataset.dtype)
        if array.size:
            dataset.read_direct(array)
        return array

    def variables(self, path: str) -> list[str]:
        """The paths of what a layer owns, in their order."""
        prefix = f"{path}/vars/" if path else "vars/"
        numbers = [p.removeprefix(prefix) for p in self.datasets if p.startswith(prefix)]
        return [f"{prefix}{n}" for n in sorted((n for n in numbers if n.isdecimal()), key=int)]

    def offers(self, model: Layer, names: Mapping[int, str]) -> tuple[dict[str, Offer], dict[str, str]]:
        """What the file offers for the weights of ``model``, whose names are given by id, and where each lies.

        What belongs to none goes by its own path, but for random numbers' states and the optimizer's.
        """
        places: dict[str, str] = {}
        for layer, path in _walk(model, "", set()):
            own = layer._own_variables
            inside = next((inner for cls, inner in _INSIDE.items() if isinstance(layer, cls)), None)
            given = self.variables(path)
            if inside is not None:
                given = [p for inner in inside for p in self.variables(f"{path}/{inner}")]
            for i, p in enumerate(given):
                places[names[id(own[i])] if i < len(own) else p] = p
        used = set(places.values())
        rest = (p for p in self.datasets if p not in used and not p.startswith("optimizer/"))
        places |= {p: p for p in rest if "seed_generator" not in p.split("/")}
        return {name: _offer(self.datasets[p]) for name, p in places.items()}, places


def _checked(dataset: Any, path: str) -> Any:
    """An array that lies in the file as it is, of as many bytes as its shape says."""
    if dataset.dtype.kind not in "fiub":
        raise ValueError(f"{path!r} holds {dataset.dtype}, which are no numbers")
    if dataset.chunks is not None or dataset.is_virtual or dataset.external:
        raise ValueError(f"{path!r} is compressed, or lies in other files; Keras writes plain arrays")
    if dataset.shape is None or dataset.id.get_storage_size() != math.prod(dataset.shape) * dataset.dtype.itemsize:
        raise ValueError(f"{path!r} of shape {dataset.shape} does not have that many bytes in the file")
    return dataset


def _offer(dataset: Any) -> Offer:
    return Offer(tuple(dataset.shape), dataset.dtype)


def _walk(layer: Layer, path: str, met: set[int]) -> Iterator[tuple[Layer, str]]:
    """All layers inside, each once, with their paths in Keras's file."""
    if id(layer) in met:
        return
    met.add(id(layer))
    yield layer, path
    for name, inner in _children(layer):
        yield from _walk(inner, f"{path}/{name}" if path else name, met)


def _children(layer: Layer) -> Iterator[tuple[str, Layer]]:
    if isinstance(layer, Model) and (layer._graph is not None or "_layers" in vars(layer)):
        yield from _counted("layers", [inner for inner in layer.layers if not isinstance(inner, Operation)])
    for key, value in vars(layer).items():
        if isinstance(value, Layer):
            yield key, value
        elif isinstance(value, (list, tuple, dict)) and key not in ("_layers", "_nodes"):
            values = value.values() if isinstance(value, dict) else value
            yield from _counted(key, [inner for inner in values if isinstance(inner, Layer)])


def _counted(place: str, layers: list[Layer]) -> Iterator[tuple[str, Layer]]:
    counts: dict[str, int] = {}
    for layer in layers:
        functional = type(layer) is Model
        name = "functional" if functional else snake_case(type(layer).__name__)
        n = counts[name] = counts.get(name, -1) + 1
        yield f"{place}/{name}_{n}" if n else f"{place}/{name}", layer


def named(weights: Mapping[str, Variable]) -> dict[int, str]:
    """Names by the ids of their variables."""
    return {id(v): name for name, v in weights.items()}
