"""Constraints against NumPy."""

import numpy as np
import pytest

from dlbd import constraints, ops

rng = np.random.default_rng(0)
DENSE = rng.standard_normal((5, 4)).astype(np.float32)
CONV = rng.standard_normal((3, 3, 2, 4)).astype(np.float32)


def norms(w, axis):
    return np.sqrt((w**2).sum(axis=axis, keepdims=True))


def min_max(w, low, high, rate, axis):
    n = norms(w, axis)
    return w * ((1 - rate) * n + rate * np.clip(n, low, high)) / n


@pytest.mark.parametrize(
    ("constraint", "weight", "expected"),
    [
        (constraints.NonNeg(), DENSE, np.maximum(DENSE, 0)),
        (constraints.MaxNorm(), DENSE, min_max(DENSE, 0, 2, 1, 0)),
        (constraints.MaxNorm(0.5, axis=1), DENSE, min_max(DENSE, 0, 0.5, 1, 1)),
        (constraints.MaxNorm(1, axis=[0, 1, 2]), CONV, min_max(CONV, 0, 1, 1, (0, 1, 2))),
        (constraints.UnitNorm(), DENSE, DENSE / norms(DENSE, 0)),
        (constraints.UnitNorm(axis=(0, 1)), CONV, CONV / norms(CONV, (0, 1))),
        (constraints.MinMaxNorm(), DENSE, min_max(DENSE, 0, 1, 1, 0)),
        (constraints.MinMaxNorm(5.0, 9.0, 0.25, 1), DENSE, min_max(DENSE, 5, 9, 0.25, 1)),
    ],
    ids=str,
)
def test_value_and_configuration(constraint, weight, expected):
    np.testing.assert_allclose(constraint(weight), expected, rtol=1e-6, atol=1e-7)
    again = constraints.deserialize(constraints.serialize(constraint))
    assert type(again) is type(constraint)
    assert again.get_config() == constraint.get_config()
    np.testing.assert_array_equal(again(weight), constraint(weight))


def test_max_norm_spares_small_weights_and_zeros_stay():
    w = np.array([[0.0, 0.3, 3.0], [0.0, 0.4, 4.0]])
    np.testing.assert_allclose(constraints.MaxNorm()(w), [[0, 0.3, 1.2], [0, 0.4, 1.6]], rtol=1e-6)
    np.testing.assert_allclose(constraints.UnitNorm()(w), [[0, 0.6, 0.6], [0, 0.8, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("max_norm", constraints.MaxNorm),
        ("non_neg", constraints.NonNeg),
        ("unit_norm", constraints.UnitNorm),
        ("min_max_norm", constraints.MinMaxNorm),
    ],
)
def test_names(name, cls):
    assert getattr(constraints, name) is cls
    for identifier in (name, cls.__name__, cls, {"class_name": cls.__name__, "config": {}}):
        assert type(constraints.get(identifier)) is cls


def test_get_gives_functions_and_objects_back():
    def halved(w):
        return ops.multiply(w, 0.5)

    constraint = constraints.UnitNorm()
    assert constraints.get(None) is None
    assert constraints.get(constraint) is constraint
    assert constraints.get(halved) is halved


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="nothing is named 'norm'; expected one of"):
        constraints.get("norm")
    with pytest.raises(ValueError, match="expected a name, a function or a Constraint; received 3"):
        constraints.get(3)
    with pytest.raises(ValueError, match="axis 2 does not exist"):
        constraints.MaxNorm(axis=2)(DENSE)
    with pytest.raises(NotImplementedError, match="Constraint must define"):
        constraints.Constraint()(DENSE)
