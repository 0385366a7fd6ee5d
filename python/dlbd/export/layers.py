"""Layers whose ``call`` says it in a way that ONNX does not know: by a loop, by the numbers of a shape, on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlbd import layers, ops
from dlbd.backend import BOOL, FLOAT32, FLOAT64, INT64
from dlbd.export.graph import Value
from dlbd.export.proto import ML_DOMAIN, as_outputs
from dlbd.export.tracing import NotInOnnx, Spec, Trace, Traced, refused
from dlbd.layers.preprocessing.index_lookup import IndexLookup
from dlbd.layers.stacked_rnn_cells import StackedRNNCells, fuses, output_size
from dlbd.structure import flatten
from dlbd.tensor import Tensor

# Recurrent layers


def _recurrent(
    t: Trace, layer: Any, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False
) -> Any:
    """As :meth:`dlbd.layers.RNN.call`, whose loop becomes a Scan where ONNX has no node for the cell.

    A mask asks for a Scan, too: the lengths that ONNX's nodes take instead only say which last steps are missing.
    """
    if layer.stateful:
        raise NotInOnnx("it keeps its state between calls (stateful=True), and an ONNX file keeps nothing")
    if mask is None and layer.dtype == FLOAT32 and fuses(layer.cell, False):  # runtimes have none in double
        return layer.call(sequences, initial_state)
    x = ops.cast(sequences, layer.dtype)
    if isinstance(mask, (list, tuple)):
        mask = mask[0]
    seen = mask if mask is None or mask.dtype == BOOL else ops.not_equal(mask, 0)
    states = layer._states_before(initial_state, x.shape[0]) or layer.get_initial_state(x.shape[0])
    outputs, y, last = _scanned(t, layer, x, states, seen)
    y = outputs if layer.return_sequences else y
    if seen is not None and layer.zero_output_for_mask:
        order = ops.flip(seen, axis=1) if layer.go_backwards else seen
        y = ops.where(ops.expand_dims(order, -1) if layer.return_sequences else order[:, -1:], y, 0.0)
    return (y, *last) if layer.return_state else y


def _scanned(t: Trace, layer: Any, x: Tensor, states: Any, mask: Any) -> tuple[Any, Any, Any]:
    """All outputs in the order they were made, the last one, and the last states."""
    previous = flatten(states[-1] if isinstance(layer.cell, StackedRNNCells) else states)[0]
    if previous.shape[1:] != (output_size(layer.cell),):
        previous = ops.zeros((x.shape[0], output_size(layer.cell)), layer.dtype)
    kept = [*flatten(states), previous]
    along = [x] if mask is None else [x, mask]

    with t.body() as body:

        def declared(name: str, shape: Any, dtype: Any) -> Traced:
            body.inputs.append((Value(name), shape, dtype))
            return t.tensor(body.inputs[-1][0], Spec(shape, dtype))

        before = [declared("state", s.shape, s.dtype) for s in kept]
        x_t, *m_t = (declared("step", (s.shape[0], *s.shape[2:]), s.dtype) for s in along)
        y, after = layer.cell(x_t, layer._packed(before[:-1]), training=False)
        new = [*flatten(layer._listed(after)), y]
        if m_t:
            counts = ops.expand_dims(m_t[0], 1)
            new = [ops.where(counts, *pair) for pair in zip(new, before, strict=True)]
        as_outputs(t.graph, body, [(t.value(s, layer.dtype), s.shape, layer.dtype) for s in (*new, new[-1])])

    count = len(along)
    found = t.graph.nodes_of(
        "Scan",
        len(new) + 1,
        *(t.value(s, layer.dtype) for s in (*kept, x)),
        *(t.value(m) for m in along[1:]),
        body=body,
        num_scan_inputs=count,
        scan_input_axes=[1] * count,
        scan_input_directions=[int(layer.go_backwards)] * count,
        scan_output_axes=[1],
    )
    *last, y = (t.tensor(v, Spec(s.shape, s.dtype)) for v, s in zip(found[:-1], kept, strict=True))
    sequence = Spec((x.shape[0], x.shape[1], *y.shape[1:]), y.dtype)
    return t.tensor(found[-1], sequence), y, layer._packed(last)


# Layers of shapes


def _cropping(t: Trace, layer: Any, inputs: Traced) -> Any:
    pairs = layer._pairs(layer.cropping)
    return inputs[(slice(None), *(slice(before, -after or None) for before, after in pairs))]


def _reshape(t: Trace, layer: Any, inputs: Traced) -> Any:
    return ops.reshape(inputs, (inputs.shape[0], *layer.target_shape))


def _position_embedding(t: Trace, layer: Any, inputs: Traced, start_index: int = 0) -> Any:
    ends = (t.vector([n]) for n in (start_index, start_index + inputs.shape[1]))
    rows = t.graph.sliced(t.value(layer.position_embeddings, inputs.dtype), [0], *ends)
    return ops.broadcast_to(t.tensor(rows, Spec(inputs.shape[1:], inputs.dtype)), inputs.shape)


def _sine_position_encoding(t: Trace, layer: Any, inputs: Traced, start_index: int = 0) -> Any:
    """In double, since angles are large; a cosine is a sine a quarter turn on."""
    column = np.arange(inputs.shape[-1])
    position = ops.cast(ops.arange(start_index, start_index + inputs.shape[1]), FLOAT64)
    frequency = layer.max_wavelength ** -(2 * (column // 2) / len(column))
    angle = ops.expand_dims(position, 1) * ops.cast(frequency, FLOAT64) + ops.cast(column % 2 * (np.pi / 2), FLOAT64)
    return ops.broadcast_to(ops.cast(ops.sin(angle), inputs.dtype), inputs.shape)


# Layers that work on the host


def _lookup(t: Trace, layer: Any, inputs: Traced) -> Any:
    """By the table of ONNX's extension for classical machine learning."""
    text = isinstance(layer, layers.StringLookup)
    if text != (inputs.dtype.kind == "U"):
        raise NotInOnnx(f"it looks up {'text' if text else 'integers'}; its input is declared as {inputs.dtype}")
    if layer.invert:
        table, otherwise = dict(enumerate(layer.get_vocabulary())), layer.oov_token
    else:
        table, otherwise = _places(layer), layer._oov_start
    found = t.graph.node(
        "LabelEncoder",
        t.value(inputs, None if text else INT64),
        domain=ML_DOMAIN,
        values_int64s=list(table.values()),
        default_int64=otherwise,
        **{"keys_strings" if text else "keys_int64s": list(table)},
    )
    return layer.call(t.tensor(found, Spec(inputs.shape, INT64)))


def _places(layer: Any) -> dict[Any, int]:
    """The indices of tokens."""
    if layer.num_oov_indices != 1:
        raise NotInOnnx(
            f"it has num_oov_indices={layer.num_oov_indices}: for an unknown token ONNX knows neither hashes nor "
            "errors, only one index"
        )
    places = dict(zip(layer.get_vocabulary(False), range(layer._token_start, layer.vocabulary_size()), strict=True))
    if layer.mask_token is not None:
        places[layer.mask_token] = 0 if layer.output_mode == "int" else -1
    return places


# What stands for the calls of layers of a type.
LAYERS: dict[type[layers.Layer], Callable[..., Any]] = {
    layers.RNN: _recurrent,
    layers.Cropping1D: _cropping,
    layers.Cropping2D: _cropping,
    layers.Cropping3D: _cropping,
    layers.Reshape: _reshape,
    layers.PositionEmbedding: _position_embedding,
    layers.SinePositionEncoding: _sine_position_encoding,
    IndexLookup: _lookup,
    layers.TextVectorization: refused("it standardizes and splits text: let the program do so before the model"),
    layers.Hashing: refused("ONNX knows no hash: let the program hash before the model"),
    layers.HostLayer: refused("it works on the host, in Python: let the program do so before the model"),
}
