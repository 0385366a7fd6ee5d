"""Optimizers move variables as real Keras does, keep the same state, and schedules give the same rates."""

from __future__ import annotations

import pytest

import dlbd
from tests.arrays import tensor

from . import answers, cases
from .cases.optimizers import NAMES, OPTIMIZERS, RATES_AT, SCHEDULES

KERAS, KERAS_SCHEDULES = answers.of("optimizers"), answers.of("schedules")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name: str):
    case = OPTIMIZERS[name]
    values, steps = case.arrays()
    variables = [dlbd.Variable(v, name=n) for v, n in zip(values, NAMES, strict=True)]
    made = cases.evaluate(case.build, dlbd)
    optimizer = type(made).from_config(made.get_config())
    found = {}
    for step, gradients in enumerate(steps):
        optimizer.apply_gradients([(tensor(g), v) for g, v in zip(gradients, variables, strict=True)])
        found |= {f"{step}/{i}": answers.on_host(v).copy() for i, v in enumerate(variables)}
    state = optimizer.variables
    assert [[v.name, list(v.shape)] for v in state] == KERAS.words[name]["state"]
    found |= {f"state/{i}": answers.on_host(v).copy() for i, v in enumerate(state)}
    optimizer.finalize_variable_values(variables)
    found |= {f"final/{i}": v for i, v in enumerate(variables)}
    KERAS.check(name, found)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_configuration(name: str):
    optimizer = cases.evaluate(OPTIMIZERS[name].build, dlbd)
    answers.assert_same_configuration(cases.plain(optimizer.get_config()), KERAS.words[name]["config"])


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str):
    made = cases.evaluate(name, dlbd)
    schedule = type(made).from_config(made.get_config())
    KERAS_SCHEDULES.check(name, {"rates": [float(schedule(step)) for step in RATES_AT]})
    answers.assert_same_configuration(cases.plain(made.get_config()), KERAS_SCHEDULES.words[name]["config"])
