"""Operations, activations, regularizers, constraints, utilities and initializers give what real Keras gives."""

from __future__ import annotations

import numpy as np
import pytest

import dlbd
from tests.arrays import tensor

from . import answers, cases
from .cases.array_functions import ARRAY_FUNCTIONS
from .cases.functions import FUNCTIONS, INITIALIZERS, distribution
from .cases.operations import OPERATIONS

KERAS, KERAS_INITIALIZERS = answers.of("operations"), answers.of("initializers")
ALL = OPERATIONS | ARRAY_FUNCTIONS | FUNCTIONS


@pytest.mark.parametrize("name", ALL)
def test_operation(name: str):
    case = ALL[name]
    given = {key: tensor(a) for key, a in case.arrays().items()}
    with dlbd.GradientTape() as tape:
        for x in given.values():
            tape.watch(x)
        y = case.apply(dlbd, given)
    found = {f"output{i}": t for i, t in enumerate(y)}
    assert [cases.kind(answers.on_host(t)) for t in y] == KERAS.words[name]["dtypes"]
    if case.gradient:
        dy = [tensor(a) for a in cases.cotangents(name, y)]
        slopes = tape.gradient(y, list(given.values()), output_gradients=dy)
        for (key, x), slope in zip(given.items(), slopes, strict=True):
            found[f"gradient/{key}"] = np.zeros(x.shape) if slope is None else slope
    KERAS.check(name, found)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializer(name: str):
    """What is drawn by its distribution, of 27,000 numbers or more."""
    case = INITIALIZERS[name]
    dlbd.utils.set_random_seed(0)
    initializer = cases.evaluate(case.build, dlbd)
    value = np.asarray(initializer(case.shape), np.float64)
    assert value.shape == case.shape
    found, wanted = distribution(value), KERAS_INITIALIZERS.numbers[name]["distribution"]
    if value.size < 100:
        np.testing.assert_array_equal(found, wanted)
    else:  # the 1% quantile of a normal distribution varies by 2% of the standard deviation, the norm by as much
        np.testing.assert_allclose(found[:-1], wanted[:-1], rtol=0.01, atol=0.06 * value.std())
        np.testing.assert_allclose(found[-1], wanted[-1], rtol=0.05)
    answers.assert_same_configuration(cases.plain(initializer.get_config()), KERAS_INITIALIZERS.words[name]["config"])
