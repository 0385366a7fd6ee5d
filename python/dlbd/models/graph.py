"""Graph: the calls between some KerasTensors and others, in an order in which they can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlbd.layers.base import Layer
from dlbd.layers.configuration import plain, restored
from dlbd.layers.input import InputLayer
from dlbd.layers.preprocessing.host import HostInputs, HostLayer
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import KerasTensor, Node
from dlbd.tensor import Tensor


class _Slot:
    """A place in the list of values that a run fills."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class _Call(NamedTuple):
    layer: Layer
    args: tuple[Any, ...]  # with slots in place of tensors
    kwargs: dict[str, Any]
    outputs: list[int]  # slots
    done: list[int]  # slots that nobody reads after this call


class Graph:
    """What lies between ``inputs`` and ``outputs``, nests of KerasTensors.

    Layers stand in Keras's order: the farther from the outputs the earlier, and then as they are met from the outputs.

    Raises:
        TypeError: something is no KerasTensor.
        ValueError: an output does not depend on the inputs alone.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        for kind, nest in (("inputs", inputs), ("outputs", outputs)):
            for x in flatten(nest):
                if not isinstance(x, KerasTensor):
                    raise TypeError(
                        f"a model's {kind} are what Input() and layers called with it give; received {type(x).__name__}"
                    )
        given = flatten(inputs)
        if len({id(x) for x in given}) != len(given):
            raise ValueError("the same Input stands twice among the inputs of a model")
        self.input_layers = [_input_layer(x) for x in given]
        makers: dict[int, Layer] = {id(x): layer for x, layer in zip(given, self.input_layers, strict=True)}
        nodes, met = _walk(makers, flatten(outputs))
        self.layers = _ordered_layers(self.input_layers, makers, nodes, met)
        self._number(inputs, outputs, nodes)
        self.host_inputs = self._host_inputs()
        names: dict[str, Layer] = {}
        for layer in self.layers:
            if names.setdefault(layer.name, layer) is not layer:
                raise ValueError(f"every layer of a model needs a name of its own; there are two named {layer.name!r}")

    def _number(self, inputs: Any, outputs: Any, nodes: Sequence[Node]) -> None:
        """Turn tensors into slots."""
        self.tensors: list[KerasTensor] = []
        slots: dict[int, int] = {}

        def place(x: KerasTensor) -> int:
            slots[id(x)] = len(self.tensors)
            self.tensors.append(x)
            return slots[id(x)]

        def slot(x: Any) -> Any:
            return _Slot(slots[id(x)]) if isinstance(x, KerasTensor) else x

        self.inputs = map_structure(lambda x: _Slot(place(x)), inputs)
        self.calls: list[_Call] = []
        for node in nodes:
            args, kwargs = map_structure(slot, node.args), map_structure(slot, node.kwargs)
            self.calls.append(_Call(node.layer, args, kwargs, [place(x) for x in flatten(node.outputs)], []))
        self.outputs = map_structure(slot, outputs)
        last: dict[int, _Call] = {}
        for call in self.calls:
            last |= dict.fromkeys((*_slots([call.args, call.kwargs]), *call.outputs), call)
        kept = set(_slots(self.outputs))
        for number, call in last.items():
            if number not in kept:
                call.done.append(number)

    def _host_inputs(self) -> HostInputs | None:
        """The layers on the host that the inputs go into; None if there are none."""
        hosts: list[dict[int, HostLayer]] = [{} for _ in self.input_layers]
        others = [False for _ in self.input_layers]
        for call in self.calls:
            slots = _slots([call.args, call.kwargs])
            own = getattr(call.layer, "host_inputs", lambda: None)() or [([], True) for _ in slots]
            for number, (layers, other) in zip(slots, own, strict=False):
                if number < len(hosts):
                    hosts[number] |= {id(layer): layer for layer in layers}
                    others[number] |= other
        for number in _slots(self.outputs):
            if number < len(hosts):
                others[number] = True
        return [(list(h.values()), other) for h, other in zip(hosts, others, strict=True)] if any(hosts) else None

    def run(self, tensors: Sequence[Any], call: Any = None) -> Any:
        """The outputs for tensors in the order of the inputs. ``call(layer, args, kwargs)`` stands in for calling."""
        values: list[Any] = [None] * len(self.tensors)
        values[: len(tensors)] = tensors

        def filled(nest: Any) -> Any:
            return _map_slots(lambda number: values[number], nest)

        for layer, args, kwargs, outputs, done in self.calls:
            args, kwargs = filled(args), filled(kwargs)
            found = layer(*args, **kwargs) if call is None else call(layer, args, kwargs)
            del args, kwargs  # what nobody reads any more is free for reuse
            if len(outputs) == 1 and not isinstance(found, (list, tuple, dict)):
                values[outputs[0]] = found
            else:
                for number, value in zip(outputs, flatten(found), strict=True):
                    values[number] = value
            del found
            for number in done:
                values[number] = None
        return filled(self.outputs)

    def arrange(self, x: Any, model: str) -> list[Any]:
        """The leaves of ``x``, which a user gave for the inputs, in their order.

        Raises:
            ValueError: there are more or fewer than inputs, or a name is missing.
        """
        names = self.input_names
        if isinstance(x, Mapping):
            keys = list(self.inputs) if isinstance(self.inputs, dict) else names
            missing = [key for key in keys if key not in x]
            if missing:
                raise ValueError(f"model {model!r} takes inputs named {keys}; {missing} missing, received {list(x)}")
            return flatten([x[key] for key in keys])
        one_each = isinstance(self.inputs, (list, tuple)) and all(isinstance(slot, _Slot) for slot in self.inputs)
        leaves = list(x) if one_each and isinstance(x, (list, tuple)) else flatten(x)
        if len(leaves) != len(names):
            raise ValueError(
                f"model {model!r} takes {len(names)} {'input' if len(names) == 1 else 'inputs'}, {names}; "
                f"received {len(leaves)}"
            )
        return leaves

    @property
    def input_names(self) -> list[str]:
        return [layer.name for layer in self.input_layers]

    @property
    def output_names(self) -> list[str]:
        """The keys of a dict of outputs; otherwise the names of the layers that give them."""
        if isinstance(self.outputs, dict):
            return list(self.outputs)
        makers = {number: call.layer.name for call in self.calls for number in call.outputs}
        makers |= dict(enumerate(self.input_names))
        return [makers[number] for number in _slots(self.outputs)]

    def symbols(self, nest: Any) -> Any:
        """The KerasTensors in the slots of ``inputs`` or ``outputs``."""
        return _map_slots(lambda number: self.tensors[number], nest)

    def infer(self, tensors: Sequence[KerasTensor]) -> Any:
        """KerasTensors for the outputs when the inputs look like ``tensors``. No call is noted."""
        return self.run(tensors, lambda layer, args, kwargs: layer._infer_outputs(*args, **kwargs))

    # Plain data, in Keras's form

    def get_config(self) -> dict[str, Any]:
        origin: dict[int, list[Any]] = {n: [layer.name, 0, 0] for n, layer in enumerate(self.input_layers)}
        calls: dict[str, list[Any]] = {layer.name: [] for layer in self.layers}

        def tensor(number: int) -> dict[str, Any]:
            x = self.tensors[number]
            history = {"shape": list(x.shape), "dtype": x.dtype.name, "keras_history": origin[number]}
            return {"class_name": "__keras_tensor__", "config": history}

        for call in self.calls:
            noted = calls[call.layer.name]
            for index, number in enumerate(call.outputs):
                origin[number] = [call.layer.name, len(noted), index]
            noted.append({"args": _written(list(call.args), tensor), "kwargs": _written(call.kwargs, tensor)})
        layers = [plain(layer) | {"name": layer.name, "inbound_nodes": calls[layer.name]} for layer in self.layers]
        ends = (_map_slots(lambda number: origin[number], nest) for nest in (self.inputs, self.outputs))
        return {"layers": layers} | dict(zip(("input_layers", "output_layers"), ends, strict=True))

    # Copies: without the tensors, whose chains of calls are too deep for pickle

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["tensors"] = [(x.shape, x.dtype, x.name) for x in self.tensors]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.tensors = [KerasTensor(*of) for of in state["tensors"]]
        self.note_calls()

    def note_calls(self) -> None:
        """Tell the layers of their calls here, of which a copy does not know."""
        for number, layer in enumerate(self.input_layers):
            self.tensors[number] = layer.output
        for call in self.calls:
            outputs = [self.tensors[number] for number in call.outputs]
            node = Node(
                call.layer,
                self.symbols(call.args),
                self.symbols(call.kwargs),
                outputs if len(outputs) > 1 else outputs[0],
            )
            call.layer.__dict__.setdefault("_nodes", []).append(node)


def _input_layer(x: KerasTensor) -> InputLayer:
    """The layer of an Input; for what another layer gave, where a model may begin too, one like it."""
    if x.node is not None and isinstance(x.node.layer, InputLayer):
        return x.node.layer
    return InputLayer(batch_shape=x.shape, dtype=x.dtype)


def _walk(makers: Mapping[int, Layer], outputs: Sequence[KerasTensor]) -> tuple[list[Node], dict[int, int]]:
    """The calls that the outputs need, each after those that it needs; and the order in which layers are met.

    Depth first from the outputs, as far as the tensors in ``makers``.
    """
    found: dict[int, Node] = {}
    met: dict[int, int] = {}
    begun: set[int] = set()
    stack: list[tuple[KerasTensor, bool]] = [(x, False) for x in reversed(outputs)]
    while stack:
        x, seen = stack.pop()
        if id(x) in makers:
            met.setdefault(id(makers[id(x)]), len(met))
            continue
        node = x.node
        if node is None or isinstance(node.layer, InputLayer):
            raise ValueError(f"the outputs depend on {x!r}: is it missing among the inputs of the model?")
        if seen:
            found[id(node)] = node
        elif id(node) not in begun:
            begun.add(id(node))
            met.setdefault(id(node.layer), len(met))
            stack.append((x, True))
            stack += [(t, False) for t in reversed(node.inputs)]
    return list(found.values()), met


def _ordered_layers(
    input_layers: Sequence[Layer], makers: Mapping[int, Layer], nodes: Sequence[Node], met: Mapping[int, int]
) -> list[Layer]:
    """Keras's order, which is that of the weights."""
    made_by: dict[int, Any] = {id(x): node for node in nodes for x in flatten(node.outputs)}
    made_by |= makers
    depth: dict[int, int] = {}  # by node or layer: how many calls there are after it
    layers: dict[int, Layer] = {}

    def at_least(what: Any, n: int) -> int:
        depth[id(what)] = max(depth.get(id(what), 0), n)
        return depth[id(what)]

    for node in reversed(nodes):
        layers[id(node.layer)] = node.layer
        n = at_least(node, depth.get(id(node.layer), 0))
        at_least(node.layer, n)
        for x in node.inputs:
            at_least(made_by[id(x)], n + 1)
    for layer in input_layers:
        layers[id(layer)] = layer
        at_least(layer, 0)
    return sorted(layers.values(), key=lambda layer: (-depth[id(layer)], met.get(id(layer), -1)))


def _slots(nest: Any) -> list[int]:
    return [x.number for x in flatten(nest) if isinstance(x, _Slot)]


def _map_slots(function: Callable[[int], Any], nest: Any) -> Any:
    return map_structure(lambda x: function(x.number) if isinstance(x, _Slot) else x, nest)


def _written(value: Any, tensor: Callable[[int], Any]) -> Any:
    """A call's arguments as plain data."""
    if isinstance(value, _Slot):
        return tensor(value.number)
    if isinstance(value, dict):
        return {key: _written(v, tensor) for key, v in value.items()}
    if isinstance(value, list):
        return [_written(v, tensor) for v in value]
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "items": [_written(v, tensor) for v in value]}
    if isinstance(value, slice):
        return {"class_name": "__slice__", "config": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__"}
    if isinstance(value, (Tensor, np.ndarray)):
        array = np.asarray(value)
        return {"class_name": "__array__", "config": {"value": array.tolist(), "dtype": array.dtype.name}}
    return plain(value)


def _read(value: Any, tensor: Callable[[Sequence[Any]], KerasTensor]) -> Any:
    """What :func:`_written` wrote."""
    if isinstance(value, list):
        return [_read(v, tensor) for v in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind == "__keras_tensor__":
        return tensor(value["config"]["keras_history"])
    if kind == "__tuple__":
        return tuple(_read(v, tensor) for v in value["items"])
    if kind == "__slice__":
        return slice(*value["config"])
    if kind == "__ellipsis__":
        return Ellipsis
    if kind == "__array__":
        return np.array(value["config"]["value"], value["config"]["dtype"])
    return {key: _read(v, tensor) for key, v in value.items()}


def symbols_from_config(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The inputs and outputs that :meth:`Graph.get_config` describes, between new layers.

    Raises:
        ValueError: a call needs what no other gives.
    """
    layers = {entry["name"]: restored(entry) for entry in config["layers"]}
    made: dict[Any, list[KerasTensor]] = {
        (name, 0): [layer.output] for name, layer in layers.items() if isinstance(layer, InputLayer)
    }

    def tensor(history: Sequence[Any]) -> KerasTensor:
        name, number, index = history
        found: list[KerasTensor] = made[name, number]
        return found[int(index)]

    pending = [(e["name"], n, call) for e in config["layers"] for n, call in enumerate(e["inbound_nodes"])]
    while pending:
        waiting = []
        for name, number, call in pending:
            try:
                args, kwargs = _read(call["args"], tensor), _read(call["kwargs"], tensor)
            except KeyError:
                waiting.append((name, number, call))
                continue
            made[name, number] = flatten(layers[name](*args, **kwargs))
        if len(waiting) == len(pending):
            raise ValueError(f"the calls of {sorted({name for name, _, _ in waiting})} need what no layer gives")
        pending = waiting

    def ends(nest: Any) -> Any:
        if isinstance(nest, dict):
            return {key: ends(v) for key, v in nest.items()}
        if len(nest) == 3 and isinstance(nest[0], str):
            return tensor(nest)
        return [ends(v) for v in nest]

    return ends(config["input_layers"]), ends(config["output_layers"])
