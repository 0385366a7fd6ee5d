"""Regularizers against NumPy; numbers marked Keras are from keras 3.15's own."""

import numpy as np
import pytest

import dlbd
from dlbd import ops, regularizers

W = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


def orthogonal(w, mode):
    rows = w if mode == "rows" else w.T
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    n = len(rows)
    return np.abs((rows @ rows.T) * (1 - np.eye(n))).sum() / 2 / (n * (n - 1) / 2)


VALUES = {
    regularizers.L1(): lambda w: 0.01 * np.abs(w).sum(),
    regularizers.L1(0.5): lambda w: 0.5 * np.abs(w).sum(),
    regularizers.L2(): lambda w: 0.01 * (w**2).sum(),
    regularizers.L1L2(): lambda w: 0.0,
    regularizers.L1L2(l2=0.3): lambda w: 0.3 * (w**2).sum(),
    regularizers.L1L2(0.2, 0.3): lambda w: 0.2 * np.abs(w).sum() + 0.3 * (w**2).sum(),
    regularizers.OrthogonalRegularizer(): lambda w: 0.01 * orthogonal(w, "rows"),
    regularizers.OrthogonalRegularizer(0.5, "columns"): lambda w: 0.5 * orthogonal(w, "columns"),
}


@pytest.mark.parametrize("regularizer", VALUES, ids=str)
def test_value_gradient_and_configuration(regularizer):
    w = dlbd.Variable(W, dtype="float64")
    with dlbd.GradientTape() as tape:
        y = regularizer(w)
    assert y.shape == ()
    value = VALUES[regularizer]
    exact = np.asarray(W, np.float64)
    assert float(y) == pytest.approx(value(exact), rel=1e-12)
    gradient = tape.gradient(y, w).numpy()
    for i in np.ndindex(W.shape):
        step = np.zeros(W.shape)
        step[i] = 1e-6
        assert gradient[i] == pytest.approx((value(exact + step) - value(exact - step)) / 2e-6, rel=1e-3, abs=1e-6)
    again = regularizers.deserialize(regularizers.serialize(regularizer))
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()
    assert float(again(W)) == pytest.approx(value(W), rel=1e-6)


def test_orthogonal_rows_cost_nothing_and_zeros_have_a_gradient():
    w = dlbd.Variable(np.array([[0.0, 0.0], [1.0, 0.0]]))
    with dlbd.GradientTape() as tape:
        y = regularizers.OrthogonalRegularizer()(w)
    assert float(y) == 0.0
    assert np.isfinite(tape.gradient(y, w)).all()
    assert float(regularizers.OrthogonalRegularizer()([[1.0, 2.0]])) == 0.0  # one row has no pair


@pytest.mark.parametrize(
    ("name", "cls", "config"),
    [
        ("l1", regularizers.L1, {"l1": 0.01}),
        ("L1", regularizers.L1, {"l1": 0.01}),
        ("l2", regularizers.L2, {"l2": 0.01}),
        ("l1_l2", regularizers.L1L2, {"l1": 0.0, "l2": 0.0}),
        ("l1l2", regularizers.L1L2, {"l1": 0.0, "l2": 0.0}),
        ("orthogonal_regularizer", regularizers.OrthogonalRegularizer, {"factor": 0.01, "mode": "rows"}),
    ],
)
def test_names(name, cls, config):
    for identifier in (name, cls, {"class_name": name, "config": config}):
        found = regularizers.get(identifier)
        assert type(found) is cls
        assert found.get_config() == config


def test_get_gives_functions_and_objects_back():
    def largest(w):
        return ops.max(w)

    regularizer = regularizers.l2(0.5)
    assert regularizers.get(None) is None
    assert regularizers.get(regularizer) is regularizer
    assert regularizers.get(largest) is largest
    assert regularizers.serialize(largest) == "largest"
    assert regularizers.serialize(None) is None


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="nothing is named 'l3'; expected one of"):
        regularizers.get("l3")
    for wrong in (3, int, {"config": {}}):
        with pytest.raises(ValueError, match="expected a name, a function or a Regularizer; received"):
            regularizers.get(wrong)
    for wrong in (-1, float("nan"), float("inf"), "x", True):
        with pytest.raises(ValueError, match="l2 must be a number, 0 or more; received"):
            regularizers.L2(wrong)
    with pytest.raises(ValueError, match='mode must be "rows" or "columns"'):
        regularizers.OrthogonalRegularizer(mode="both")
    with pytest.raises(ValueError, match=r"must be a matrix; received shape \(3,\)"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
    with pytest.raises(NotImplementedError, match="Regularizer must define"):
        regularizers.Regularizer()(W)
