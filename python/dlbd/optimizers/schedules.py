"""Learning rates that change with the number of steps, with Keras's names, defaults and formulas.

A schedule is a function of that number which runs on the host, before each step. Any function is one; these keep their
arguments as attributes and can be saved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dlbd.saving import objects


class LearningRateSchedule:
    """Base of all schedules. A subclass defines ``__call__`` and, to be saved, ``get_config``.

    Example:
        >>> class Halves(dlbd.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.5 ** (int(step) // 100)
        >>> float(dlbd.optimizers.SGD(Halves()).learning_rate)
        1.0
    """

    def __call__(self, step: Any) -> float:
        """The learning rate of the step that follows ``step`` others; ``step``: a number or a scalar tensor."""
        raise NotImplementedError(f"[{type(self).__name__}] a schedule must define __call__(self, step)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        raise NotImplementedError(f"[{type(self).__name__}] a schedule must define get_config() to be saved")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """The schedule that :meth:`get_config` describes."""
        return cls(**config)


def _require_positive(name: str, argument: str, steps: float) -> None:
    if steps <= 0:
        raise ValueError(f"[{name}] {argument} must be greater than 0; received {steps}")


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``, as in Keras.

    Args:
        initial_learning_rate: where it starts.
        decay_steps: after how many steps it has been multiplied with ``decay_rate`` once; greater than 0.
        decay_rate: that factor.
        staircase: round ``step / decay_steps`` down, so that the rate falls in stairs; False by default.
        name: of no effect.

    Raises:
        ValueError: ``decay_steps`` is not greater than 0.

    Example:
        >>> schedule = dlbd.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)
        >>> schedule(0), schedule(5), schedule(10)
        (0.5, 0.25, 0.125)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        _require_positive(name, "decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def __call__(self, step: Any) -> float:
        return float(self.initial_learning_rate * self.decay_rate ** self._periods(step))

    def _periods(self, step: Any) -> float:
        periods = float(step) / self.decay_steps
        return math.floor(periods) if self.staircase else periods

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``, as in Keras.

    Args:
        initial_learning_rate: where it starts.
        decay_steps: after how many steps ``decay_rate`` has been added to the divisor once; greater than 0.
        decay_rate: that summand.
        staircase: round ``step / decay_steps`` down; False by default.
        name: of no effect.

    Raises:
        ValueError: ``decay_steps`` is not greater than 0.

    Example:
        >>> schedule = dlbd.optimizers.schedules.InverseTimeDecay(0.5, decay_steps=10, decay_rate=1.0)
        >>> schedule(0), schedule(10), schedule(30)
        (0.5, 0.25, 0.125)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> float:
        return float(self.initial_learning_rate / (1 + self.decay_rate * self._periods(step)))


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including step ``boundaries[0]``, then ``values[1]`` up to ``boundaries[1]``, and so on.

    Args:
        boundaries: steps, in rising order.
        values: one more than boundaries.
        name: of no effect.

    Raises:
        ValueError: ``values`` has another length.

    Example:
        >>> schedule = dlbd.optimizers.schedules.PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.25])
        >>> [schedule(step) for step in (0, 100, 101, 200, 201)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"[{name}] values must be one more than boundaries; received {len(values)} values "
                f"for {len(boundaries)} boundaries"
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def __call__(self, step: Any) -> float:
        return float(self.values[sum(float(step) > boundary for boundary in self.boundaries)])

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """From ``initial_learning_rate`` to ``end_learning_rate`` within ``decay_steps``, as in Keras::

        part = min(step, decay_steps) / decay_steps
        (initial_learning_rate - end_learning_rate) * (1 - part) ** power + end_learning_rate

    Args:
        initial_learning_rate: where it starts.
        decay_steps: how long it falls; greater than 0.
        end_learning_rate: where it ends; 0.0001 by default.
        power: 1.0 by default, a straight line.
        cycle: once at the end, stretch the curve to twice as many steps, then to three times as many, ...: the rate
            jumps up again; False by default.
        name: of no effect.

    Raises:
        ValueError: ``decay_steps`` is not greater than 0.

    Example:
        >>> schedule = dlbd.optimizers.schedules.PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.0)
        >>> schedule(0), schedule(5), schedule(20)
        (0.5, 0.25, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _require_positive(name, "decay_steps", decay_steps)
        self.initial_learning_rate, self.end_learning_rate = initial_learning_rate, end_learning_rate
        self.decay_steps, self.power, self.cycle, self.name = decay_steps, power, cycle, name

    def __call__(self, step: Any) -> float:
        step, steps = float(step), self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        rest = 1 - min(step, steps) / steps
        return float((self.initial_learning_rate - self.end_learning_rate) * rest**self.power + self.end_learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


def _half_cosine(part: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * part))


class CosineDecay(LearningRateSchedule):
    """Along half a cosine (Loshchilov and Hutter, 2016), after a straight rise if wanted, as in Keras::

        initial_learning_rate * ((1 - alpha) * (1 + cos(pi * min(step, decay_steps) / decay_steps)) / 2 + alpha)

    With ``warmup_target`` the rate first rises from ``initial_learning_rate`` to it within ``warmup_steps``, and falls
    from there.

    Args:
        initial_learning_rate: where it starts.
        decay_steps: how long it falls; greater than 0.
        alpha: which part of the rate is left at the end; 0.0 by default.
        name: of no effect.
        warmup_target: where the rise ends; None for no rise.
        warmup_steps: how long the rise takes; 0 by default.

    Raises:
        ValueError: ``decay_steps`` is not greater than 0.

    Example:
        >>> schedule = dlbd.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.5, warmup_steps=4)
        >>> [round(schedule(step), 3) for step in (0, 2, 4, 9, 14)]
        [0.0, 0.25, 0.5, 0.25, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        _require_positive(name, "decay_steps", decay_steps)
        self.initial_learning_rate, self.decay_steps, self.alpha, self.name = (
            initial_learning_rate,
            decay_steps,
            alpha,
            name,
        )
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: Any) -> float:
        step, start = float(step), self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(start + (self.warmup_target - start) * step / self.warmup_steps)
            step, start = step - self.warmup_steps, self.warmup_target
        part = min(step, self.decay_steps) / self.decay_steps
        return float(start * ((1 - self.alpha) * _half_cosine(part) + self.alpha))

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Along half a cosine, again and again (SGDR: Loshchilov and Hutter, 2016), as in Keras.

    Args:
        initial_learning_rate: where it starts.
        first_decay_steps: length of the first period; greater than 0.
        t_mul: how many times longer each period is than the one before; 2.0 by default.
        m_mul: how many times higher each period starts than the one before; 1.0 by default.
        alpha: which part of the rate is left at the end of a period; 0.0 by default.
        name: of no effect.

    Raises:
        ValueError: ``first_decay_steps`` is not greater than 0.

    Example:
        >>> schedule = dlbd.optimizers.schedules.CosineDecayRestarts(0.5, first_decay_steps=10)
        >>> [round(schedule(step), 3) for step in (0, 5, 10, 20, 30)]  # periods of 10, 20, ... steps
        [0.5, 0.25, 0.5, 0.25, 0.5]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _require_positive(name, "first_decay_steps", first_decay_steps)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def __call__(self, step: Any) -> float:
        period, part = self._period(float(step) / self.first_decay_steps)
        cosine = self.m_mul**period * _half_cosine(part)
        return float(self.initial_learning_rate * ((1 - self.alpha) * cosine + self.alpha))

    def _period(self, done: float) -> tuple[int, float]:
        """Which period that is, from 0, and how much of it is over; ``done``: in lengths of the first."""
        if self.t_mul == 1:
            return math.floor(done), done - math.floor(done)
        # the first n periods take (t^n - 1) / (t - 1); log(1000) / log(10) is a little less than 3
        period = math.floor(math.log(1 + done * (self.t_mul - 1)) / math.log(self.t_mul) + 1e-9)
        length = self.t_mul**period
        return period, (done - (length - 1) / (self.t_mul - 1)) / length

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def serialize(learning_rate_schedule: Any) -> Any:
    """A schedule as plain data in Keras's form; another function as it is.

    Example:
        >>> config = dlbd.optimizers.schedules.serialize(dlbd.optimizers.schedules.CosineDecay(0.5, 100))
        >>> dlbd.optimizers.schedules.deserialize(config)(50)
        0.25
    """
    is_schedule = isinstance(learning_rate_schedule, LearningRateSchedule)
    return objects.serialize_keras_object(learning_rate_schedule) if is_schedule else learning_rate_schedule


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule that :func:`serialize` described, ours or Keras's; ``custom_objects``: {name: a class of yours}.

    Raises:
        ValueError: nothing has that name.
    """
    return objects.deserialize_keras_object(config, custom_objects)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
