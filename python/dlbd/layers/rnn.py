"""RNN: a cell along a sequence. Sequences are (batch, time, features)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from dlbd import backend, ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.recurrent_cells import Cell
from dlbd.layers.stacked_rnn_cells import StackedRNNCells, fuses, initial_state, output_size, require_cell
from dlbd.structure import flatten, map_structure
from dlbd.tensor import Tensor, as_tensor


class RNN(Layer):
    """Runs a cell along the time steps of sequences.

    Args:
        cell: a layer with ``state_size``, the size of its state or a list of sizes, whose ``call(inputs, states)``
            gives ``(output, new_states)`` of one time step; a list of cells is stacked. It may also have
            ``output_size`` (the first state's by default) and ``get_initial_state(batch_size)`` (zeros by default).
            With our own cells whole sequences run in one launch.
        return_sequences: give the output of every time step, (batch, time, units), instead of the last.
        return_state: give the last state(s) as well.
        go_backwards: read the sequence from its end; outputs are in that order.
        stateful: start from the state in which the previous batch ended; ``reset_state()`` forgets it.
        unroll: accepted; changes nothing.
        zero_output_for_mask: give zeros for masked steps, not the output before them.
        kwargs: see :class:`Layer`.

    Input (batch, time, ...); output (batch, units), or (batch, time, units) with ``return_sequences``, followed by
    the last states with ``return_state``. Options of the call: ``initial_state``, an array (batch, size) for each
    state, and ``mask``, bool, (batch, time): where it is False states and output stay as they were.

    Raises:
        TypeError: ``cell`` is no cell.
        ValueError: (at the call) an input, state or mask has a shape that does not fit.

    Example:
        >>> class Decay(dlbd.layers.Layer):
        ...     state_size = 1
        ...     def call(self, inputs, states):
        ...         h = states[0] * 0.5 + inputs
        ...         return h, [h]
        >>> dlbd.layers.RNN(Decay(), return_sequences=True)([[[8.0], [0.0], [0.0]]]).numpy().tolist()
        [[[8.0], [4.0], [2.0]]]
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cell = StackedRNNCells(cell, dtype=self.dtype) if isinstance(cell, (list, tuple)) else require_cell(cell)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.states: list[Tensor] | None = None  # of a stateful layer, kept between calls

    @property
    def state_size(self) -> Any:
        """That of the cell."""
        return self.cell.state_size

    def _sizes(self) -> list[Any]:
        """The cell's sizes as a list, which may hold lists: how states come and go."""
        size = self.cell.state_size
        return [size] if isinstance(size, int) else list(size)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 3 or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} takes sequences (batch, time, features) with a known number of features; "
                f"received shape {input_shape}"
                + (". Does the RNN layer before it lack return_sequences=True?" if len(input_shape) == 2 else "")
            )
        if not self.cell.built:
            self.cell._build_for((input_shape[0], *input_shape[2:]))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={-1: input_shape[-1]}, what="(batch, time, features)")

    def call(self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        x = ops.cast(sequences, self.dtype) if sequences.dtype != self.dtype else sequences
        mask = _as_mask(mask, x.shape[:2])
        states = self._states_before(initial_state, x.shape[0])
        if fuses(self.cell, training):
            outputs, y, last = self.cell.sequence(x, states, mask, self.go_backwards, training)
        else:
            outputs, y, last = self._run_steps(x, states, mask, training)
        if self.stateful:
            for kept, new in zip(self.states or (), flatten(last), strict=True):
                backend.twin(new.array).assign(new.array, kept.array, False)
        if self.return_sequences:
            y = outputs
        if mask is not None and self.zero_output_for_mask:
            order = ops.flip(mask, axis=1) if self.go_backwards else mask
            y = ops.where(ops.expand_dims(order, -1) if self.return_sequences else order[:, -1:], y, 0.0)
        return (y, *last) if self.return_state else y

    def _run_steps(
        self, x: Tensor, states: list[Any] | None, mask: Tensor | None, training: bool
    ) -> tuple[Tensor, Tensor, list[Any]]:
        """As a cell's ``sequence``: outputs (B, T, H) in the order they were made, the last one, and the last states.

        A masked step carries the states over and repeats the output before it: at first the state, or zeros.
        """
        if states is None:
            states = self.get_initial_state(x.shape[0])
        previous: Tensor = flatten(states[-1] if isinstance(self.cell, StackedRNNCells) else states)[0]
        if previous.shape[1:] != (output_size(self.cell),):
            previous = ops.zeros((x.shape[0], output_size(self.cell)), self.dtype)
        outputs: list[Tensor] = []
        times = range(x.shape[1])
        with ExitStack() as stack:
            for layer in self.cell.walk():
                if isinstance(layer, Cell):
                    stack.enter_context(layer.along_a_sequence())
            for t in reversed(times) if self.go_backwards else times:
                y, after = self.cell(x[:, t], states, training=training)
                after = self._listed(after)
                if mask is not None:
                    valid = mask[:, t : t + 1]
                    y = ops.where(valid, y, previous)
                    pairs = zip(flatten(after), flatten(states), strict=True)
                    after = self._packed([ops.where(valid, new, old) for new, old in pairs])
                outputs.append(y)
                states, previous = after, y
        if not outputs:
            return ops.zeros((x.shape[0], 0, *previous.shape[1:]), self.dtype), previous, states
        return ops.stack(outputs, axis=1), previous, states

    # States: nests of tensors in the structure of state_size

    def _listed(self, states: Any) -> list[Any]:
        return list(states) if isinstance(states, (list, tuple)) else [states]

    def _packed(self, leaves: Sequence[Any]) -> list[Any]:
        following = iter(leaves)
        return map_structure(lambda _: next(following), self._sizes())  # type: ignore[no-any-return]

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """What the layer starts from unless told otherwise: a list with each state of the cell."""
        return self._listed(initial_state(self.cell, batch_size, self.dtype))

    def _states_before(self, given: Any, batch: int) -> list[Any] | None:
        """None for a cell that starts as it does by itself."""
        if self.stateful and (self.states is None or not self._fits(batch)):
            self._keep_anew(flatten(self.get_initial_state(batch)))
        if given is not None:
            sizes, leaves = flatten(self._sizes()), flatten(given)
            if len(leaves) != len(sizes):
                raise ValueError(f"initial_state must be {len(sizes)} arrays; received {len(leaves)}")
            tensors = [self._tensor(s) for s in leaves]
            for t, size in zip(tensors, sizes, strict=True):
                if t.shape != (batch, size):
                    raise ValueError(
                        f"initial_state must be (batch, units) = {(batch, size)}; received {t.shape}. "
                        "The first axis of the sequences is the batch, the second the time"
                    )
            return self._packed(tensors)
        if not self.stateful:
            return None
        # copies, since the gradient reads them after the new states have been kept
        return self._packed([ops.add(s, 0.0) for s in self.states or ()])

    def _keep_anew(self, states: Sequence[Tensor]) -> None:
        """By way of the host: a recorded step would begin anew each time. It is recorded again instead."""
        self.states = [Tensor(backend.place(np.array(s.numpy()))) for s in states]
        self._changed()

    def _fits(self, batch: int) -> bool:
        """Whether the kept states are of this batch size; if not, there must be nothing that would be lost."""
        assert self.states is not None
        kept = self.states[0].shape[0]
        if kept == batch:
            return True
        begun = zip(self.states, flatten(self.get_initial_state(kept)), strict=True)
        if not all(np.array_equal(a.numpy(), b.numpy()) for a, b in begun):
            raise ValueError(
                f"the kept state of this stateful layer must be (batch, units) = {(batch, *self.states[0].shape[1:])}; "
                f"received {self.states[0].shape}; call reset_state() before another batch size"
            )
        return False

    def reset_state(self, states: Any = None) -> None:
        """Let a stateful layer begin anew, or from ``states``.

        Args:
            states: an array (batch, units), or a list of as many as there are states; None for the beginning.

        Raises:
            ValueError: the layer is not stateful, or there are more or fewer states.
        """
        if not self.stateful:
            raise ValueError(f"layer {self.name!r} is not stateful: it keeps nothing between calls")
        kept = self.states or []
        if states is None:
            if not kept:
                return
            states = self.get_initial_state(kept[0].shape[0])
        tensors = [as_tensor(s, self.dtype) for s in flatten(states)]
        count = len(flatten(self._sizes()))
        if len(tensors) != count:
            raise ValueError(f"[{self.name}] states must be {count} arrays; received {len(tensors)}")
        if [t.shape for t in tensors] == [s.shape for s in kept]:
            for old, new in zip(kept, tensors, strict=True):  # in place: recorded steps go on with it
                backend.twin(old.array).assign(new.array, old.array, False)
        else:
            self._keep_anew(tensors)

    reset_states = reset_state

    # Shapes

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        kept = previous_mask if self.return_sequences else None
        return [kept] + [None] * len(flatten(self._sizes())) if self.return_state else kept

    def compute_output_shape(self, input_shape: Shape) -> Any:
        batch, time = input_shape[:2]
        size = output_size(self.cell)
        y = (batch, time, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return y
        return (y, *map_structure(lambda n: (batch, n), self._sizes()))


def _as_mask(mask: Any, shape: tuple[int, ...]) -> Tensor | None:
    if mask is None:
        return None
    found = as_tensor(mask[0] if isinstance(mask, (list, tuple)) else mask)
    if found.shape != shape:
        raise ValueError(f"the mask must be (batch, time) = {shape}; received {found.shape}")
    return found if found.dtype == backend.BOOL else ops.not_equal(found, 0)
