"""Schedules: Keras's formulas, written in NumPy, and what an optimizer makes of a schedule."""

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, layers, losses, models, optimizers
from dlbd.optimizers import SGD, schedules

from ..arrays import tensor

STEPS = np.array([0, 1, 5, 9, 10, 11, 20, 29, 30, 31, 70, 71, 200], np.float64)


def cosine(part):
    return (1 + np.cos(np.pi * part)) / 2


def restarts(steps, first, t, m):
    """By counting periods, not by logarithms."""
    values = []
    for step in steps:
        start, length, height = 0.0, float(first), 1.0
        while step >= start + length:
            start, length, height = start + length, length * t, height * m
        values.append(height * cosine((step - start) / length))
    return np.array(values)


CASES = {
    "exponential": (schedules.ExponentialDecay(0.1, 10, 0.5), lambda s: 0.1 * 0.5 ** (s / 10)),
    "exponential-stairs": (schedules.ExponentialDecay(0.1, 10, 0.5, True), lambda s: 0.1 * 0.5 ** (s // 10)),
    "inverse": (schedules.InverseTimeDecay(0.1, 10, 0.5), lambda s: 0.1 / (1 + 0.5 * s / 10)),
    "inverse-stairs": (schedules.InverseTimeDecay(0.1, 10, 0.5, True), lambda s: 0.1 / (1 + 0.5 * (s // 10))),
    "piecewise": (
        schedules.PiecewiseConstantDecay([10, 30], [1.0, 0.5, 0.1]),
        lambda s: np.select([s <= 10, s <= 30], [1.0, 0.5], 0.1),
    ),
    "polynomial": (
        schedules.PolynomialDecay(0.1, 30, 0.01, power=2.0),
        lambda s: 0.09 * (1 - np.minimum(s, 30) / 30) ** 2 + 0.01,
    ),
    "polynomial-cycles": (
        schedules.PolynomialDecay(0.1, 30, 0.01, cycle=True),
        lambda s: 0.09 * (1 - s / (30 * np.maximum(np.ceil(s / 30), 1))) + 0.01,
    ),
    "cosine": (schedules.CosineDecay(0.1, 30, 0.1), lambda s: 0.1 * (0.9 * cosine(np.minimum(s, 30) / 30) + 0.1)),
    "cosine-warmup": (
        schedules.CosineDecay(0.01, 30, 0.1, warmup_target=0.1, warmup_steps=10),
        lambda s: np.where(s < 10, 0.01 + 0.09 * s / 10, 0.1 * (0.9 * cosine(np.clip((s - 10) / 30, 0, 1)) + 0.1)),
    ),
    "restarts": (
        schedules.CosineDecayRestarts(0.1, 10, 2.0, 0.5, 0.1),
        lambda s: 0.1 * (0.9 * restarts(s, 10, 2.0, 0.5) + 0.1),
    ),
    "restarts-of-one-length": (
        schedules.CosineDecayRestarts(0.1, 10, 1.0, 0.5),
        lambda s: 0.1 * restarts(s, 10, 1.0, 0.5),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_values(case):
    schedule, reference = CASES[case]
    np.testing.assert_allclose([schedule(int(step)) for step in STEPS], reference(STEPS), rtol=1e-12, atol=1e-15)
    assert schedule(tensor(np.array(5))) == schedule(5)


@pytest.mark.parametrize("t", [2.0, 3.0, 10.0])
def test_a_restart_is_met_exactly(t):
    schedule = schedules.CosineDecayRestarts(1.0, 1, t)
    for n in range(5):
        assert schedule((t**n - 1) / (t - 1)) == pytest.approx(1.0)


@pytest.mark.parametrize("case", CASES)
def test_config_round_trip(case):
    schedule = CASES[case][0]
    again = schedules.deserialize(schedules.serialize(schedule))
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config()
    optimizer = optimizers.deserialize(optimizers.serialize(SGD(schedule)))
    assert optimizer.get_config()["learning_rate"] == schedules.serialize(schedule)
    assert float(optimizer.learning_rate) == np.float32(schedule(0))


def test_bad_arguments():
    for make in (schedules.ExponentialDecay, schedules.InverseTimeDecay):
        with pytest.raises(ValueError, match="decay_steps must be greater than 0; received 0"):
            make(0.1, 0, 0.5)
    for make in (schedules.PolynomialDecay, schedules.CosineDecay, schedules.CosineDecayRestarts):
        with pytest.raises(ValueError, match="decay_steps must be greater than 0; received -1"):
            make(0.1, -1)
    with pytest.raises(ValueError, match="2 values for 2 boundaries"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="no class 'Warm'"):
        schedules.deserialize({"class_name": "Warm", "config": {}})
    with pytest.raises(NotImplementedError, match="must define __call__"):
        schedules.LearningRateSchedule()(0)
    with pytest.raises(NotImplementedError, match="must define get_config"):
        schedules.LearningRateSchedule().get_config()


def linear(optimizer):
    """A model whose loss has the gradient 1 for its only weight."""
    model = models.Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, losses.MeanAbsoluteError())
    return model


def rates(model, steps, **kwargs):
    """The steps that fit took, from what the weight lost in each."""
    seen = [float(model.weights[0][0, 0])]
    each = callbacks.LambdaCallback(on_train_batch_end=lambda *_: seen.append(float(model.weights[0][0, 0])))
    x = np.ones((steps, 1), np.float32)
    model.fit(x, x - 1e6, batch_size=1, verbose=0, shuffle=False, callbacks=[each], **kwargs)
    return -np.diff(seen)


def test_fit_follows_a_schedule_from_step_to_step():
    optimizer = SGD(schedules.PiecewiseConstantDecay([1, 3], [8.0, 4.0, 2.0]))
    model = linear(optimizer)
    np.testing.assert_array_equal(rates(model, 6), [8, 8, 4, 4, 2, 2])
    assert float(optimizer.learning_rate) == 2.0


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_the_step_number_may_be_set(run_eagerly):
    optimizer = SGD(lambda step: 2.0**-step)
    model = linear(optimizer)
    model.run_eagerly = run_eagerly
    np.testing.assert_array_equal(rates(model, 2), [1, 0.5])
    optimizer.iterations.assign(0)
    np.testing.assert_array_equal(rates(model, 2), [1, 0.5])
    optimizer.set_weights([np.array(3)])
    np.testing.assert_array_equal(rates(model, 2), [0.125, 0.0625])
    optimizer.learning_rate = 4.0
    np.testing.assert_array_equal(rates(model, 1), [4])
    optimizer.learning_rate = lambda step: float(step)
    np.testing.assert_array_equal(rates(model, 2), [6, 7])
    assert int(optimizer.iterations) == 8


def test_a_schedule_may_use_operations():
    """In a step that is recorded all the same."""
    optimizer = SGD(lambda step: dlbd.ops.maximum(1.0, 4.0 - step))
    model = linear(optimizer)
    np.testing.assert_array_equal(rates(model, 5), [4, 3, 2, 1, 1])
    (steps,) = model.__dict__["_train_steps"].values()
    assert all(step._replay is not None for free in steps._free.values() for step in free)


def test_an_update_that_did_not_happen_does_not_count():
    optimizer = SGD(lambda step: 2.0**-step)
    model = models.Sequential([layers.Input((1,)), layers.Dense(3, kernel_initializer="zeros")])
    model.compile(optimizer, losses.SparseCategoricalCrossentropy(from_logits=True))
    x = np.ones((4, 1), np.float32)
    model.fit(x, np.array([0, 1, 2, 0]), batch_size=1, verbose=0)
    with pytest.raises(ValueError, match="label 7"):
        model.fit(x, np.array([7, 1, 2, 0]), batch_size=1, verbose=0, shuffle=False)
    model.fit(x[:1], np.array([1]), batch_size=1, verbose=0)
    steps = int(optimizer.iterations)
    assert float(optimizer.learning_rate) == 2.0**-steps
