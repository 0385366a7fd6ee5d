"""A graph of ONNX nodes while it is put together. It has no names yet: edges are objects."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlbd.backend import Array

Order = tuple[int, ...]


class Value:
    """What flows along an edge: an output of a node, a constant, or (neither) an input of a graph.

    Attributes:
        node: what gives it.
        array: the numbers of a constant.
        name: of an input; the one that a constant would like to have.
    """

    __slots__ = ("array", "name", "node")

    def __init__(self, name: str = "", *, node: Node | None = None, array: Array | None = None) -> None:
        self.name, self.node, self.array = name, node, array


class Node:
    """An operator of ONNX.

    Attributes:
        op, domain: its type.
        inputs: None for one that is left out.
        attributes: a :class:`Body` among them is a graph inside this node.
        place: the layers that it is part of, "encoder/dense".
        outputs: its values.
    """

    def __init__(
        self, op: str, domain: str, inputs: Sequence[Value | None], count: int, attributes: dict[str, Any], place: str
    ) -> None:
        self.op, self.domain, self.inputs, self.attributes, self.place = op, domain, inputs, attributes, place
        self.outputs = [Value(node=self) for _ in range(count)]


class Body:
    """A graph inside a node; its nodes may use the values of the graphs around it.

    Attributes:
        nodes: in an order in which they can run.
        inputs, outputs: values with the shapes and dtypes that are declared of them.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[Declared] = []
        self.outputs: list[Declared] = []


Declared = tuple[Value, Sequence[Any], np.dtype[Any]]


class Graph(Body):
    """The whole graph. Nodes are appended where :meth:`inside` and :meth:`within` say.

    Transposes cancel as they come: a node whose inputs were transposed in the same way takes them as they were before,
    if it can, and its result is transposed instead. So a chain of convolutions, which are channels-first in ONNX, has
    its transposes at the ends.
    """

    def __init__(self) -> None:
        super().__init__()
        self._body: Body = self
        self._place = ""
        # What was made for what, as long as it can be used.
        self.known: ChainMap[Any, Any] = ChainMap()

    @contextmanager
    def within(self, layer: str) -> Iterator[None]:
        """New nodes belong to this layer."""
        before = self._place
        self._place = f"{before}/{layer}" if before else layer
        try:
            yield
        finally:
            self._place = before

    @contextmanager
    def inside(self, body: Body) -> Iterator[None]:
        """New nodes go to ``body``; what becomes known there is forgotten afterwards."""
        before, self._body = self._body, body
        self.known = self.known.new_child()
        try:
            yield
        finally:
            self._body = before
            self.known = self.known.parents

    # Nodes

    def node(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """The output of a new node."""
        return self.nodes_of(op, 1, *inputs, **attributes)[0]

    def nodes_of(self, op: str, count: int, *inputs: Value | None, domain: str = "", **attributes: Any) -> list[Value]:
        """The outputs of a new node with ``count`` of them."""
        made = Node(op, domain, inputs, count, attributes, self._place)
        self._body.nodes.append(made)
        return made.outputs

    def constant(self, array: Any, dtype: Any = None, name: str = "") -> Value:
        """Numbers; small ones without a name are there once."""
        a = np.asarray(array, dtype)
        if name or a.size > 64:
            return Value(name, array=a)
        key = "constant", a.dtype.str, a.shape, a.tobytes()
        return self._made(key, lambda: Value(array=a))  # type: ignore[no-any-return]

    def integers(self, *numbers: int) -> Value:
        """A vector of int64."""
        return self.constant(numbers, np.int64)

    def _made(self, key: Any, make: Any) -> Any:
        if key not in self.known:
            self.known[key] = make()
        return self.known[key]

    # The order of axes

    def transposed(self, x: Value, order: Sequence[int]) -> Value:
        """``x`` with axis ``order[i]`` of it as axis i."""
        if list(order) == sorted(order):
            return x
        if x.array is not None:
            return Value(x.name, array=x.array.transpose(order))
        before, inner = self.source(x)
        if inner is not None:
            return self.transposed(before, [inner[i] for i in order])
        key = "transposed", x, tuple(order)
        return self._made(key, lambda: self.node("Transpose", x, perm=list(order)))  # type: ignore[no-any-return]

    def source(self, x: Value) -> tuple[Value, Order | None]:
        """What ``x`` was before its axes were put into an order, and that order; itself and None if they were not."""
        if x.node is None or x.node.op != "Transpose":
            return x, None
        (before,) = x.node.inputs
        assert before is not None
        return before, tuple(x.node.attributes["perm"])

    def pointwise(self, op: str, *inputs: Value, **attributes: Any) -> Value:
        """A node of one output that treats all elements alike; its inputs broadcast."""
        orders = {self.source(x)[1] for x in inputs if x.array is None}
        order = orders.pop() if len(orders) == 1 else None
        if order is None or any(x.array is not None and x.array.ndim > len(order) for x in inputs):
            return self.node(op, *inputs, **attributes)
        before = [self._reordered(x, order) if x.array is not None else self.source(x)[0] for x in inputs]
        return self.transposed(self.node(op, *before, **attributes), order)

    def _reordered(self, constant: Value, order: Order) -> Value:
        """A constant as it meets what was not yet put into an order."""
        a = constant.array
        assert a is not None
        if a.ndim == 0:
            return constant
        wide = a.reshape((1,) * (len(order) - a.ndim) + a.shape)
        return self.constant(wide.transpose(np.argsort(order)), name=constant.name)

    def concatenated(self, values: Sequence[Value], axis: int) -> Value:
        """Values of one rank after each other along an axis, counted from the front."""
        sources = [self.source(x) for x in values]
        order = sources[0][1]
        if order is None or any(other != order for _, other in sources):
            return self.node("Concat", *values, axis=axis)
        return self.transposed(self.node("Concat", *(x for x, _ in sources), axis=order[axis]), order)

    def sliced(self, x: Value, axes: Sequence[int], starts: Value, ends: Value, steps: Value | None = None) -> Value:
        """ONNX's Slice along axes that are counted from the front."""
        before, order = self.source(x)
        places = axes if order is None else [order[a] for a in axes]
        y = self.node("Slice", before, starts, ends, self.integers(*places), steps)
        return y if order is None else self.transposed(y, order)

    def reduced(self, op: str, x: Value, rank: int, axes: Sequence[int], keepdims: bool) -> Value:
        """ONNX's Reduce... along axes of ``x`` that are counted from the front."""
        before, order = self.source(x)
        places = axes if order is None else [order[a] for a in axes]
        if not axes:
            return x
        y = self.node(op, before, self.integers(*sorted(places)), keepdims=int(keepdims))
        if order is None:
            return y
        if keepdims:
            return self.transposed(y, order)
        kept = [a for a in order if a not in places]
        return self.transposed(y, [sorted(kept).index(a) for a in kept])

    def along(self, op: str, x: Value, axis: int, *others: Value, **attributes: Any) -> Value:
        """A node of one output with an attribute ``axis``, counted from the front, that leaves the axes as they are."""
        before, order = self.source(x)
        if order is None:
            return self.node(op, x, *others, axis=axis, **attributes)
        return self.transposed(self.node(op, before, *others, axis=order[axis], **attributes), order)
