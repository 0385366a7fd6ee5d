"""One time step of each recurrent layer, written with plain operations.

The kernels run whole sequences with the standard activations; what they have no form for (another activation,
recurrent dropout) goes through these, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd import ops
from dlbd.tensor import Tensor

# (input of this step, states before) -> (output, states after)
Step = Callable[[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]]


def simple_rnn_step(kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None, activation: Any) -> Step:
    """h = activation(x K + h R + b)."""

    def step(x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h = activation(ops.add(ops.dense(x, kernel, bias), ops.matmul(states[0], recurrent_kernel)))
        return h, [h]

    return step


def lstm_step(
    kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None, activation: Any, recurrent_activation: Any
) -> Step:
    """Gates in the order i, f, c, o; c = f c + i g; h = o activation(c)."""

    def step(x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        z = ops.add(ops.dense(x, kernel, bias), ops.matmul(states[0], recurrent_kernel))
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = ops.add(
            ops.multiply(recurrent_activation(f), states[1]), ops.multiply(recurrent_activation(i), activation(g))
        )
        h = ops.multiply(recurrent_activation(o), activation(c))
        return h, [h, c]

    return step


def gru_step(
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    activation: Any,
    recurrent_activation: Any,
    reset_after: bool,
) -> Step:
    """Gates in the order z, r, h; h = z h_prev + (1 - z) candidate. ``reset_after``: r multiplies (h R), not h."""
    units = recurrent_kernel.shape[0]
    input_bias, recurrent_bias = (bias, None) if bias is None or bias.ndim == 1 else (bias[0], bias[1])

    def step(x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        before = states[0]
        xz, xr, xh = ops.split(ops.dense(x, kernel, input_bias), 3, axis=-1)
        if reset_after:
            hz, hr, hh = ops.split(ops.dense(before, recurrent_kernel, recurrent_bias), 3, axis=-1)
        else:
            hz, hr = ops.split(ops.matmul(before, recurrent_kernel[:, : 2 * units]), 2, axis=-1)
        z = recurrent_activation(ops.add(xz, hz))
        r = recurrent_activation(ops.add(xr, hr))
        if reset_after:
            inner = ops.multiply(r, hh)
        else:
            inner = ops.matmul(ops.multiply(r, before), recurrent_kernel[:, 2 * units :])
        candidate = activation(ops.add(xh, inner))
        h = ops.add(candidate, ops.multiply(z, ops.subtract(before, candidate)))
        return h, [h]

    return step


def run_steps(
    step: Step, x: Tensor, states: list[Tensor], mask: Tensor | None, reverse: bool
) -> tuple[Tensor, list[Tensor]]:
    """The whole sequence: outputs (B, T, H) in the order they were made, and the last states.

    A masked step carries the states over and repeats the output before it (zeros at first).
    """
    times = range(x.shape[1])
    outputs: list[Tensor] = []
    previous: Tensor | None = None
    for t in reversed(times) if reverse else times:
        y, after = step(x[:, t], states)
        if mask is not None:
            valid = mask[:, t : t + 1]
            y = ops.where(valid, y, 0.0 if previous is None else previous)
            after = [ops.where(valid, new, old) for new, old in zip(after, states, strict=True)]
        outputs.append(y)
        states = after
        previous = y
    if not outputs:
        return ops.zeros((x.shape[0], 0, states[0].shape[-1]), x.dtype), states
    return ops.stack(outputs, axis=1), states
