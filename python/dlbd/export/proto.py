"""A graph as ONNX's protocol buffers, where everything has a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import dlbd
from dlbd.export.graph import Body, Declared, Graph, Node, Value
from dlbd.export.sizes import Size

# ONNX 1.13 of December 2022: the first with one form for all reductions; every runtime of note reads it.
OPSET = 18
IR_VERSION = 8
# Of ONNX's own extension for classical machine learning, which has the look-up of strings.
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 2
# What protocol buffers can hold.
MOST_BYTES = 2**31 - 1


def model_proto(graph: Graph, name: str) -> onnx.ModelProto:
    """The whole model, checked by ONNX's own checker.

    Raises:
        ValueError: its weights are larger than a file can be.
    """
    made = _Writer(graph).graph(graph, name)
    size = sum(len(constant.raw_data) for constant in made.initializer)
    if size > MOST_BYTES:
        raise ValueError(f"model {name!r} has {size:,} bytes of weights; an ONNX file holds at most {MOST_BYTES:,}")
    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == ML_DOMAIN for node in graph.nodes):
        opsets.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    model = helper.make_model(
        made,
        opset_imports=opsets,
        ir_version=IR_VERSION,
        producer_name="dlbd",
        producer_version=dlbd.__version__,
    )
    onnx.checker.check_model(model)
    return model


class _Writer:
    """Names for what the outputs depend on; the rest is left out."""

    def __init__(self, graph: Graph) -> None:
        self._needed = _needed(graph)
        self._taken: Counter[str] = Counter()
        self._names: dict[Value, str] = {}
        self._constants: dict[str, onnx.TensorProto] = {}
        for value, _, _ in [*graph.inputs, *graph.outputs]:
            self._name(value, value.name)

    def _unique(self, wish: str) -> str:
        name = wish
        while name in self._taken:
            self._taken[wish] += 1
            name = f"{wish}_{self._taken[wish]}"
        self._taken[name] = 0
        return name

    def _name(self, value: Value, wish: str) -> str:
        if value not in self._names:
            self._names[value] = self._unique(wish)
        return self._names[value]

    def _read(self, value: Value | None) -> str:
        if value is None:
            return ""
        if value.array is not None and value not in self._names:
            name = self._name(value, value.name or "constant")
            self._constants[name] = numpy_helper.from_array(np.asarray(value.array, order="C"), name)
        return self._names[value]

    def graph(self, body: Body, name: str) -> onnx.GraphProto:
        for value, _, _ in body.inputs:
            self._name(value, value.name)
        nodes = [self._node(node) for node in body.nodes if node in self._needed]
        inputs, outputs = ([self._declared(d) for d in ends] for ends in (body.inputs, body.outputs))
        proto = helper.make_graph(nodes, name, inputs, outputs)
        if isinstance(body, Graph):
            proto.initializer.extend(self._constants.values())
        return proto

    def _node(self, node: Node) -> onnx.NodeProto:
        place = node.place.partition("/")[2]  # without the model itself
        name = self._unique(f"{place}/{node.op}" if place else node.op)
        inputs = [self._read(value) for value in node.inputs]
        while inputs and not inputs[-1]:
            inputs.pop()
        attributes = {key: self._attribute(name, value) for key, value in node.attributes.items()}
        several = len(node.outputs) > 1
        outputs = [self._name(v, v.name or (f"{name}:{i}" if several else name)) for i, v in enumerate(node.outputs)]
        return helper.make_node(node.op, inputs, outputs, name, domain=node.domain or None, **attributes)

    def _attribute(self, name: str, value: Any) -> Any:
        if isinstance(value, Body):
            return self.graph(value, name)
        return helper.np_dtype_to_tensor_dtype(value) if isinstance(value, np.dtype) else value

    def _declared(self, declared: Declared) -> onnx.ValueInfoProto:
        value, shape, dtype = declared
        name = self._names[value]
        kind = onnx.TensorProto.STRING if dtype.kind == "U" else helper.np_dtype_to_tensor_dtype(dtype)
        sizes = [(n.name or f"{name}_{axis}") if isinstance(n, Size) else n for axis, n in enumerate(shape)]
        return helper.make_tensor_value_info(name, kind, sizes)


def _needed(body: Body) -> set[Node]:
    """The nodes that the outputs depend on, those of bodies inside nodes, too."""
    found: set[Node] = set()
    pending: list[Value | None] = [value for value, _, _ in body.outputs]
    while pending:
        value = pending.pop()
        if value is None or value.node is None or value.node in found:
            continue
        found.add(value.node)
        pending += value.node.inputs
        for inner in value.node.attributes.values():
            if isinstance(inner, Body):
                pending += [v for v, _, _ in inner.outputs]
    return found


def as_outputs(graph: Graph, body: Body, ends: Sequence[Declared]) -> None:
    """Declare the outputs of a body: each is what a node of its own gives, as ONNX wants it."""
    inside = {v for node in body.nodes for v in node.outputs}
    for value, shape, dtype in ends:
        own = value in inside
        inside.discard(value)
        body.outputs.append((value if own else graph.node("Identity", value), shape, dtype))
