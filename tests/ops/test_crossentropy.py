"""Cross-entropies under Keras's names, against their formulas; other functions of classes."""

import numpy as np
import pytest

from dlbd import GradientTape, Variable, ops

from ..arrays import tensor

rng = np.random.default_rng(0)


def _probabilities(*shape, axis=-1):
    e = np.exp(rng.standard_normal(shape))
    return (e / e.sum(axis, keepdims=True)).astype(np.float32)


def test_binary():
    t, x = rng.uniform(size=(4, 3)).astype(np.float32), rng.standard_normal((4, 3)).astype(np.float32)
    p = 1 / (1 + np.exp(-x))
    wanted = -t * np.log(p) - (1 - t) * np.log(1 - p)
    np.testing.assert_allclose(ops.binary_crossentropy(t, tensor(p)), wanted, rtol=1e-5)
    np.testing.assert_allclose(ops.binary_crossentropy(t, tensor(x), from_logits=True), wanted, rtol=1e-5)
    far = ops.sigmoid(tensor(np.array([-60.0], np.float32)))
    assert float(ops.binary_crossentropy([1.0], far)[0]) == 60  # exact, not clipped
    v = Variable(x)
    with GradientTape() as tape:
        y = ops.binary_crossentropy(t, v, from_logits=True)
    np.testing.assert_allclose(tape.gradient(y, v), p - t, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_categorical(axis):
    p, t = _probabilities(4, 5, 3, axis=axis), _probabilities(4, 5, 3, axis=axis)
    wanted = -(t * np.log(p)).sum(axis)
    np.testing.assert_allclose(ops.categorical_crossentropy(t, tensor(p), axis=axis), wanted, rtol=1e-5)
    logits = tensor(np.log(p) + 2)
    np.testing.assert_allclose(ops.categorical_crossentropy(t, logits, True, axis), wanted, rtol=1e-5)
    chosen = rng.integers(0, p.shape[axis], wanted.shape)
    picked = -np.log(np.take_along_axis(p, np.expand_dims(chosen, axis), axis)).squeeze(axis)
    np.testing.assert_allclose(ops.sparse_categorical_crossentropy(chosen, tensor(p), axis=axis), picked, rtol=1e-5)
    np.testing.assert_allclose(ops.sparse_categorical_crossentropy(chosen, logits, True, axis), picked, rtol=1e-4)


def test_what_softmax_gave_is_exact():
    p = ops.softmax(tensor(np.array([[0.0, 90.0]], np.float32)))
    assert float(ops.sparse_categorical_crossentropy([0], p)[0]) == 90
    assert float(ops.categorical_crossentropy([[1.0, 0.0]], p)[0]) == 90


def test_sparsemax():
    x = rng.standard_normal((6, 9)).astype(np.float32) * 2
    y = ops.sparsemax(tensor(x)).numpy()
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)
    for row, found in zip(x, y, strict=True):  # the threshold by halving
        low, high = row.min() - 1, row.max()
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if np.maximum(row - middle, 0).sum() > 1 else (low, middle)
        np.testing.assert_allclose(found, np.maximum(row - low, 0), atol=1e-6)
    np.testing.assert_allclose(ops.sparsemax(tensor(x.T.copy()), axis=0), y.T)
    v = Variable(x)
    with GradientTape() as tape:
        z = ops.sum(ops.sparsemax(v) * np.arange(9.0))
    support = y > 0
    mean = (support * np.arange(9)).sum(-1, keepdims=True) / support.sum(-1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(z, v), support * (np.arange(9) - mean), atol=1e-5)


def test_rms_normalization():
    x = rng.standard_normal((3, 4, 5)).astype(np.float32)
    scale = np.arange(5, dtype=np.float32)
    wanted = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-7) * scale
    np.testing.assert_allclose(ops.rms_normalization(x, scale), wanted, rtol=1e-5)
    wanted = x / np.sqrt((x**2).mean((1, 2), keepdims=True) + 0.5)
    np.testing.assert_allclose(ops.rms_normalization(x, axis=(1, 2), epsilon=0.5), wanted, rtol=1e-5)
