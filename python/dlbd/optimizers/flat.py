"""The memory of an optimizer: flat buffers, and the number of its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from dlbd import _cpu, backend
from dlbd.backend import FLOAT32, FLOAT64, INT64, Array
from dlbd.tensor import Tensor, Variable, as_array

_ALIGNMENT = 64  # bytes: each variable starts on a cache line, and a vector never straddles two variables
_ACTIVE, _DECAYS = 1, 2  # flags of a segment (csrc/shapes/optimizer.h)


class Flat:
    """The buffers of one set of variables: parameters, gradients and state, each variable at the same place in all."""

    def __init__(self, variables: Sequence[Variable], slots: Sequence[tuple[str, float]]) -> None:
        dtypes = {v.dtype for v in variables} or {FLOAT32}
        if len(dtypes) > 1 or not dtypes <= {FLOAT32, FLOAT64}:
            raise TypeError(
                "[optimizer] all variables must be float32, or all float64; received "
                + ", ".join(f"{v.path}: {v.dtype}" for v in variables)
            )
        self.dtype = dtypes.pop()
        step = _ALIGNMENT // self.dtype.itemsize
        self.bounds: list[tuple[int, int]] = []
        self.offsets = []
        end = 0
        for v in variables:
            self.offsets.append(end)
            stop = end + (v.size + step - 1) // step * step
            self.bounds.append((end, stop))
            end = stop
        self.shapes = [v.shape for v in variables]
        like = variables[0].array if variables else backend.empty((0,), FLOAT32)
        self.parameters = backend.zeros((end,), self.dtype, like)
        self.gradients = backend.zeros((end,), self.dtype, like)
        self.state = {}
        for name, value in slots:
            self.state[name] = backend.empty((end,), self.dtype, like)
            backend.twin(like).fill(value, self.state[name])
        # Views that the variables and the tape hold.
        self.values = self.cut(self.parameters)
        self.gradient_views = self.cut(self.gradients)
        self.norms = backend.zeros((len(variables) + 1,), FLOAT64, like)
        self.ticket = backend.zeros((1,), INT64, like)

    def cut(self, buffer: Array) -> list[Array]:
        """The parts of a flat buffer that belong to each variable, in its shape."""
        return [
            buffer[offset : offset + math.prod(shape)].reshape(shape)
            for offset, shape in zip(self.offsets, self.shapes, strict=True)
        ]


class StepNumber(Variable):
    """How many steps were taken. Updates count on the device; the host counts along, so that it need not wait."""

    _known: int | None = None  # None: only the device knows
    _faults = 0

    def on_host(self) -> int:
        """The number, read from a GPU only if it may have changed unseen: assigned, or updates skipped by a fault."""
        if isinstance(self.array, np.ndarray):
            return int(self.array)
        if self._known is None or self._faults != backend.faults:
            self._known = int(backend.on_host(self.array))
            self._faults = backend.faults
        return self._known

    def count(self) -> None:
        """An update is about to be launched."""
        if self._known is not None:
            self._known += 1

    def forget(self) -> None:
        """Something else than updates may have happened."""
        self._known = None

    def assign(self, value: object) -> Variable:
        self.forget()
        return super().assign(value)


class Trainer:
    """An optimizer's memory: the variables that it trains, their state, its step number and its learning rate."""

    name: str
    _rule: Any  # the kernel's constants; None while they are to be made anew
    _schedule: Callable[..., Any] | None

    def __init__(self) -> None:
        self._variables: list[Variable] = []
        self._flat: Flat | None = None
        self._tables: dict[tuple[bool, ...] | None, tuple[Array, int]] = {}
        self._iterations = StepNumber(0, trainable=False, dtype=INT64, name="iteration")
        self._learning_rate = Variable(0.0, trainable=False, name="learning_rate")

    # --- what an optimizer says ---------------------------------------------------------------------------------

    def _slots(self) -> list[tuple[str, float]]:
        """Names and initial values of the rule's state buffers."""
        return []

    def _state_order(self) -> list[list[str]]:
        """Which of them stand side by side in :attr:`variables`, as in Keras."""
        return [[name] for name, _ in self._slots()]

    def _shared_slots(self) -> list[str]:
        """Names of the state buffers of the options that all optimizers have."""
        return []

    def _decays(self, variable: Variable) -> bool:
        """Whether weight decay applies to it."""
        return True

    # --- buffers ------------------------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether :meth:`build` has been called."""
        return self._flat is not None

    def build(self, variables: Iterable[Variable]) -> None:
        """Take charge of ``variables``: move them into the flat buffer and make their state.

        ``fit`` and ``apply_gradients`` call it. Called again with other variables, it keeps the state of those that
        it had before.

        Raises:
            TypeError: the variables are not all float32 or all float64.
            RuntimeError: a step is being recorded.

        Example:
            >>> optimizer = dlbd.optimizers.Adam()
            >>> optimizer.build([dlbd.Variable([1.0, 2.0], name="w")])
            >>> [v.name for v in optimizer.variables]
            ['iteration', 'learning_rate', 'w_momentum', 'w_velocity']
        """
        listed = list({id(v): v for v in variables}.values())
        if self._flat is not None and [id(v) for v in listed] == [id(v) for v in self._variables]:
            self.link()
            return
        if backend.is_recording():
            raise RuntimeError(f"[{self.name}] build it before a step is recorded")
        known = self._saved_state() if self._flat is not None else {}
        before = {id(v): i for i, v in enumerate(self._variables)}
        self._variables = listed
        self._move(
            {name: [parts[before[id(v)]] if id(v) in before else None for v in listed] for name, parts in known.items()}
        )

    def link(self) -> None:
        """Make sure that the variables still are views of the flat buffer (another optimizer may have moved them)."""
        if self._flat is None:
            return
        if self._rule is None and [name for name, _ in self._all_slots()] != list(self._flat.state):
            self._move(self._saved_state())  # a constant was set that needs another state: momentum, say
            return
        for v, view in zip(self._variables, self._flat.values, strict=True):
            if v.array is not view:
                if backend.is_recording():
                    raise RuntimeError(f"[{self.name}] {v.path} was moved while a step was being recorded")
                self._move(self._saved_state())
                return

    def _all_slots(self) -> list[tuple[str, float]]:
        return [*((name, 0.0) for name in self._shared_slots()), *self._slots()]

    def _saved_state(self) -> dict[str, list[Array | None]]:
        assert self._flat is not None
        return {name: [backend.copied(part) for part in self._flat.cut(b)] for name, b in self._flat.state.items()}

    def _move(self, state: dict[str, list[Array | None]]) -> None:
        flat = Flat(self._variables, self._all_slots())
        for i, v in enumerate(self._variables):
            backend.write(flat.values[i], v.array)
        if "average" in flat.state:
            backend.write(flat.state["average"], flat.parameters)
        for name, buffer in flat.state.items():
            for part, saved in zip(flat.cut(buffer), state.get(name, []), strict=False):
                if saved is not None:
                    backend.write(part, saved)
        for v, view in zip(self._variables, flat.values, strict=True):
            v.array = view
        for own in (self._iterations, self._learning_rate):
            own.array = as_array(own, like=flat.parameters)
        self._flat = flat
        self._tables = {}
        self._rule = None
        backend.structure_changed()

    @property
    def gradient_slots(self) -> dict[int, Array]:
        """{id(variable): the array where its gradient is to be written}. RuntimeError before :meth:`build`."""
        flat = self._built()
        return {id(v): g for v, g in zip(self._variables, flat.gradient_views, strict=True)}

    def _built(self) -> Flat:
        if self._flat is None:
            raise RuntimeError(f"[{self.name}] build(variables) must come first")
        return self._flat

    def _table(self, active: tuple[bool, ...] | None) -> tuple[Array, int]:
        """The segment table (one for each set of active variables, as recordings hold on to theirs) and its blocks."""
        found = self._tables.get(active)
        if found is None:
            rows, blocks = [], 0
            for i, (v, (begin, end)) in enumerate(zip(self._variables, self._built().bounds, strict=True)):
                flags = _ACTIVE if active is None or active[i] else 0
                if self._decays(v):
                    flags |= _DECAYS
                rows.append((begin, end, flags, blocks))
                blocks += -(-(end - begin) // _cpu.OPTIMIZER_BLOCK)
            found = backend.place(np.array(rows, INT64).reshape(-1, 4), self._built().parameters), blocks
            self._tables[active] = found
        return found

    # --- saving -------------------------------------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """Step number, learning rate and state, in Keras's order. The state's are views: assigning changes it."""
        found: list[Variable] = [self._iterations]
        if self._schedule is None:
            found.append(self._learning_rate)
        if self._flat is None:
            return found
        for names in [[name] for name in self._shared_slots()] + self._state_order():
            parts = [self._flat.cut(self._flat.state[name]) for name in names]
            for i, v in enumerate(self._variables):
                for name, arrays in zip(names, parts, strict=True):
                    found.append(_view(arrays[i], f"{v.path.replace('/', '_')}_{name}"))
        return found

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite :attr:`variables`, in their order. ValueError if the number of arrays or a shape differs."""
        variables = self.variables
        if len(weights) != len(variables):
            raise ValueError(f"[{self.name}] expected {len(variables)} arrays; received {len(weights)}")
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_rule"], state["_tables"] = None, {}
        state["_flat"] = None if self._flat is None else self._saved_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_flat")
        self.__dict__.update(state)
        self._flat = None
        if saved is not None:
            self._move(saved)


def _view(array: Array, name: str) -> Variable:
    """A variable on memory that is somebody else's."""
    variable = Variable.__new__(Variable)
    Tensor.__init__(variable, array)
    variable.can_train, variable.trainable, variable.name, variable.path = False, False, name, name
    variable.regularizer = variable.constraint = None
    return variable
