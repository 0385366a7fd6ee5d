"""Recurrent layers over whole sequences: one launch forward, one backward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL
from dlbd.ops.epilogue import fused_activation
from dlbd.ops.promotion import floats
from dlbd.tensor import Tensor, as_tensor

_tanh = _cpu.Activation("tanh")
_GATES = {"rnn": 1, "lstm": 4, "gru": 3, "gru_reset_before": 3}


@lru_cache(maxsize=4096)
def _rnn_shape(*key: Any) -> Any:
    return _cpu.RnnShape(*key)


def rnn(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    *,
    initial_state: Any = None,
    mask: Any = None,
    reverse: bool = False,
    activation: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """A plain recurrent layer (Elman 1990): ``h = activation(x_t @ kernel + h @ recurrent_kernel + bias)``.

    Args:
        x: (B, T, D), float; integers are taken as float32.
        kernel: (D, H).
        recurrent_kernel: (H, H).
        bias: (H,) or None.
        initial_state: (B, H); zeros by default.
        mask: (B, T), bool. A step whose mask is False leaves the state, and so the output, as it was.
        reverse: start at the last step; the sequence comes in the order of processing, as Keras's ``go_backwards``.
        activation: one that the kernels fuse: linear, relu, leaky_relu (slope 0.2), sigmoid, tanh, elu, softplus.

    Returns:
        The sequence of states (B, T, H) and the last state (B, H); with T = 0 the latter is the initial state.

    Raises:
        ValueError: shapes do not fit; the message names the operand and the shape it should have.
        TypeError: an operand has another dtype than ``x``, or a mask is not bool.

    Example:
        With these weights the state is the sum of what was seen:

        >>> x, one = np.array([[[1.0], [2.0], [4.0]]]), np.ones((1, 1))
        >>> sequence, last = dlbd.ops.rnn(x, one, one, activation="linear", mask=np.array([[True, False, True]]))
        >>> sequence.numpy().ravel(), last.numpy()
        (array([1., 1., 5.], dtype=float32), array([[5.]], dtype=float32))
    """
    states = () if initial_state is None else (initial_state,)
    sequence, h = _layer(
        "rnn", "rnn", x, kernel, recurrent_kernel, bias, states, mask, reverse, fused_activation("rnn", activation)
    )
    return sequence, h


def lstm(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    *,
    initial_state: Sequence[Any] | None = None,
    mask: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    With the columns of the kernels in the order i, f, g, o: ``c = sigmoid(f) c + sigmoid(i) tanh(g)`` and
    ``h = sigmoid(o) tanh(c)``.

    Args:
        x: (B, T, D), float; integers are taken as float32.
        kernel: (D, 4 H).
        recurrent_kernel: (H, 4 H).
        bias: (4 H,) or None.
        initial_state: h and c, (B, H) each; zeros by default.
        mask, reverse: as in :func:`rnn`.

    Returns:
        The sequence of h (B, T, H), and the last h and c (B, H).

    Raises:
        ValueError, TypeError: as :func:`rnn`.

    Example:
        With all gates open the cell counts the steps:

        >>> open_gates = np.array([100.0, 100.0, 100.0, 100.0])
        >>> h, last, c = dlbd.ops.lstm(np.zeros((1, 3, 1)), np.zeros((1, 4)), np.zeros((1, 4)), open_gates)
        >>> h.shape, last.numpy().round(4), c.numpy().round(4)
        ((1, 3, 1), array([[0.9951]], dtype=float32), array([[3.]], dtype=float32))
    """
    states = () if initial_state is None else tuple(initial_state)
    sequence, h, c = _layer("lstm", "lstm", x, kernel, recurrent_kernel, bias, states, mask, reverse, _tanh)
    return sequence, h, c


def gru(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    *,
    initial_state: Any = None,
    mask: Any = None,
    reverse: bool = False,
    reset_after: bool = True,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent unit (Cho et al. 2014): ``h = z h + (1 - z) candidate``.

    The columns of the kernels are in the order z, r, candidate. The candidate is
    ``tanh(x_t @ kernel + r * (h @ recurrent_kernel))`` with ``reset_after``, else
    ``tanh(x_t @ kernel + (r * h) @ recurrent_kernel)``.

    Args:
        x: (B, T, D), float; integers are taken as float32.
        kernel: (D, 3 H).
        recurrent_kernel: (H, 3 H).
        bias: (2, 3 H), of the input and the recurrent side, with ``reset_after``; (3 H,) without; or None.
        initial_state: (B, H); zeros by default.
        mask, reverse: as in :func:`rnn`.
        reset_after: whether the reset gate scales the candidate's recurrent product, or the state that enters it.

    Returns:
        The sequence of h (B, T, H) and the last h (B, H).

    Raises:
        ValueError, TypeError: as :func:`rnn`.

    Example:
        A candidate of 1 and z = 1/2 halve the distance to 1 in each step:

        >>> h, last = dlbd.ops.gru(np.ones((1, 3, 1)), [[0.0, 0.0, 100.0]], np.zeros((1, 3)))
        >>> h.numpy().ravel().round(4), last.numpy().round(4)
        (array([0.5  , 0.75 , 0.875], dtype=float32), array([[0.875]], dtype=float32))
    """
    states = () if initial_state is None else (initial_state,)
    cell = "gru" if reset_after else "gru_reset_before"
    sequence, h = _layer("gru", cell, x, kernel, recurrent_kernel, bias, states, mask, reverse, _tanh)
    return sequence, h


def _check(op: str, name: str, operand: Tensor | None, shape: tuple[int, ...]) -> None:
    if operand is not None and operand.shape != shape:
        raise ValueError(f"[{op}] {name} must have shape {shape}; received {operand.shape}")


def _layer(
    op: str,
    cell: str,
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    states: tuple[Any, ...],
    mask: Any,
    reverse: bool,
    activation: Any,
) -> tuple[Tensor, ...]:
    inputs, w, u, b, *before = floats(x, kernel, recurrent_kernel, bias, *states)
    if inputs.ndim != 3:
        raise ValueError(f"[{op}] x must be (B, T, D); received {inputs.shape}")
    batch, steps, depth = inputs.shape
    dtype = inputs.dtype
    gates = _GATES[cell]
    units = u.shape[0] if u.ndim else 0
    _check(op, "recurrent_kernel", u, (units, gates * units))
    _check(op, "kernel", w, (depth, gates * units))
    _check(op, "bias", b, (2, 3 * units) if cell == "gru" else (gates * units,))
    expected = 2 if cell == "lstm" else 1
    if states and len(states) != expected:
        raise ValueError(f"[{op}] initial_state must be {expected} arrays; received {len(states)}")
    for state in before:
        _check(op, "initial_state", state, (batch, units))
    before = [*before, None, None][:2]
    m = None
    if mask is not None:
        m = as_tensor(mask)
        if m.dtype != BOOL:
            raise TypeError(f"[{op}] mask must be bool; received {m.dtype}")
        if m.shape != (batch, steps):
            raise ValueError(f"[{op}] mask must have shape {(batch, steps)}; received {m.shape}")

    shape = _rnn_shape(cell, batch, steps, depth, units, backend.DTYPE[dtype], backend.path.get("rnn", "auto"))
    like = inputs.array
    y = Tensor(backend.empty((batch, steps, units), dtype, like))
    h = Tensor(backend.empty((batch, units), dtype, like))
    c = Tensor(backend.empty((batch, units), dtype, like)) if cell == "lstm" else None
    recording = autograd.recording()
    reserve = backend.empty((shape.reserve,), dtype, like) if recording else None
    backend.twin(like).rnn_forward(
        shape,
        activation,
        reverse,
        like,
        w.array,
        u.array,
        *(None if t is None else t.array for t in (b, *before, m, y, h, c)),
        reserve,
    )
    outputs = (y, h) if c is None else (y, h, c)
    if recording:
        setting = shape, activation, reverse
        operands = inputs, w, u, b, *before
        autograd.note(
            [t for t in operands if t is not None],
            outputs,
            lambda grads: _layer_gradient(grads, setting, operands, m, reserve, outputs),
        )
    return outputs


def _layer_gradient(
    grads: Gradients,
    setting: tuple[Any, ...],
    operands: tuple[Tensor | None, ...],
    mask: Tensor | None,
    reserve: Any,
    outputs: tuple[Tensor, ...],
) -> None:
    """Back through time from the gates that the forward pass saved."""
    inputs, w, u = operands[:3]
    assert inputs is not None
    assert w is not None
    assert u is not None
    dy = [grads.of(t) for t in outputs]
    # Asked for in the order in which the kernel finishes them: one tensor may be several of the operands.
    wanted: list[tuple[Any, bool]] = [(None, False)] * 6
    for i in (0, 4, 5, 3, 1, 2):
        if (operand := operands[i]) is not None:
            wanted[i] = grads.into(operand)
    backend.twin(inputs.array).rnn_backward(
        *setting,
        inputs.array,
        w.array,
        u.array,
        None if mask is None else mask.array,
        reserve,
        *dy,
        *([None] * (3 - len(dy))),
        *(d for d, _ in wanted),
        [accumulate for _, accumulate in wanted],
    )
