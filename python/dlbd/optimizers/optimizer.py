"""Optimizer: what all of them share. Parameters, gradients and state lie in flat buffers; a step is one launch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from dlbd import _cpu, backend, devices, ops
from dlbd.backend import Array
from dlbd.optimizers import schedules
from dlbd.optimizers.flat import Trainer
from dlbd.tensor import Tensor, Variable, as_tensor


class Optimizer(Trainer):
    """Base of all optimizers.

    ``build(variables)`` moves the variables into one flat buffer: each ``variable.array`` becomes a view of it. State
    and gradients lie in buffers of the same layout, so that a step is a single launch. Learning rate and step number
    live in arrays, which a recorded step reads anew each time it is replayed.

    A step divides the gradient by the count of the loss, clips it, takes ``learning_rate * weight_decay * p`` off the
    parameters p, applies the rule of the subclass and then the variables' constraints. All is computed in the
    variables' dtype, float32 or float64, which must be the same for all.

    An optimizer pickles and deep-copies with its state. Its variables travel with it (so pickle it together with the
    model that owns them) and are moved into new flat buffers on arrival: nothing needs to be called afterwards.

    Args:
        learning_rate: a number (0.001 by default), or a schedule: one of :mod:`dlbd.optimizers.schedules`, or a
            function of the number of steps taken so far, which runs on the host.
        weight_decay: fraction, times the learning rate, that each step takes off every parameter; None for none.
        clipnorm: largest norm of each variable's gradient, which is scaled down to it.
        clipvalue: largest magnitude of each element of the gradient.
        global_clipnorm: largest norm of all gradients together, which are scaled down to it.
        use_ema: keep an exponential moving average of the variables, which replaces them when ``fit`` ends, or where
            :meth:`finalize_variable_values` is called; False by default.
        ema_momentum: what an update leaves of the average, in [0, 1]; 0.99 by default. The first sets it to the
            variables.
        ema_overwrite_frequency: the average replaces the variables after every so many updates, too; None for never.
        loss_scale_factor: what :meth:`scale_loss` multiplies a loss with, and a step divides the gradients by; None
            for 1.
        gradient_accumulation_steps: only every so many steps, 2 or more, is an update, by the mean of their gradients;
            None for each. A schedule counts steps; :attr:`iterations`, Adam and the average count updates.
        name: that of the class in small letters by default.

    Raises:
        ValueError: more than one of ``clipnorm``, ``clipvalue`` and ``global_clipnorm`` is given, or an option has a
            value that it cannot have.
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
            "ema_momentum",
            "ema_overwrite_frequency",
            "epsilon",
            "global_clipnorm",
            "gradient_accumulation_steps",
            "loss_scale_factor",
            "momentum",
            "nesterov",
            "rho",
            "use_ema",
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
        self.use_ema, self.ema_momentum, self.ema_overwrite_frequency = use_ema, ema_momentum, ema_overwrite_frequency
        self.loss_scale_factor, self.gradient_accumulation_steps = loss_scale_factor, gradient_accumulation_steps
        if not 0 <= ema_momentum <= 1:
            raise ValueError(f"[{self.name}] ema_momentum must be in [0, 1]; received {ema_momentum}")
        for option, n, least in (
            ("ema_overwrite_frequency", ema_overwrite_frequency, 1),
            ("gradient_accumulation_steps", gradient_accumulation_steps, 2),
        ):
            if n is not None and (not isinstance(n, int) or n < least):
                raise ValueError(
                    f"[{self.name}] {option} must be an integer of {least} or more, or None; received {n!r}"
                )
        super().__init__()
        self._excluded: list[Variable] = []
        self._excluded_names: list[str] = []
        self.learning_rate = learning_rate

    def _state_arguments(self) -> tuple[str | None, str | None, str | None]:
        """The slots that the kernel takes as its three state buffers."""
        return None, None, None

    def _shared_slots(self) -> list[str]:
        wanted = {"average": self.use_ema, "gradient_accumulator": self.gradient_accumulation_steps}
        return [name for name, is_wanted in wanted.items() if is_wanted]

    # --- learning rate and step number --------------------------------------------------------------------------

    @property
    def iterations(self) -> Tensor:
        """How many updates were made: a scalar int64 variable; with gradient accumulation a tensor, not the variable,
        which counts steps."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
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
        if self._schedule is not None:
            self._follow_schedule(self._schedule)
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value) and not isinstance(value, Tensor):
            self._schedule = value
            self._iterations.forget()  # nobody counted
            return
        if isinstance(value, (str, bool)) or value is None:
            raise TypeError(f"[{self.name}] learning_rate must be a number or a schedule; received {value!r}")
        self._schedule = None
        backend.write(self._learning_rate.array, float(value))

    lr = learning_rate  # what older programs set

    def _follow_schedule(self, schedule: Callable[..., Any]) -> None:
        with backend.unrecorded(), devices.device("cpu"):  # the schedule may use operations
            step = self._iterations.on_host()
            try:
                value = schedule(step)
            except TypeError:  # Keras also takes a function without arguments
                value = schedule()
            backend.write(self._learning_rate.array, float(value))

    def _before_update(self) -> None:
        """What the host does before each update, and before each replay of a step with one."""
        if self._schedule is not None:
            self._follow_schedule(self._schedule)
            self._iterations.count()

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
        self._excluded += var_list or ()
        self._excluded_names += list(var_names or ())

    def _decays(self, variable: Variable) -> bool:
        if any(variable is excluded for excluded in self._excluded):
            return False
        return not any(re.search(pattern, variable.name) for pattern in self._excluded_names)

    # --- steps --------------------------------------------------------------------------------------------------

    def apply(
        self,
        grads: Any = None,
        trainable_variables: Sequence[Variable] | None = None,
        *,
        active: Sequence[bool] | None = None,
    ) -> None:
        """Take one step.

        Args:
            grads: a list of gradients, one per variable (as in Keras); or the count (a scalar tensor) by which the
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
        if isinstance(grads, (list, tuple)):
            variables = self._variables if trainable_variables is None else list(trainable_variables)
            if len(grads) != len(variables):
                raise ValueError(f"[{self.name}] received {len(grads)} gradients for {len(variables)} variables")
            self.apply_gradients(zip(grads, variables, strict=True))
            return
        if not backend.is_recording():
            self.link()
        backend.before_each_replay(self._before_update)
        self._before_update()
        flat = self._built()
        chosen = None if active is None or all(active) else tuple(map(bool, active))
        table, blocks = self._table(chosen)
        twin = backend.twin(flat.parameters)
        rule = self._rule or self._make_rule()
        iterations, accumulation = self._iterations.array, self.gradient_accumulation_steps or 1
        gradient, count = flat.gradients, self._divisor(grads)
        if accumulation > 1:
            sums = flat.state["gradient_accumulator"]
            twin.gradient_accumulate(table, gradient, count, iterations, accumulation, sums)
            gradient, count = sums, None
        norms = None
        if self.clipnorm is not None or self.global_clipnorm is not None:
            norms = flat.norms
            twin.gradient_norms(table, gradient, blocks, norms)
        state = [None if name is None else flat.state[name] for name in self._state_arguments()]
        rate = self._learning_rate.array
        twin.optimizer_update(
            rule, table, flat.parameters, gradient, *state, count, rate, iterations, flat.ticket, norms
        )
        if self.use_ema:
            every, average = self.ema_overwrite_frequency or 0, flat.state["average"]
            twin.moving_average(flat.parameters, average, iterations, self.ema_momentum, every, accumulation)
        for i, v in enumerate(self._variables):
            if v.constraint is not None and (active is None or active[i]):
                v.assign(v.constraint(v))

    def _divisor(self, count: Any) -> Array | None:
        """What the gradients are divided by, a scalar; None for 1."""
        flat, scale = self._built(), self.loss_scale_factor
        if scale is not None:
            count = ops.multiply(as_tensor(1.0 if count is None else count, like=flat.parameters), scale)
        return None if count is None else as_tensor(count, like=flat.parameters).array

    def scale_loss(self, loss: Any) -> Any:
        """The loss times ``loss_scale_factor``, for a tape to differentiate; as it is without one.

        Example:
            >>> x, optimizer = dlbd.Variable([3.0]), dlbd.optimizers.SGD(0.25, loss_scale_factor=64.0)
            >>> with dlbd.GradientTape() as tape:
            ...     loss = optimizer.scale_loss(dlbd.ops.sum(x * x))
            >>> step = optimizer.apply_gradients([(tape.gradient(loss, x), x)])
            >>> x.numpy().tolist()
            [1.5]
        """
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """With ``use_ema``, set the variables, if it trains them, to their averages. ``fit`` does so when it ends.

        Example:
            >>> x, optimizer = dlbd.Variable([4.0]), dlbd.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
            >>> for _ in range(2):  # 3, then 2: the average is 2.5
            ...     step = optimizer.apply_gradients([([1.0], x)])
            >>> optimizer.finalize_variable_values([x])
            >>> x.numpy().tolist()
            [2.5]
        """
        if not self.use_ema:
            return
        self.link()
        flat = self._built()
        averages = dict(zip(map(id, self._variables), flat.cut(flat.state["average"]), strict=True))
        for v in var_list:
            if id(v) in averages:
                v.assign(averages[id(v)])

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Take one step, in a loop of one's own.

        Args:
            grads_and_vars: (gradient, variable) pairs; a gradient is a tensor or array of the variable's shape, or
                None: that variable stays as it is. The first call builds the optimizer for these variables.

        Returns:
            How many steps were taken: a scalar int64 variable.

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
            self._kind,
            clipping,
            float(limit),
            float(self.weight_decay or 0.0),
            **rule,
            **flags,
            accumulation=self.gradient_accumulation_steps or 1,
        )
        return self._rule

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name)
        object.__setattr__(self, name, value)
        if name in self._constants and before != value:
            object.__setattr__(self, "_rule", None)
            self._revision += 1
            backend.structure_changed()

    # --- configuration ------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict; the learning rate as of now."""
        rate: Any = float(backend.on_host(self._learning_rate.array))
        if self._schedule is not None:
            rate = schedules.serialize(self._schedule)
        else:
            rate = float(np.format_float_positional(np.float32(rate), unique=True))  # 0.001, not 0.0010000000475
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """A new optimizer, without state, as :meth:`get_config` describes it."""
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": schedules.deserialize(rate)}
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={float(backend.on_host(self._learning_rate.array)):g}>"
