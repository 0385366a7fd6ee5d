"""Optimizer: what all of them share. Parameters, gradients and state lie in flat buffers; a step is one launch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from dlbd import _cpu, backend
from dlbd.backend import FLOAT32, FLOAT64, INT64, Array
from dlbd.saving.objects import with_objects
from dlbd.tensor import Tensor, Variable, as_array, as_tensor

_ALIGNMENT = 64  # bytes: each variable starts on a cache line, and a vector never straddles two variables
_ACTIVE, _DECAYS = 1, 2  # flags of a segment (csrc/shapes/optimizer.h)


class _Flat:
    """The buffers of one set of variables."""

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

    def cut(self, buffer: Array) -> list[Array]:
        """The parts of a flat buffer that belong to each variable, in its shape."""
        return [
            buffer[offset : offset + math.prod(shape)].reshape(shape)
            for offset, shape in zip(self.offsets, self.shapes, strict=True)
        ]


class Optimizer:
    """Base of all optimizers.

    ``build(variables)`` moves the variables into one flat buffer: each ``variable.array`` becomes a view of it. State
    and gradients lie in buffers of the same layout, so that a step is a single launch. Learning rate and step number
    live in arrays, which a recorded step reads anew each time it is replayed.

    A step divides the gradient by the count of the loss, clips it, takes ``learning_rate * weight_decay * p`` off the
    parameters p, and applies the rule of the subclass. All is computed in the variables' dtype, float32 or float64,
    which must be the same for all.

    An optimizer pickles and deep-copies with its state. Its variables travel with it (so pickle it together with the
    model that owns them) and are moved into new flat buffers on arrival: nothing needs to be called afterwards.

    Args:
        learning_rate: a number (0.001 by default), or a schedule: a function of the number of steps taken so far.
        weight_decay: fraction, times the learning rate, that each step takes off every parameter; None for none.
        clipnorm: largest norm of each variable's gradient, which is scaled down to it.
        clipvalue: largest magnitude of each element of the gradient.
        global_clipnorm: largest norm of all gradients together, which are scaled down to it.
        use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps: as in Keras,
            but not supported yet: they must keep their defaults.
        name: that of the class in small letters by default.

    Raises:
        ValueError: more than one of ``clipnorm``, ``clipvalue`` and ``global_clipnorm`` is given, or an option that is
            not supported.
        TypeError: ``learning_rate`` is neither a number nor a function.

    Example:
        >>> x = dlbd.Variable([3.0])
        >>> optimizer = dlbd.optimizers.SGD(learning_rate=0.25)
        >>> for _ in range(3):  # x^2, whose gradient is 2x: each step halves x
        ...     with dlbd.GradientTape() as tape:
        ...         loss = dlbd.ops.sum(x * x)
        ...     step = optimizer.apply_gradients([(tape.gradient(loss, x), x)])
        >>> x.numpy().tolist(), int(optimizer.iterations)
        ([0.375], 3)
    """

    _kind: ClassVar[str]
    # Constants of the rule: changing one makes a recorded step stale.
    _constants: ClassVar[frozenset[str]] = frozenset(
        (
            "amsgrad",
            "beta_1",
            "beta_2",
            "centered",
            "clipnorm",
            "clipvalue",
            "epsilon",
            "global_clipnorm",
            "momentum",
            "nesterov",
            "rho",
            "weight_decay",
        )
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None:
        self._rule: Any = None
        self._revision = 0  # grows with every change of a constant
        self.name = name or type(self).__name__.lower()
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(c is not None for c in clips.values()) > 1:
            raise ValueError(f"[{self.name}] at most one of clipnorm, clipvalue and global_clipnorm; received {clips}")
        for option, given in {
            "use_ema": use_ema,
            "loss_scale_factor": loss_scale_factor,
            "gradient_accumulation_steps": gradient_accumulation_steps,
        }.items():
            if given:
                raise ValueError(f"[{self.name}] {option} is not supported yet; received {given!r}")
        self._variables: list[Variable] = []
        self._flat: _Flat | None = None
        self._tables: dict[tuple[bool, ...] | None, tuple[Array, int]] = {}
        self._excluded_ids: set[int] = set()
        self._excluded_names: list[str] = []
        self._iterations = Variable(0, trainable=False, dtype=INT64, name="iteration")
        self._schedule: Callable[[Any], Any] | None = None
        self._learning_rate = Variable(0.0, trainable=False, name="learning_rate")
        self.learning_rate = learning_rate

    # --- what a rule adds ---------------------------------------------------------------------------------------

    def _slots(self) -> list[tuple[str, float]]:
        """Names and initial values of the state buffers."""
        return []

    def _state_order(self) -> list[list[str]]:
        """Which slots stand side by side in :attr:`variables`, as in Keras."""
        return [[name] for name, _ in self._slots()]

    def _state_arguments(self) -> tuple[str | None, str | None, str | None]:
        """The slots that the kernel takes as its three state buffers."""
        return None, None, None

    # --- learning rate and step number --------------------------------------------------------------------------

    @property
    def iterations(self) -> Variable:
        """How many steps were taken: a scalar int64 variable."""
        return self._iterations

    @property
    def learning_rate(self) -> Variable:
        """What the next step uses: a scalar float32 variable. Assign a number or a schedule.

        Example:
            >>> optimizer = dlbd.optimizers.SGD(lambda step: 1.0 if step < 10 else 0.5)
            >>> float(optimizer.learning_rate)
            1.0
            >>> optimizer.learning_rate = 0.25
            >>> float(optimizer.learning_rate)
            0.25
        """
        self.prepare_step()
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, Tensor):
            self._schedule = value
            return
        if isinstance(value, (str, bool)) or value is None:
            raise TypeError(f"[{self.name}] learning_rate must be a number or a schedule; received {value!r}")
        self._schedule = None
        backend.write(self._learning_rate.array, float(value))

    lr = learning_rate  # what older programs set

    def prepare_step(self) -> None:
        """Bring what the host decides up to date: call it before each replay of a recorded step."""
        if self._schedule is not None:
            try:
                value = self._schedule(int(backend.on_host(self._iterations.array)))
            except TypeError:  # Keras also takes a function without arguments
                value = self._schedule()  # type: ignore[call-arg]
            backend.write(self._learning_rate.array, float(value))
        self.link()

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
        if self._rule is None and [name for name, _ in self._slots()] != list(self._flat.state):
            self._move(self._saved_state())  # a constant was set that needs another state: momentum, say
            return
        for v, view in zip(self._variables, self._flat.values, strict=True):
            if v.array is not view:
                if backend.is_recording():
                    raise RuntimeError(f"[{self.name}] {v.path} was moved while a step was being recorded")
                self._move(self._saved_state())
                return

    def _saved_state(self) -> dict[str, list[Array | None]]:
        assert self._flat is not None
        return {name: [backend.copied(part) for part in self._flat.cut(b)] for name, b in self._flat.state.items()}

    def _move(self, state: dict[str, list[Array | None]]) -> None:
        flat = _Flat(self._variables, self._slots())
        for i, v in enumerate(self._variables):
            backend.write(flat.values[i], v.array)
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

    def _built(self) -> _Flat:
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

    # --- weight decay -------------------------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Say which variables do not decay, before :meth:`build`.

        Args:
            var_list: the variables.
            var_names: regular expressions, searched for in the variables' names.

        Raises:
            ValueError: the optimizer is built already.

        Example:
            >>> optimizer = dlbd.optimizers.SGD(0.5, weight_decay=0.5)
            >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
            >>> kernel, bias = dlbd.Variable([4.0], name="kernel"), dlbd.Variable([4.0], name="bias")
            >>> step = optimizer.apply_gradients([([0.0], kernel), ([0.0], bias)])
            >>> float(kernel[0]), float(bias[0])
            (3.0, 4.0)
        """
        if self.built:
            raise ValueError(f"[{self.name}] exclude_from_weight_decay() must be called before the optimizer is built")
        self._excluded_ids |= {id(v) for v in var_list or ()}
        self._excluded_names += list(var_names or ())

    def _decays(self, variable: Variable) -> bool:
        if id(variable) in self._excluded_ids:
            return False
        return not any(re.search(pattern, variable.name) for pattern in self._excluded_names)

    # --- steps --------------------------------------------------------------------------------------------------

    def apply(
        self,
        gradients: Any = None,
        trainable_variables: Sequence[Variable] | None = None,
        *,
        active: Sequence[bool] | None = None,
    ) -> None:
        """Take one step.

        Args:
            gradients: a list of gradients, one per variable (as in Keras); or the count (a scalar tensor) by which the
                gradients that lie in :attr:`gradient_slots` are divided; or None for 1.
            trainable_variables: the variables of a list of gradients, if not those of ``build``.
            active: which variables take part; those without a gradient must not.

        Raises:
            ValueError: a list of gradients of another length than the variables.
            RuntimeError: there are no variables yet: :meth:`build` comes first.

        Example:
            >>> optimizer, x = dlbd.optimizers.SGD(0.5), dlbd.Variable([3.0])
            >>> optimizer.apply([[2.0]], [x])
            >>> x.numpy().tolist()
            [2.0]
        """
        if isinstance(gradients, (list, tuple)):
            variables = self._variables if trainable_variables is None else list(trainable_variables)
            if len(gradients) != len(variables):
                raise ValueError(f"[{self.name}] received {len(gradients)} gradients for {len(variables)} variables")
            self.apply_gradients(zip(gradients, variables, strict=True))
            return
        if not backend.is_recording():
            self.prepare_step()
        flat = self._built()
        chosen = None if active is None or all(active) else tuple(map(bool, active))
        table, blocks = self._table(chosen)
        twin = backend.twin(flat.parameters)
        rule = self._rule or self._make_rule()
        norms = None
        if self.clipnorm is not None or self.global_clipnorm is not None:
            norms = flat.norms
            twin.gradient_norms(table, flat.gradients, blocks, norms)
        state = [None if name is None else flat.state[name] for name in self._state_arguments()]
        count = None if gradients is None else as_tensor(gradients, like=flat.parameters).array
        twin.optimizer_update(
            rule,
            table,
            flat.parameters,
            flat.gradients,
            *state,
            count,
            self._learning_rate.array,
            self._iterations.array,
            norms,
        )

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Take one step, in a loop of one's own.

        Args:
            grads_and_vars: (gradient, variable) pairs; a gradient is a tensor or array of the variable's shape, or
                None: that variable stays as it is. The first call builds the optimizer for these variables.

        Returns:
            :attr:`iterations`, counted up by one.

        Raises:
            ValueError: a shape does not fit, a variable is not among those of :meth:`build`, or no gradient is given.

        Example:
            >>> optimizer, x = dlbd.optimizers.SGD(0.5), dlbd.Variable([3.0])
            >>> int(optimizer.apply_gradients([([2.0], x)])), x.numpy().tolist()
            (1, [2.0])
        """
        pairs = list(grads_and_vars)
        if not self.built:
            self.build([v for _, v in pairs])
        known = {id(v): i for i, v in enumerate(self._variables)}
        self.link()
        active = [False] * len(self._variables)
        for gradient, v in pairs:
            position = known.get(id(v))
            if position is None:
                raise ValueError(
                    f"[{self.name}] {v.path} is not among the variables that this optimizer was built with"
                )
            if gradient is None:
                continue
            array = as_tensor(gradient, v.dtype, v.array).array
            if array.shape != v.shape:
                raise ValueError(
                    f"[{self.name}] the gradient of {v.path} must have its shape {v.shape}; received {array.shape}"
                )
            slot = self._built().gradient_views[position]
            if array is not slot:
                backend.twin(slot).assign(array, slot)
            active[position] = True
        if not any(active):
            raise ValueError(f"[{self.name}] no gradients for any of {[v.path for v in self._variables]}")
        self.apply(active=active)
        return self._iterations

    def _make_rule(self) -> Any:
        clips = {"norm": self.clipnorm, "value": self.clipvalue, "global_norm": self.global_clipnorm}
        clipping, limit = next(((k, c) for k, c in clips.items() if c is not None), ("none", 0.0))
        rule: dict[str, Any] = {
            name: getattr(self, name, 0.0) for name in ("beta_1", "beta_2", "rho", "momentum", "epsilon")
        }
        flags = {name: bool(getattr(self, name, False)) for name in ("nesterov", "amsgrad", "centered")}
        self._rule = _cpu.OptimizerRule(
            self._kind, clipping, float(limit), float(self.weight_decay or 0.0), **rule, **flags
        )
        return self._rule

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name)
        object.__setattr__(self, name, value)
        if name in self._constants and before != value:
            object.__setattr__(self, "_rule", None)
            self._revision += 1
            backend.structure_changed()

    # --- saving -------------------------------------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """Step number, learning rate and state, in Keras's order. The state's are views: assigning changes it."""
        found = [self._iterations]
        if self._schedule is None:
            found.append(self._learning_rate)
        if self._flat is None:
            return found
        for names in self._state_order():
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

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict; the learning rate as of now."""
        rate: Any = float(backend.on_host(self._learning_rate.array))
        if self._schedule is not None:
            rate = self._schedule
        else:
            rate = float(np.format_float_positional(np.float32(rate), unique=True))  # 0.001, not 0.0010000000475
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """A new optimizer, without state, as :meth:`get_config` describes it."""
        return cls(**with_objects(config))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_rule"], state["_tables"] = None, {}
        state["_excluded_ids"] = [v for v in self._variables if id(v) in self._excluded_ids]
        state["_flat"] = None if self._flat is None else self._saved_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.pop("_flat")
        self.__dict__.update(state)
        self._excluded_ids = {id(v) for v in state["_excluded_ids"]}
        self._flat = None
        if saved is not None:
            self._move(saved)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={float(backend.on_host(self._learning_rate.array)):g}>"


def _view(array: Array, name: str) -> Variable:
    """A variable on memory that is somebody else's."""
    variable = Variable.__new__(Variable)
    Tensor.__init__(variable, array)
    variable.can_train, variable.trainable, variable.name, variable.path = False, False, name, name
    variable.regularizer = variable.constraint = None
    return variable
