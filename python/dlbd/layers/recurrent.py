"""SimpleRNN, LSTM and GRU: an RNN with a cell of ours. Sequences are (batch, time, features)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dlbd.layers.recurrent_cells import Cell, GRUCell, LSTMCell, SimpleRNNCell
from dlbd.layers.rnn import RNN
from dlbd.naming import automatic_name, snake_case


class _Recurrent(RNN):
    """An RNN with a cell of ours, whose arguments and weights are the layer's too."""

    regularizable = ("kernel", "recurrent", "bias")
    cell: Cell

    def __init__(self, make_cell: Callable[..., Cell], *options: bool, name: str | None = None, **kwargs: Any) -> None:
        use_cudnn = kwargs.pop("use_cudnn", "auto")
        name = name or automatic_name(snake_case(type(self).__name__))
        of_weights = {key: kwargs[key] for key in _WEIGHT_OPTIONS if key in kwargs}
        super().__init__(make_cell(name=name, dtype=kwargs.get("dtype"), **of_weights), *options, name=name, **kwargs)
        self.use_cudnn = use_cudnn

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"zero_output_for_mask": self.zero_output_for_mask}


_WEIGHT_OPTIONS = [f"{w}_{kind}" for w in _Recurrent.regularizable for kind in ("regularizer", "constraint")]


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
        make_cell = partial(
            SimpleRNNCell, units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
            dropout, recurrent_dropout, seed,
        )  # fmt: skip
        super().__init__(make_cell, return_sequences, return_state, go_backwards, stateful, unroll, **kwargs)


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
        make_cell = partial(
            LSTMCell, units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, unit_forget_bias, dropout, recurrent_dropout, seed,
        )  # fmt: skip
        super().__init__(make_cell, return_sequences, return_state, go_backwards, stateful, unroll, **kwargs)


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
        make_cell = partial(
            GRUCell, units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, dropout, recurrent_dropout, reset_after, seed,
        )  # fmt: skip
        super().__init__(make_cell, return_sequences, return_state, go_backwards, stateful, unroll, **kwargs)


# What a program reads of the layer, the cell has.
_OF_CELL = (
    *("units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "reset_after"),
    *("kernel_initializer", "recurrent_initializer", "bias_initializer"),
    *("dropout", "recurrent_dropout", "seed", "seed_generator"),
    *("kernel", "recurrent_kernel", "bias"),
)


def _of_cell(name: str) -> property:
    return property(lambda layer: getattr(layer.cell, name), lambda layer, value: setattr(layer.cell, name, value))


for _name in _OF_CELL:
    setattr(_Recurrent, _name, _of_cell(_name))
for _kind in (SimpleRNN, LSTM, GRU):
    _kind.__doc__ = (_kind.__doc__ or "").replace("{common}", _COMMON)
