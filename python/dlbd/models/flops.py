"""What one sample costs: the multiplications and additions of matrix products and convolutions.

A multiply-add is two operations. Biases, activations, normalisation, pooling and the like are not counted: they are
bound by memory, not by arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd.layers.base import Layer, Shape
from dlbd.models.outline import Call, outline, product


def flops(call: Call) -> int | None:
    """Of one sample; None where it is not known.

    A layer of a user's own tells by a method ``flops(input_shapes, output_shapes)``, which gets lists of shapes.
    """
    layer = call.layer
    if not layer.built or None in call.inputs or None in call.outputs:
        return None
    return _of_layer(layer, call.inputs, call.outputs)  # type: ignore[arg-type]


def total(calls: list[Call]) -> tuple[int, int]:
    """The sum, and how many of the calls do not tell."""
    found = [flops(call) for call in calls]
    return sum(n for n in found if n is not None), found.count(None)


def _of_layer(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    own = getattr(layer, "flops", None)
    if own is not None:
        return int(own(inputs, outputs))
    for kind in type(layer).__mro__:
        if kind.__module__.startswith("dlbd.") and kind.__name__ in _FORMULAS:
            return _FORMULAS[kind.__name__](layer, inputs, outputs)
    return 0 if type(layer).__module__.startswith("dlbd.") else None


def _twice(*products: int | None) -> int | None:
    return None if None in products else 2 * sum(n for n in products if n is not None)


def _matrices(layer: Layer, positions: int | None) -> int | None:
    """Every matrix (or kernel) is used once for each of so many positions."""
    size = sum(w.size for w in layer.weights if w.ndim > 1 and "bias" not in w.name)
    return _twice(product((positions, size)))


def _at_outputs(layer: Layer, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    return _matrices(layer, product(outputs[0][1:-1]))


def _at_inputs(layer: Layer, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    return _matrices(layer, product(inputs[0][1:-1]))


def _at_steps(layer: Layer, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    return _matrices(layer, inputs[0][1])


def _inside_at_steps(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    one = _of_layer(layer.layer, *([(s[0], *s[2:]) for s in shapes] for shapes in (inputs, outputs)))
    return product((inputs[0][1], one))


def _attention(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    """Each query by each key, and each score by its value."""
    query, value, key = (*inputs, inputs[-1], inputs[-1])[:3]
    return _twice(product((query[-2], *key[-2:])), product((query[-2], *value[-2:])))


def _multi_head_attention(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    query, value, key = (*inputs, inputs[-1], inputs[-1])[:3]
    q, v, k = (product(shape[1:-1]) for shape in (query, value, key))
    pairs = product((q, *(key[axis] for axis in layer._attended), layer.num_heads))
    kernels = (q, layer.query_kernel), (v, layer.value_kernel), (k, layer.key_kernel), (q, layer.output_kernel)
    projections = [product((n, kernel.size)) for n, kernel in kernels]
    return _twice(*projections, product((pairs, layer.key_dim + layer.value_dim)))


def _dot(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    return _twice(product((*outputs[0][1:], inputs[0][layer._axes(inputs)[0]])))


def _operation(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    if layer.function == "matmul":
        return _twice(product((*outputs[0][1:], inputs[0][-1])))
    multiplies = ("attention", "conv", "dense", "gru", "lstm", "rnn")
    return None if any(part in layer.function for part in multiplies) else 0


def _model(layer: Any, inputs: list[Shape], outputs: list[Shape]) -> int | None:
    found, unknown = total(outline(layer))
    return None if unknown else found


_FORMULAS: dict[str, Callable[[Any, list[Shape], list[Shape]], int | None]] = {
    "AdditiveAttention": _attention,
    "Attention": _attention,
    "Bidirectional": _at_steps,
    "Conv1D": _at_outputs,
    "Conv1DTranspose": _at_inputs,
    "Conv2D": _at_outputs,
    "Conv2DTranspose": _at_inputs,
    "Conv3D": _at_outputs,
    "Conv3DTranspose": _at_inputs,
    "Dense": _at_outputs,
    "DepthwiseConv1D": _at_outputs,
    "DepthwiseConv2D": _at_outputs,
    "Dot": _dot,
    "GRU": _at_steps,
    "GRUCell": _at_outputs,
    "LSTM": _at_steps,
    "LSTMCell": _at_outputs,
    "Model": _model,
    "MultiHeadAttention": _multi_head_attention,
    "Operation": _operation,
    "RNN": _at_steps,
    "SeparableConv1D": _at_outputs,
    "SeparableConv2D": _at_outputs,
    "SimpleRNN": _at_steps,
    "SimpleRNNCell": _at_outputs,
    "TimeDistributed": _inside_at_steps,
}
