"""Optimizers after several steps with given gradients, and learning rates by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import Table, generator

STEPS = 10
SHAPES = ((3, 4), (4,))
NAMES = ("kernel", "bias")


@dataclass(frozen=True)
class OptimizerCase:
    build: str

    @property
    def name(self) -> str:
        return self.build

    def arrays(self) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
        """Initial variables, and the gradients of each step."""
        rng = generator("optimizer", "values")
        values = [rng.standard_normal(s).astype(np.float32) for s in SHAPES]
        steps = [[rng.standard_normal(s).astype(np.float32) for s in SHAPES] for _ in range(STEPS)]
        return values, steps


OPTIMIZERS = Table()
for _build in (
    "SGD()",
    "SGD(0.1, momentum=0.9)",
    "SGD(learning_rate=0.1, momentum=0.9, nesterov=True)",
    "SGD(clipvalue=0.5)",
    "SGD(momentum=0.9, weight_decay=0.1, clipnorm=0.7)",
    "SGD(momentum=0.5, nesterov=True, global_clipnorm=1.5)",
    "Adam()",
    "Adam(learning_rate=0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3)",
    "Adam(clipnorm=1.0)",
    "Adam(global_clipnorm=1.0)",
    "Adam(clipvalue=0.5)",
    "Adam(weight_decay=0.1)",
    "Adam(0.01, amsgrad=True, beta_2=0.9)",
    "AdamW()",
    "AdamW(learning_rate=0.1, weight_decay=0.1)",
    "AdamW(0.01, amsgrad=True, global_clipnorm=1.5, weight_decay=0.05)",
    "RMSprop()",
    "RMSprop(rho=0.8, momentum=0.9)",
    "RMSprop(centered=True)",
    "RMSprop(rho=0.8, momentum=0.5, centered=True, weight_decay=0.1, clipnorm=0.7)",
    "Adagrad()",
    "Adagrad(learning_rate=0.1, initial_accumulator_value=0.0)",
    "Adagrad(learning_rate=0.1, epsilon=1e-3, weight_decay=0.1, clipvalue=0.5)",
    # What all of them take
    "SGD(0.1, use_ema=True)",
    "SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4)",
    "Adam(0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3)",
    # (the last step is none that updates: what is left of a sum that was used is nobody's concern)
    "SGD(0.1, gradient_accumulation_steps=3)",
    "Adam(0.01, gradient_accumulation_steps=4)",
    "AdamW(0.01, gradient_accumulation_steps=4, clipnorm=0.5)",
    "RMSprop(0.01, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)",
    "SGD(0.1, loss_scale_factor=4.0)",
    "Adam(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5))",
    "SGD(optimizers.schedules.PiecewiseConstantDecay([2, 5], [0.1, 0.01, 0.001]), momentum=0.9)",
    "SGD(optimizers.schedules.CosineDecay(0.1, 8, warmup_target=0.2, warmup_steps=3), gradient_accumulation_steps=3)",
):
    OPTIMIZERS.put(OptimizerCase(f"optimizers.{_build}"))


@dataclass(frozen=True)
class ScheduleCase:
    build: str

    @property
    def name(self) -> str:
        return self.build


SCHEDULES = Table()
for _build in (
    "ExponentialDecay(0.1, 10, 0.9)",
    "ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True)",
    "InverseTimeDecay(0.1, 10, 0.5)",
    "InverseTimeDecay(0.1, 10, 0.5, staircase=True)",
    "PolynomialDecay(0.1, 20)",
    "PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=2.0, cycle=True)",
    "PiecewiseConstantDecay([5, 12], [1.0, 0.5, 0.1])",
    "CosineDecay(0.1, 20)",
    "CosineDecay(0.0, 20, alpha=0.1, warmup_target=0.2, warmup_steps=5)",
    "CosineDecay(0.1, 20, alpha=0.2)",
    "CosineDecayRestarts(0.1, 6)",
    "CosineDecayRestarts(0.1, 6, t_mul=1.5, m_mul=0.8, alpha=0.1)",
    "CosineDecayRestarts(0.1, 6, t_mul=1.0)",
):
    SCHEDULES.put(ScheduleCase(f"optimizers.schedules.{_build}"))
RATES_AT = (0, 1, 2, 4, 5, 6, 7, 10, 11, 12, 13, 19, 20, 21, 30, 45, 100)
