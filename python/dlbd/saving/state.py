"""What a model consists of besides its configuration, under names that are the same in every process.

A layer of a Sequential or functional model goes by its name if the user gave it one; a name that was made up,
"dense_3", depends on what else the process made, so such layers are counted per class as they come. A layer that is an
attribute goes by the attribute's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from dlbd import backend
from dlbd.layers.base import Layer
from dlbd.metrics.metric import Metric
from dlbd.naming import snake_case
from dlbd.optimizers.optimizer import Optimizer
from dlbd.random import SeedGenerator
from dlbd.tensor import Tensor, Variable

_KINDS = (Layer, Variable, SeedGenerator, Optimizer, Metric)


class Parts(NamedTuple):
    """The parts of a model by their paths, "hidden/kernel"; that of the model itself is ""."""

    layers: dict[str, Layer]
    weights: dict[str, Variable]
    generators: dict[str, SeedGenerator]
    optimizers: dict[str, Optimizer]
    metrics: dict[str, Metric]


def parts_of(model: Layer) -> Parts:
    """All parts, each once, in an order that depends on the model's structure alone."""
    parts = Parts({}, {}, {}, {}, {})
    tables: list[dict[str, Any]] = list(parts)
    kinds = (Layer, Variable, SeedGenerator, Optimizer, Metric)
    met: set[int] = set()

    def note(path: str, part: Any) -> None:
        if id(part) in met:
            return
        met.add(id(part))
        table = next(t for t, kind in zip(tables, kinds, strict=True) if isinstance(part, kind))
        unique = _unique(path, table)
        table[unique] = part
        if isinstance(part, Layer):
            for name, own in _own_parts(part):
                note(f"{unique}/{name}" if unique else name, own)

    note("", model)
    return parts


def _unique(path: str, taken: dict[str, Any]) -> str:
    if path not in taken:
        return path
    n = 1
    while f"{path}_{n}" in taken:
        n += 1
    return f"{path}_{n}"


def _own_parts(layer: Layer) -> Iterator[tuple[str, Any]]:
    for variable in layer._weights:
        yield variable.name, variable
    yield from _named_layers(layer)
    for key, value in vars(layer).items():
        if key != "_weights":
            yield from _leaves(key.lstrip("_"), value)


def _named_layers(layer: Layer) -> Iterator[tuple[str, Layer]]:
    """Those of a Sequential or functional model."""
    graph = getattr(layer, "_graph", None)
    made: list[Layer] = graph.layers if graph is not None else vars(layer).get("_layers", [])
    counts: dict[str, int] = {}
    for own in made:
        usual = snake_case(type(own).__name__)
        if re.fullmatch(rf"{re.escape(usual)}(_\d+)?", own.name):
            n = counts[usual] = counts.get(usual, -1) + 1
            yield f"{usual}_{n}" if n else usual, own
        else:
            yield own.name, own


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _KINDS):
        yield name, value
    elif isinstance(value, (list, tuple)):
        for i, v in enumerate(value):
            yield from _leaves(f"{name}/{i}", v)
    elif isinstance(value, dict):
        for key, v in value.items():
            yield from _leaves(f"{name}/{key}", v)


# What changes while a model runs, and is no weight


def states_of(parts: Parts) -> dict[str, backend.Array]:
    """Where random layers stand, and what stateful layers keep between calls."""
    found = {path: generator.state.array for path, generator in parts.generators.items()}
    for path, layer in parts.layers.items():
        for i, state in enumerate(getattr(layer, "states", None) or ()):
            if isinstance(state, Tensor):
                found[f"{path}/states/{i}"] = state.array
    return found


def set_states(parts: Parts, found: dict[str, backend.Array]) -> None:
    """Put back what :func:`states_of` gave. ValueError if a generator is missing or has another shape."""
    for path, generator in parts.generators.items():
        if path not in found or found[path].shape != generator.state.shape:
            raise ValueError(f"there is no state of the random numbers of {path!r}")
        backend.write(generator.state.array, found[path])
    for path, layer in parts.layers.items():
        kept: list[Tensor] = []
        while (name := f"{path}/states/{len(kept)}") in found:
            kept.append(Tensor(backend.place(found[name])))
        if kept:
            layer.states = kept
