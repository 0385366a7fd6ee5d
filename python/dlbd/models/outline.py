"""Outline: which layers a model calls, with what, and what comes out. For those who describe models, not for steps."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from dlbd.layers.base import Layer, Shape, is_shape
from dlbd.layers.input import InputLayer
from dlbd.layers.operation import Operation
from dlbd.structure import flatten
from dlbd.symbolic import KerasTensor


class Source(NamedTuple):
    """Where a call's input comes from: Keras's ``keras_history``."""

    layer: Layer
    call: int  # the layer's first call in the model is 0
    output: int


class Call(NamedTuple):
    """A layer at work in a model. Shapes are None, or hold None, where they are not known."""

    layer: Layer
    sources: list[Source]
    inputs: list[Shape | None]
    outputs: list[Shape | None]
    shapes: Any  # the outputs' in their own structure

    @property
    def output_bytes(self) -> int | None:
        """Of the outputs of one sample, of a model those of its layers; of an Input nothing: these are the data."""
        if isinstance(self.layer, InputLayer):
            return 0
        if hasattr(self.layer, "layers"):
            sizes = [call.output_bytes for call in outline(self.layer)]
        else:
            itemsize = np.dtype(self.layer.output_dtype).itemsize
            sizes = [None if shape is None else product((itemsize, *shape[1:])) for shape in self.outputs]
        return None if None in sizes else sum(n for n in sizes if n is not None)


def product(sizes: Any) -> int | None:
    """None if one of them is not known."""
    return None if None in sizes else math.prod(sizes)


def outline(model: Any) -> list[Call]:
    """The calls, each after those whose outputs it takes; Inputs come first.

    Of a model whose ``call`` only runs on numbers: its layers, each once, with no sources.
    """
    from dlbd.models.sequential import Sequential

    try:
        graph = model._made_graph()
    except AttributeError:
        alone = [_alone(layer) for layer in model.layers]
        if isinstance(model, Sequential):  # not built
            for before, call in pairwise(alone):
                call.sources.append(Source(before.layer, 0, 0))
        return alone
    calls: list[Call] = []
    made: dict[int, tuple[Source, Shape]] = {}  # by the KerasTensor

    def note(layer: Layer, tensors: list[KerasTensor], taken: list[KerasTensor]) -> None:
        number = sum(call.layer is layer for call in calls)
        for index, x in enumerate(tensors):
            made[id(x)] = Source(layer, number, index), x.shape
        sources, inputs = zip(*(made[id(x)] for x in taken), strict=True) if taken else ((), ())
        outputs: list[Shape | None] = [x.shape for x in tensors]
        calls.append(Call(layer, list(sources), list(inputs), outputs, outputs if len(outputs) > 1 else outputs[0]))

    for layer, x in zip(graph.input_layers, graph.tensors, strict=False):
        note(layer, [x], [])
    for call in graph.calls:
        given = flatten(graph.symbols([call.args, call.kwargs]))
        note(call.layer, [graph.tensors[n] for n in call.outputs], [x for x in given if isinstance(x, KerasTensor)])
    return calls


def _alone(layer: Layer) -> Call:
    """What is known of a layer by itself: the shapes that it was built for."""
    given = layer.built_shape if layer.built else None
    try:
        shapes = None if given is None else layer.compute_output_shape(given)
    except (NotImplementedError, TypeError, ValueError):
        shapes = None
    inputs, outputs = ([None] if s is None else [s] if is_shape(s) else list(s) for s in (given, shapes))
    return Call(layer, [], [_any_batch(s) for s in inputs], [_any_batch(s) for s in outputs], _any_batch(shapes))


def _any_batch(shape: Any) -> Any:
    if shape is None:
        return None
    return (None, *shape[1:]) if is_shape(shape) else [_any_batch(s) for s in shape]


def kind(layer: Layer) -> str:
    """The name of its class; of a function of dlbd.ops its own."""
    return f"ops.{layer.function}" if isinstance(layer, Operation) else type(layer).__name__
