"""SimpleRNN, LSTM and GRU over whole sequences. ONNX's sequences are (time, batch, features)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.export.graph import Value
from dlbd.export.operations.shapes import flipped
from dlbd.export.tracing import NotInOnnx, Spec, Trace, Traced, numbers
from dlbd.tensor import Variable

_ACTIVATIONS: dict[str, dict[str, Any]] = {
    "elu": {"activations": ["Elu"], "activation_alpha": [1.0]},
    "leaky_relu": {"activations": ["LeakyRelu"], "activation_alpha": [0.2]},
    "linear": {"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]},
    "relu": {"activations": ["Relu"]},
    "sigmoid": {"activations": ["Sigmoid"]},
    "softplus": {"activations": ["Softplus"]},
    "tanh": {"activations": ["Tanh"]},
}


def _layer(
    t: Trace,
    y: Sequence[Spec],
    op: str,
    gates: Sequence[int],
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    states: Sequence[Any],
    mask: Any,
    reverse: bool,
    **attributes: Any,
) -> list[Value]:
    """``gates``: where ONNX's gates lie among ours. ``bias`` may have two rows: of the input and the recurrent side."""
    if mask is not None:
        raise NotInOnnx(f"[{op.lower()}] has a mask: outside of a layer, ONNX export only knows it without")
    g, dtype, units = t.graph, y[0].dtype, recurrent_kernel.shape[0]

    def ordered(array: Array) -> Array:
        """(..., all gates) with the gates in ONNX's order."""
        parts = np.split(array, len(gates), axis=-1)
        return np.concatenate([parts[i] for i in gates], axis=-1)

    def weight(variable: Any, arranged: Callable[[Array], Array]) -> Value:
        if isinstance(variable, Traced):
            raise NotInOnnx(f"[{op.lower()}] computes its weights: ONNX export wants constants")
        name = variable.path if isinstance(variable, Variable) else ""
        return g.constant(arranged(numbers(variable))[None], dtype, name)

    def both_sides(array: Array) -> Array:
        rows = ordered(np.atleast_2d(array))
        return np.concatenate([rows[0], rows[1] if len(rows) == 2 else np.zeros_like(rows[0])])

    outputs = g.nodes_of(
        op,
        len(y),
        g.transposed(t.value(x, dtype), (1, 0, 2)),
        weight(kernel, lambda a: ordered(a).T),
        weight(recurrent_kernel, lambda a: ordered(a).T),
        None if bias is None else weight(bias, both_sides),
        None,  # lengths of the sequences: all the same
        *(g.node("Unsqueeze", t.value(s, dtype), g.integers(0)) for s in states),
        hidden_size=units,
        **({"direction": "reverse"} if reverse else {}),
        **attributes,
    )
    sequence = g.transposed(g.node("Squeeze", outputs[0], g.integers(1)), (1, 0, 2))
    if reverse:  # ours is in the order of processing
        sequence = flipped(t, sequence, 1)
    return [sequence, *(g.node("Squeeze", last, g.integers(0)) for last in outputs[1:])]


def _rnn(t: Trace, y: Sequence[Spec], initial_state: Any, activation: str, **operands: Any) -> list[Value]:
    states = [] if initial_state is None else [initial_state]
    return _layer(t, y, "RNN", [0], states=states, **operands, **_ACTIVATIONS[activation])


def _lstm(t: Trace, y: Sequence[Spec], initial_state: Any, **operands: Any) -> list[Value]:
    """Ours are i, f, c, o; ONNX's i, o, f, c."""
    return _layer(t, y, "LSTM", [0, 3, 1, 2], states=list(initial_state or ()), **operands)


def _gru(t: Trace, y: Sequence[Spec], initial_state: Any, reset_after: bool, **operands: Any) -> list[Value]:
    """Both have z, r, h."""
    states = [] if initial_state is None else [initial_state]
    return _layer(t, y, "GRU", [0, 1, 2], states=states, linear_before_reset=int(reset_after), **operands)


OPERATIONS: dict[str, Callable[..., Any]] = {"gru": _gru, "lstm": _lstm, "rnn": _rnn}
