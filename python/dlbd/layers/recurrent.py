"""SimpleRNN, LSTM and GRU. Sequences are (batch, time, features)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from dlbd import activations, backend, initializers, ops, random
from dlbd.layers.arguments import fraction, positive
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.recurrent_steps import Step, gru_step, lstm_step, run_steps, simple_rnn_step
from dlbd.tensor import Tensor, as_tensor


class _Recurrent(Layer):
    """What the recurrent layers share: states, masks, dropout, and the choice between kernel and single steps."""

    supports_masking = True
    regularizable = ("kernel", "recurrent", "bias")
    states_kept = 1  # how many states a step has: LSTM has two
    gates = 1
    recurrent_activation: Any

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        dropout: float,
        recurrent_dropout: float,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        stateful: bool,
        unroll: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        self.zero_output_for_mask = bool(kwargs.pop("zero_output_for_mask", False))
        self.use_cudnn = kwargs.pop("use_cudnn", "auto")
        super().__init__(**kwargs)
        self.units = positive(units, "units", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.dropout = fraction(dropout, "dropout", self.name)
        self.recurrent_dropout = fraction(recurrent_dropout, "recurrent_dropout", self.name)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)
        self.states: list[Tensor] | None = None  # of a stateful layer, kept between calls

    # What a kind of layer defines

    def _kernel(self) -> Callable[..., Any] | None:
        """The operation over whole sequences: (outputs, *last states); None if there is none for the activations."""
        raise NotImplementedError

    def _step(self) -> Step:
        raise NotImplementedError

    # What they share

    def _usual_gates(self) -> bool:
        return self.activation is ops.tanh and self.recurrent_activation is ops.sigmoid

    @property
    def state_size(self) -> Any:
        """``units``, or for LSTM a list with that of each state."""
        return self.units if self.states_kept == 1 else [self.units] * self.states_kept

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) != 3 or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} takes sequences (batch, time, features) with a known number of features; "
                f"received shape {input_shape}"
            )
        features, width = input_shape[-1], self.gates * self.units
        self.kernel = self.add_weight((features, width), self.kernel_initializer, name="kernel")
        self.recurrent_kernel = self.add_weight(
            (self.units, width), self.recurrent_initializer, name="recurrent_kernel"
        )
        self.bias = self.add_weight(self._bias_shape(), self._bias_start(), name="bias") if self.use_bias else None
        self.input_spec = InputSpec(ndim=3, axes={-1: features}, what="(batch, time, features)")

    def _bias_start(self) -> Any:
        return self.bias_initializer

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        x = ops.cast(sequences, self.dtype) if sequences.dtype != self.dtype else sequences
        if mask is not None:
            mask = as_tensor(mask[0] if isinstance(mask, (list, tuple)) else mask)
            if mask.shape != x.shape[:2]:
                raise ValueError(f"the mask must be (batch, time) = {x.shape[:2]}; received {mask.shape}")
            if mask.dtype != backend.BOOL:
                mask = ops.not_equal(mask, 0)
        states = self._states_before(initial_state, x.shape[0])
        if training and self.dropout:
            noise = (x.shape[0], 1, x.shape[2])  # one mask for all time steps
            x = ops.dropout(x, self.dropout, self.seed_generator.state, noise_shape=noise)
        drops_states = training and self.recurrent_dropout > 0
        kernel = None if drops_states else self._kernel()
        if kernel is None:
            found = self._run_single_steps(x, states, mask, drops_states)
        else:
            found = kernel(
                x,
                self.kernel,
                self.recurrent_kernel,
                self.bias,
                initial_state=states[0] if states and self.states_kept == 1 else states,
                mask=mask,
                reverse=self.go_backwards,
            )
        outputs, *last = found
        if self.stateful:
            self._keep(last)
        if self.return_sequences:
            y = outputs
            if mask is not None and self.zero_output_for_mask:
                order = ops.flip(mask, axis=1) if self.go_backwards else mask
                y = ops.where(ops.expand_dims(order, -1), y, 0.0)
        else:
            y = last[0]
        return (y, *last) if self.return_state else y

    def _run_single_steps(
        self, x: Tensor, states: list[Tensor] | None, mask: Tensor | None, drops_states: bool
    ) -> tuple[Tensor, ...]:
        step = self._step()
        if states is None:
            states = [ops.zeros((x.shape[0], self.units), self.dtype) for _ in range(self.states_kept)]
        if drops_states:
            ones = ops.ones((x.shape[0], self.units), self.dtype)
            kept = ops.dropout(ones, self.recurrent_dropout, self.seed_generator.state)
            plain = step

            def step(x_t: Tensor, before: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
                return plain(x_t, [ops.multiply(before[0], kept), *before[1:]])

        outputs, last = run_steps(step, x, states, mask, self.go_backwards)
        return (outputs, *last)

    def _states_before(self, initial_state: Any, batch: int) -> list[Tensor] | None:
        if initial_state is None:
            if not self.stateful:
                return None
            if self.states is None:
                # written by the host, not a launch: a recorded step must not zero them again
                self.states = [
                    Tensor(backend.place(np.zeros((batch, self.units), self.dtype))) for _ in range(self.states_kept)
                ]
            states = self.states
        else:
            given = initial_state if isinstance(initial_state, (list, tuple)) else [initial_state]
            if len(given) != self.states_kept:
                raise ValueError(f"initial_state must be {self.states_kept} arrays; received {len(given)}")
            states = [as_tensor(s, self.dtype) for s in given]
        for s in states:
            if s.shape != (batch, self.units):
                raise ValueError(
                    f"{'the kept state of this stateful layer' if initial_state is None else 'initial_state'} must be "
                    f"(batch, units) = {(batch, self.units)}; received {s.shape}"
                    + ("; call reset_state() before another batch size" if initial_state is None else "")
                )
        return states

    def _keep(self, last: Sequence[Tensor]) -> None:
        if self.states is None:
            self.states = [Tensor(backend.place(np.zeros(s.shape, s.dtype), s.array)) for s in last]
        for kept, new in zip(self.states, last, strict=True):
            backend.twin(new.array).assign(new.array, kept.array, False)

    def reset_state(self, states: Any = None) -> None:
        """Forget what a stateful layer kept, or replace it by ``states``.

        Args:
            states: an array (batch, units), or a list of as many as there are states; None for zeros.

        Raises:
            ValueError: the layer is not stateful.
        """
        if not self.stateful:
            raise ValueError(f"layer {self.name!r} is not stateful: it keeps nothing between calls")
        self._changed()
        if states is None:
            self.states = None
        else:
            given = states if isinstance(states, (list, tuple)) else [states]
            self.states = [Tensor(backend.place(np.array(s, self.dtype))) for s in given]

    reset_states = reset_state

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        kept = previous_mask if self.return_sequences else None
        return [kept] + [None] * self.states_kept if self.return_state else kept

    def compute_output_shape(self, input_shape: Shape) -> Any:
        batch, time = input_shape[:2]
        y = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        return (y, *[(batch, self.units)] * self.states_kept) if self.return_state else y


_COMMON = """
        use_bias: whether there is a bias; True by default.
        kernel_initializer, recurrent_initializer, bias_initializer: "glorot_uniform", "orthogonal" and "zeros" by
            default.
        dropout: fraction of the inputs dropped while training, the same ones at every time step; 0 by default.
        recurrent_dropout: likewise of the state; runs step by step, without the fused kernel.
        return_sequences: give the output of every time step, (batch, time, units), instead of the last.
        return_state: give the last state(s) as well.
        go_backwards: read the sequence from its end; outputs are in that order.
        stateful: start from the state in which the previous batch ended; ``reset_state()`` forgets it.
        unroll: accepted; changes nothing.
        seed: of the dropout.
        kwargs: ``zero_output_for_mask=True`` gives zeros for masked steps; others see :class:`Layer`."""


class SimpleRNN(_Recurrent):
    """``h = activation(x @ kernel + h @ recurrent_kernel + bias)`` over the time steps.

    Args:
        units: size of the state.
        activation: name or function; the kernel has "tanh" (the default) and "relu", others run step by step.{common}

    Input (batch, time, features); output (batch, units), or (batch, time, units) with ``return_sequences``, followed
    by the last state with ``return_state``. Options of the call: ``initial_state``, (batch, units), zeros
    by default, and ``mask``, bool, (batch, time): where it is False the state and the output stay as they were.

    Weights: kernel (features, units), recurrent_kernel (units, units), bias (units,).

    Raises:
        ValueError: an argument is out of place, or (at the call) an input, state or mask has a shape that does not fit.

    Example:
        >>> layer = dlbd.layers.SimpleRNN(
        ...     1, "relu", kernel_initializer="ones", recurrent_initializer="ones", return_sequences=True
        ... )
        >>> layer([[[1.0], [2.0], [3.0]]]).numpy().tolist()  # running sums
        [[[1.0], [3.0], [6.0]]]
    """

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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, dropout,
            recurrent_dropout, return_sequences, return_state, go_backwards, stateful, unroll, seed, **kwargs,
        )  # fmt: skip

    def _kernel(self) -> Callable[..., Any] | None:
        name = {ops.tanh: "tanh", ops.relu: "relu"}.get(self.activation)
        return None if name is None else partial(ops.rnn, activation=name)

    def _step(self) -> Step:
        return simple_rnn_step(self.kernel, self.recurrent_kernel, self.bias, self.activation)


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000)::

        i, f, o = sigmoid(x @ kernel_ifo + h @ recurrent_kernel_ifo + bias_ifo)
        c = f c + i tanh(x @ kernel_c + h @ recurrent_kernel_c + bias_c)
        h = o tanh(c)

    Args:
        units: size of the states h and c.
        activation: of the candidate and the output; the kernel has "tanh" (the default), others run step by step.
        recurrent_activation: of the gates; the kernel has "sigmoid" (the default), others run step by step.
        unit_forget_bias: start the forget gate's bias at one; True by default.{common}

    Input (batch, time, features); output (batch, units), or (batch, time, units) with ``return_sequences``, followed
    by the last states h and c with ``return_state``. Options of the call: ``initial_state=[h, c]``, each
    (batch, units), zeros by default, and ``mask``, bool, (batch, time): where it is False states and output stay as
    they were.

    Weights: kernel (features, 4 units), recurrent_kernel (units, 4 units), bias (4 units,), the gates in the order
    i, f, c, o.

    Raises:
        ValueError: an argument is out of place, or (at the call) an input, state or mask has a shape that does not fit.

    Example:
        >>> y, h, c = dlbd.layers.LSTM(4, return_sequences=True, return_state=True)(np.ones((2, 5, 3)))
        >>> y.shape, h.shape, c.shape
        ((2, 5, 4), (2, 4), (2, 4))
    """

    states_kept = 2
    gates = 4

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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, dropout,
            recurrent_dropout, return_sequences, return_state, go_backwards, stateful, unroll, seed, **kwargs,
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

    def _kernel(self) -> Callable[..., Any] | None:
        return ops.lstm if self._usual_gates() else None

    def _step(self) -> Step:
        return lstm_step(self.kernel, self.recurrent_kernel, self.bias, self.activation, self.recurrent_activation)


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al., 2014)::

        z, r = sigmoid(x @ kernel_zr + h @ recurrent_kernel_zr + bias_zr)
        candidate = tanh(x @ kernel_h + bias_h + r (h @ recurrent_kernel_h + recurrent_bias_h))
        h = z h + (1 - z) candidate

    Args:
        units: size of the state.
        activation: of the candidate; the kernel has "tanh" (the default), others run step by step.
        recurrent_activation: of the gates; the kernel has "sigmoid" (the default), others run step by step.
        reset_after: True (the default) is the form above; False applies r to h before the product, and there is one
            bias.{common}

    Input (batch, time, features); output (batch, units), or (batch, time, units) with ``return_sequences``, followed
    by the last state with ``return_state``. Options of the call: ``initial_state``, (batch, units), zeros
    by default, and ``mask``, bool, (batch, time): where it is False the state and the output stay as they were.

    Weights: kernel (features, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units), of input and state, or
    (3 units,) without ``reset_after``; the gates in the order z, r, h.

    Raises:
        ValueError: an argument is out of place, or (at the call) an input, state or mask has a shape that does not fit.

    Example:
        >>> dlbd.layers.GRU(4)(np.ones((2, 5, 3))).shape
        (2, 4)
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
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, dropout,
            recurrent_dropout, return_sequences, return_state, go_backwards, stateful, unroll, seed, **kwargs,
        )  # fmt: skip
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _kernel(self) -> Callable[..., Any] | None:
        return partial(ops.gru, reset_after=self.reset_after) if self._usual_gates() else None

    def _step(self) -> Step:
        return gru_step(
            self.kernel,
            self.recurrent_kernel,
            self.bias,
            self.activation,
            self.recurrent_activation,
            self.reset_after,
        )


for _kind in (SimpleRNN, LSTM, GRU):
    _kind.__doc__ = (_kind.__doc__ or "").replace("{common}", _COMMON)
