"""Weights of PyTorch modules: state dicts, and files of them in the safetensors format."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import Array
from dlbd.saving.tensor_file import TensorFile
from dlbd.saving.torch_layout import find_layout
from dlbd.saving.torch_modules import DoesNotFit, Slot, slots_of
from dlbd.tensor import Variable


def load_torch_weights(
    model: Any,
    weights: Any,
    mapping: Mapping[str, Any] | None = None,
    flattened: Mapping[str, Sequence[int] | None] | None = None,
) -> None:
    """Put the weights of a PyTorch module into a model of the same layers: ``model.load_weights(..., format="torch")``.

    Put right on the way: kernels are transposed from (out, in, height, width), biases that PyTorch keeps twice are
    added, gates of GRU are reordered, heads of attention split, and where images are flattened before a Dense, or made
    of its output by a Reshape, its features go from channels-first order to ours. Several layers of one ``nn.LSTM`` are
    as many layers here. Buffers that only count (``num_batches_tracked``) are left out.

    Each module goes to the layer of its name, or to the only one that it fits. Where several fit, those whose names
    differ in nothing but numbers are taken in that order, and in a dict the others as they come; in a file, whose order
    is lost, they must be told by ``mapping``.

    Args:
        model: a built model.
        weights: a state dict (of arrays or PyTorch's tensors), or the path of a ".safetensors" file of one.
        mapping: {name of the module: name of the layer, or a list of names for several layers of one module}, for all
            or some.
        flattened: {name of a layer: shape of the image, channels last, that it takes flattened; None if it takes none},
            where a model of one's own flattens by itself.

    Raises:
        ValueError: a module or a layer is left over or does not fit, or it is not plain which belongs where; no weight
            is changed then. Or the file is broken.

    Example:
        >>> model = dlbd.Sequential([dlbd.Input((2,)), dlbd.layers.Dense(1, name="out")])
        >>> state = {"out.weight": np.array([[2.0, 3.0]]), "out.bias": np.array([1.0])}
        >>> dlbd.saving.load_torch_weights(model, state)
        >>> float(model.predict(np.array([[10.0, 1.0]]))[0, 0])
        24.0
    """
    if not all(layer.built for layer in model.walk() if layer.weights or not layer.sublayers):
        raise ValueError(f"[{model.name}] has no weights yet: call it, or build() it first")
    if isinstance(weights, Mapping):
        arrays, ordered, what = {name: _array(value) for name, value in weights.items()}, True, "the state dict"
    else:
        what, ordered = os.fspath(weights), False
        with TensorFile(what) as file:
            arrays = {name: file.read(name) for name in file}
    try:
        modules = list(_modules(arrays))
        if not ordered:
            modules.sort(key=lambda module: _natural(module.name))
        layout = find_layout(model, flattened or {})
        slots = list(slots_of(model, layout))
        found = _matched(slots, modules, dict(mapping or {}), ordered)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    for variable, value in found:
        backend.write(variable.array, np.ascontiguousarray(value.astype(variable.dtype, copy=False)))


class Module:
    """A module's own parameters, "weight" and the like, by their names; of a recurrent one those of one layer."""

    def __init__(self, name: str, layer: int | None, parameters: dict[str, Array]) -> None:
        self.name, self.layer, self.parameters = name, layer, parameters

    def __str__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.parameters.items())
        return f"{self.name} ({shapes})"


_RECURRENT = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)_l(\d+)(_reverse)?")
_COUNTS = "num_batches_tracked"


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):  # a tensor of PyTorch
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
    return np.asarray(value)


def _modules(arrays: Mapping[str, Array]) -> Iterator[Module]:
    found: dict[tuple[str, int | None], dict[str, Array]] = {}
    for path, array in arrays.items():
        owner, _, name = path.rpartition(".")
        recurrent = _RECURRENT.fullmatch(name)
        number = None
        if recurrent:
            name, number = recurrent[1] + (recurrent[3] or ""), int(recurrent[2])
        if name == _COUNTS:
            continue
        outer, _, last = owner.rpartition(".")
        prefix = f"{outer}." if outer else ""
        if last == "out_proj" and {f"{prefix}in_proj_weight", f"{prefix}q_proj_weight"} & arrays.keys():
            owner, name = outer, f"out_proj.{name}"  # of attention
        found.setdefault((owner, number), {})[name] = array
    for (owner, number), parameters in found.items():
        yield Module(owner, number, parameters)


# What belongs where


def _natural(name: str) -> list[Any]:
    """Sorts "layer10" behind "layer9"."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _pattern(module: Module) -> str:
    return re.sub(r"\d+", "#", module.name)


Pairs = list[tuple[Variable, Array]]


def _matched(slots: Sequence[Slot], modules: Sequence[Module], mapping: dict[str, Any], ordered: bool) -> Pairs:
    """Every weight with its value. ValueError if that cannot be told."""
    found: Pairs = []
    free_slots, free_modules = list(slots), list(modules)

    def take(slot: Slot, module: Module) -> None:
        try:
            found.extend(slot.convert(module.parameters))
        except DoesNotFit as error:
            raise ValueError(f"{module} does not fit {slot}: {error}") from error
        free_slots.remove(slot)
        free_modules.remove(module)

    for name, target in mapping.items():
        of_name = sorted((m for m in modules if m.name == name), key=lambda m: m.layer or 0)
        targets = [target] if isinstance(target, str) else list(target)
        if len(of_name) != len(targets):
            raise ValueError(f"mapping gives {targets} for {name!r}, of which there are {len(of_name)} layers")
        for module, wanted in zip(of_name, targets, strict=True):
            take(_named(wanted, free_slots), module)
    for module in list(free_modules):
        same = [slot for slot in free_slots if module.name in slot.names]
        if len(same) == 1 and [m.name for m in modules].count(module.name) == 1:
            take(same[0], module)
    while free_slots:
        fitting = {slot: [m for m in free_modules if _fits(slot, m)] for slot in free_slots}
        pairs = _next_pairs(fitting, ordered)
        for slot, module in pairs:
            take(slot, module)
    if free_modules:
        raise ValueError(f"no layer is left for {', '.join(map(str, free_modules))}")
    return found


def _named(name: str, slots: Sequence[Slot]) -> Slot:
    of_name = [slot for slot in slots if name in slot.names]
    if len(of_name) != 1:
        raise ValueError(f"mapping names {name!r}; the layers left are {[slot.name for slot in slots]}")
    return of_name[0]


def _fits(slot: Slot, module: Module) -> bool:
    try:
        slot.convert(module.parameters)
    except DoesNotFit:
        return False
    return True


def _next_pairs(fitting: Mapping[Slot, list[Module]], ordered: bool) -> list[tuple[Slot, Module]]:
    """What is plain next: a layer that one module fits, a module that fits one layer, or as many of both in order."""
    for slot, modules in fitting.items():
        if not modules:
            raise ValueError(f"there are no weights for {slot}")
        if len(modules) == 1:
            return [(slot, modules[0])]
    slots_of_module: dict[int, list[tuple[Slot, Module]]] = {}
    for slot, modules in fitting.items():
        for module in modules:
            slots_of_module.setdefault(id(module), []).append((slot, module))
    for pairs in slots_of_module.values():
        if len(pairs) == 1:
            return pairs
    for modules in fitting.values():
        alike = [slot for slot, others in fitting.items() if others == modules]
        if len(alike) == len(modules) and (ordered or len(set(map(_pattern, modules))) == 1):
            return list(zip(alike, modules, strict=True))
    names = sorted({m.name for modules in fitting.values() for m in modules})
    raise ValueError(
        f"it is not plain which of {names} belongs to which of the layers {[slot.name for slot in fitting]}: pass "
        "mapping={name of the module: name of the layer}"
    )
