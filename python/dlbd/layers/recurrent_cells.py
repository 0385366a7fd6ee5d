"""SimpleRNNCell, LSTMCell and GRUCell: one time step of a recurrent layer, its weights and its dropout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from dlbd import activations, initializers, ops, random
from dlbd.layers.arguments import fraction, positive
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor

States = list[Tensor]


class Cell(Layer):
    """What the three cells share: weights, dropout, and the kernel that runs a whole sequence where there is one."""

    regularizable = ("kernel", "recurrent", "bias")
    gates = 1
    states_kept = 1  # how many states a step has: LSTM has two

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive(units, "units", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.dropout = fraction(dropout, "dropout", self.name)
        self.recurrent_dropout = fraction(recurrent_dropout, "recurrent_dropout", self.name)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    @property
    def state_size(self) -> Any:
        """``units``, or for LSTM a list with that of each state."""
        return self.units if self.states_kept == 1 else [self.units] * self.states_kept

    @property
    def output_size(self) -> int:
        """``units``."""
        return self.units

    def get_initial_state(self, batch_size: int | None = None) -> States:
        """Zeros, (batch, units) for each state."""
        return [ops.zeros((batch_size or 0, self.units), self.dtype) for _ in range(self.states_kept)]

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} takes (batch, features) with a known number of features; "
                f"received shape {input_shape}"
            )
        features, width = input_shape[-1], self.gates * self.units
        self.kernel = self.add_weight((features, width), self.kernel_initializer, name="kernel")
        self.recurrent_kernel = self.add_weight(
            (self.units, width), self.recurrent_initializer, name="recurrent_kernel"
        )
        self.bias = self.add_weight(self._bias_shape(), self._bias_start(), name="bias") if self.use_bias else None
        self.input_spec = InputSpec(ndim=2, axes={-1: features}, what="(batch, features)")

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_start(self) -> Any:
        return self.bias_initializer

    def compute_output_shape(self, input_shape: Shape, states_shape: Any = None) -> Any:
        states: Any = (input_shape[0], self.units)
        return states, [states] * self.states_kept

    # Dropout: within a sequence every step has the same mask

    def _dropped(self, what: str, x: Tensor, rate: float, training: bool) -> Tensor:
        if not training or rate == 0:
            return x
        kept = self.__dict__.get("_masks")
        if kept is None:  # called by itself, not along a sequence
            return ops.dropout(x, rate, self.seed_generator.state)
        if what not in kept:
            kept[what] = ops.dropout(ops.ones(x.shape, x.dtype), rate, self.seed_generator.state)
        return ops.multiply(x, kept[what])

    @contextmanager
    def along_a_sequence(self) -> Iterator[None]:
        self.__dict__["_masks"] = {}
        try:
            yield
        finally:
            del self.__dict__["_masks"]

    # Whole sequences

    def _operation(self) -> Any:
        """The operation over whole sequences: (outputs, *last states); None if there is none for the activations."""
        raise NotImplementedError

    def fuses(self, training: bool) -> bool:
        """Whether :meth:`sequence` can be used."""
        return not (training and self.recurrent_dropout) and self._operation() is not None

    def sequence(
        self, x: Tensor, states: States | None, mask: Tensor | None, reverse: bool, training: bool
    ) -> tuple[Tensor, Tensor, States]:
        """All steps in one launch: outputs (B, T, units) in the order they were made, the last one, the last states.

        ``states`` None stands for zeros.
        """
        if training and self.dropout:
            noise = (x.shape[0], 1, x.shape[2])  # one mask for all time steps
            x = ops.dropout(x, self.dropout, self.seed_generator.state, noise_shape=noise)
        start: Any = states[0] if states and self.states_kept == 1 else states
        outputs, *last = self._operation()(
            x, self.kernel, self.recurrent_kernel, self.bias, initial_state=start, mask=mask, reverse=reverse
        )
        return outputs, last[0], last


_COMMON = """
        use_bias: whether there is a bias; True by default.
        kernel_initializer, recurrent_initializer, bias_initializer: "glorot_uniform", "orthogonal" and "zeros" by
            default.
        dropout: fraction of the inputs dropped while training, the same ones at every step of a sequence; 0 by
            default.
        recurrent_dropout: likewise of the state, where it meets the recurrent kernel.
        seed: of the dropout.
        kwargs: see :class:`Layer`."""


class SimpleRNNCell(Cell):
    """``h = activation(x @ kernel + h @ recurrent_kernel + bias)``: one step of :class:`SimpleRNN`.

    Args:
        units: size of the state.
        activation: name or function; "tanh" by default.{common}

    Called with ``(inputs, states)``, (batch, features) and a list of one (batch, units); it gives the output
    (batch, units) and the list of new states. Weights as those of :class:`SimpleRNN`.

    Raises:
        ValueError: an argument is out of place, or (at the call) a shape does not fit.

    Example:
        >>> y, states = dlbd.layers.SimpleRNNCell(4)(np.ones((2, 3)), [np.zeros((2, 4))])
        >>> y.shape, [s.shape for s in states]
        ((2, 4), [(2, 4)])
        >>> dlbd.layers.RNN(dlbd.layers.SimpleRNNCell(4))(np.ones((2, 5, 3))).shape
        (2, 4)
    """

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, States]:
        (h,) = _as_states(states, self)
        x = self._dropped("inputs", inputs, self.dropout, training)
        h = self._dropped("state", h, self.recurrent_dropout, training)
        y = self.activation(ops.add(ops.dense(x, self.kernel, self.bias), ops.matmul(h, self.recurrent_kernel)))
        return y, [y]

    def _operation(self) -> Any:
        name = {ops.tanh: "tanh", ops.relu: "relu"}.get(self.activation)
        return None if name is None else partial(ops.rnn, activation=name)


class LSTMCell(Cell):
    """One step of :class:`LSTM`, which has the formulas.

    Args:
        units: size of the states h and c.
        activation: of the candidate and the output; "tanh" by default.
        recurrent_activation: of the gates; "sigmoid" by default.
        unit_forget_bias: start the forget gate's bias at one; True by default.{common}

    Called with ``(inputs, [h, c])``, (batch, features) and (batch, units) each; it gives h and the list of new states.
    Weights as those of :class:`LSTM`.

    Raises:
        ValueError: an argument is out of place, or (at the call) a shape does not fit.

    Example:
        >>> h, states = dlbd.layers.LSTMCell(4)(np.ones((2, 3)), [np.zeros((2, 4)), np.zeros((2, 4))])
        >>> h.shape, len(states)
        ((2, 4), 2)
    """

    gates = 4
    states_kept = 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, dropout,
            recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def _bias_start(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def forget_gate_at_one(shape: tuple[int, ...], dtype: Any = None) -> Any:
            assert self.bias_initializer is not None
            bias = np.array(self.bias_initializer(shape, dtype=dtype))
            bias[self.units : 2 * self.units] = 1.0
            return bias

        return forget_gate_at_one

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, States]:
        h, c = _as_states(states, self)
        x = self._dropped("inputs", inputs, self.dropout, training)
        h = self._dropped("state", h, self.recurrent_dropout, training)
        z = ops.add(ops.dense(x, self.kernel, self.bias), ops.matmul(h, self.recurrent_kernel))
        i, f, g, o = ops.split(z, 4, axis=-1)
        gate = self.recurrent_activation
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), self.activation(g)))
        h = ops.multiply(gate(o), self.activation(c))
        return h, [h, c]

    def _operation(self) -> Any:
        return ops.lstm if _usual_gates(self) else None


class GRUCell(Cell):
    """One step of :class:`GRU`, which has the formulas.

    Args:
        units: size of the state.
        activation: of the candidate; "tanh" by default.
        recurrent_activation: of the gates; "sigmoid" by default.
        reset_after: whether the reset gate scales the candidate's recurrent product (the default), or the state that
            enters it.{common}

    Called with ``(inputs, states)``, (batch, features) and a list of one (batch, units); it gives the output
    (batch, units) and the list of new states. Weights as those of :class:`GRU`.

    Raises:
        ValueError: an argument is out of place, or (at the call) a shape does not fit.

    Example:
        >>> dlbd.layers.RNN(dlbd.layers.GRUCell(4), return_sequences=True)(np.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, dropout,
            recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, States]:
        (before,) = _as_states(states, self)
        x = self._dropped("inputs", inputs, self.dropout, training)
        seen = self._dropped("state", before, self.recurrent_dropout, training)
        bias, recurrent_bias = (self.bias[0], self.bias[1]) if self.bias is not None and self.reset_after else (
            self.bias, None
        )  # fmt: skip
        gate = self.recurrent_activation
        xz, xr, xh = ops.split(ops.dense(x, self.kernel, bias), 3, axis=-1)
        if self.reset_after:
            hz, hr, hh = ops.split(ops.dense(seen, self.recurrent_kernel, recurrent_bias), 3, axis=-1)
            z, r = gate(ops.add(xz, hz)), gate(ops.add(xr, hr))
            inner = ops.multiply(r, hh)
        else:
            gates, last = self.recurrent_kernel[:, : 2 * self.units], self.recurrent_kernel[:, 2 * self.units :]
            hz, hr = ops.split(ops.matmul(seen, gates), 2, axis=-1)
            z, r = gate(ops.add(xz, hz)), gate(ops.add(xr, hr))
            inner = ops.matmul(ops.multiply(r, seen), last)
        candidate = self.activation(ops.add(xh, inner))
        h = ops.add(candidate, ops.multiply(z, ops.subtract(before, candidate)))
        return h, [h]

    def _operation(self) -> Any:
        return partial(ops.gru, reset_after=self.reset_after) if _usual_gates(self) else None


def _usual_gates(cell: Any) -> bool:
    return cell.activation is ops.tanh and cell.recurrent_activation is ops.sigmoid


def _as_states(states: Any, cell: Cell) -> Sequence[Tensor]:
    """A tensor, or a list or tuple of them, as one tensor for each state."""
    given = states if isinstance(states, (list, tuple)) else [states]
    if len(given) != cell.states_kept:
        raise ValueError(f"states must be {cell.states_kept} arrays; received {len(given)}")
    return [cell._tensor(s) for s in given]


for _kind in (SimpleRNNCell, LSTMCell, GRUCell):
    _kind.__doc__ = (_kind.__doc__ or "").replace("{common}", _COMMON)
