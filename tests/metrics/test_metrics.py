"""Metrics against NumPy, over several batches."""

import copy
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import backend, losses, metrics
from dlbd.naming import snake_case

from ..arrays import tensor

rng = np.random.default_rng(0)
BATCHES = [(rng.integers(0, 4, n), rng.random((n, 4)).astype(np.float32), rng.random(n)) for n in (7, 1, 12)]


def gather(metric, batches, weighted):
    for y, p, w in batches:
        metric.update_state(y, p, w if weighted else None)
    return float(metric.result())


def expected(values, batches, weighted):
    v = np.concatenate([np.asarray(values(y, p), float) for y, p, _ in batches])
    return np.average(v, weights=np.concatenate([w for *_, w in batches]) if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_sparse_metrics(weighted, k):
    found = gather(metrics.SparseCategoricalAccuracy(), BATCHES, weighted)
    assert found == pytest.approx(expected(lambda y, p: y == p.argmax(-1), BATCHES, weighted), rel=1e-6)
    found = gather(metrics.SparseTopKCategoricalAccuracy(k), BATCHES, weighted)

    def top(y, p):
        return (p > p[np.arange(len(y)), y][:, None]).sum(-1) < k

    assert found == pytest.approx(expected(top, BATCHES, weighted), rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
def test_dense_metrics(weighted, dtype):
    batches = [(np.eye(4)[y].astype(dtype), p, w) for y, p, w in BATCHES]
    values = {
        metrics.CategoricalAccuracy: lambda y, p: y.argmax(-1) == p.argmax(-1),
        metrics.BinaryAccuracy: lambda y, p: (y == (p > 0.5)).mean(-1),
        metrics.TopKCategoricalAccuracy: lambda y, p: np.ones(len(y)),  # four classes, k = 5
        metrics.MeanSquaredError: lambda y, p: ((y - p) ** 2).mean(-1),
        metrics.MeanAbsoluteError: lambda y, p: np.abs(y - p).mean(-1),
    }
    for cls, value in values.items():
        assert gather(cls(), batches, weighted) == pytest.approx(expected(value, batches, weighted), rel=1e-6)
    root = np.sqrt(expected(values[metrics.MeanSquaredError], batches, weighted))
    assert gather(metrics.RootMeanSquaredError(), batches, weighted) == pytest.approx(root, rel=1e-6)


@pytest.mark.parametrize("name", [snake_case(c.__name__) for c in losses._CLASSES])
def test_every_loss_is_a_metric(name):
    if name in ("huber", "cosine_similarity"):
        metric = metrics.get(losses.get(name))
    else:
        metric = metrics.get({"log_cosh": "logcosh"}.get(name, name))
    y, p = BATCHES[0][0], BATCHES[0][1]
    t = y if name.startswith("sparse") else np.eye(4)[y]
    metric.update_state(t, p)
    assert float(metric.result()) == pytest.approx(float(losses.get(name)(t, p)), rel=1e-5)


def test_equality_and_binary_threshold_is_strict():
    m = metrics.Accuracy()
    assert float(m([1, 2, 3], [1, 2, 0])) == pytest.approx(2 / 3)
    assert float(metrics.BinaryAccuracy()([1, 0, 1], [[0.5], [0.5], [0.51]])) == pytest.approx(2 / 3)
    assert float(metrics.BinaryAccuracy(threshold=0.2)([1, 0], [0.3, 0.1])) == 1.0
    with pytest.raises(ValueError, match="threshold must be between"):
        metrics.BinaryAccuracy(threshold=1.0)


def test_the_first_of_equal_predictions_wins_and_nan_is_the_largest():
    p = np.array([[0.5, 0.5], [np.nan, 0.9], [0.1, np.nan]], np.float32)
    assert float(metrics.SparseCategoricalAccuracy()([0, 0, 1], p)) == 1.0
    assert float(metrics.SparseCategoricalAccuracy()([1, 1, 0], p)) == 0.0


def test_mean_and_sum():
    m = metrics.Mean()
    assert float(m.result()) == 0.0
    m.update_state([[1.0, 2.0], [3.0, 4.0]], [1.0, 0.0])
    assert float(m.result()) == 1.5
    m.update_state(10.0)
    assert float(m.result()) == pytest.approx((3 + 10) / 3)
    m.reset_state()
    assert float(m.result()) == 0.0
    assert float(metrics.Sum()([1.0, 2.0], [2.0, 1.0])) == 4.0


def test_an_epochs_loss_is_weighted_by_batch_size():
    m, loss = metrics.Mean("loss"), losses.MeanSquaredError()
    values = []
    for n in (3, 5):
        t, p = rng.random((n, 2)), rng.random((n, 2))
        m.add_loss(*loss.sum_and_count(t, p), n)
        values.append(((t - p) ** 2).mean())
    assert float(m.result()) == pytest.approx((values[0] * 3 + values[1] * 5) / 8, rel=1e-6)


def test_the_mask_of_predictions_leaves_steps_out():
    y = np.array([[0, 1, -1], [2, -1, -1]])
    p = tensor(np.eye(3, dtype=np.float32)[np.array([[0, 1, 1], [1, 0, 0]])] * 0.5 + 0.1)
    p.mask = tensor(y >= 0)
    assert float(metrics.SparseCategoricalAccuracy()(y, p)) == pytest.approx(2 / 3)
    values = losses.sparse_categorical_crossentropy(np.maximum(y, 0), p.numpy()).numpy()[y >= 0]
    assert float(metrics.SparseCategoricalCrossentropy()(y, p)) == pytest.approx(values.mean(), rel=1e-6)


def test_accuracy_resolves_by_shape_in_keras_order():
    for true, pred, cls in [
        ((8,), (8, 1), metrics.BinaryAccuracy),
        ((8, 1), (8, 1), metrics.BinaryAccuracy),
        ((8,), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 1), (8, 3), metrics.SparseCategoricalAccuracy),
        ((8, 5), (8, 5, 3), metrics.SparseCategoricalAccuracy),
        ((8, 3), (8, 3), metrics.CategoricalAccuracy),
    ]:
        assert type(metrics.get("accuracy", true, pred)) is cls
        made = metrics.get("acc", true, pred)
        assert type(made) is cls
        assert made.name == "acc"


def test_get():
    assert metrics.get(None) is None
    assert metrics.get("mse").name == "mse"
    assert metrics.get(metrics.MeanAbsoluteError).name == "mean_absolute_error"
    assert metrics.get(losses.mse)([1.0, 2.0], [1.0, 4.0]).shape == ()
    assert metrics.get({"class_name": "BinaryAccuracy", "config": {"threshold": 0.25}}).threshold == 0.25

    def half(y_true, y_pred):
        return tensor(np.array([0.0, 1.0], np.float32))

    assert float(metrics.get(half)([1, 2], [1, 2])) == 0.5
    assert metrics.get(half).name == "half"
    for wrong in ("acuracy", 3):
        with pytest.raises(ValueError, match="expected"):
            metrics.get(wrong)


def test_wrong_shapes_are_refused_and_nothing_is_counted():
    m = metrics.CategoricalAccuracy()
    with pytest.raises(ValueError, match="class numbers belong to"):
        m.update_state([0, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="must have the same shape"):
        metrics.BinaryAccuracy().update_state(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"\[accuracy\] y_true and y_pred must have the same shape"):
        metrics.Accuracy().update_state([1, 2], [1, 2, 3])
    m.update_state(np.zeros((0, 3)), np.zeros((0, 3)))
    np.testing.assert_array_equal(backend.on_host(m.state), 0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_has_state_of_its_own(copied):
    m = metrics.SparseCategoricalAccuracy()
    m.update_state([1], [[0.0, 1.0]])
    again = copied(m)
    again.update_state([0], [[0.0, 1.0]])
    assert (float(m.result()), float(again.result())) == (1.0, 0.5)


def test_a_metric_of_ones_own():
    class Seen(metrics.Metric):
        def __init__(self):
            super().__init__(name="seen")
            self.n = self.add_weight(name="n")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.n.assign(float(self.n) + len(y_pred))

        def result(self):
            return self.n

    m = Seen()
    m.update_state(0, [1, 2, 3])
    assert float(m([0], [1, 2])) == 5.0
    m.reset_state()
    assert float(m.result()) == 0.0


def test_a_metric_of_ones_own_counts_integers_in_recorded_steps():
    class Ones(metrics.Metric):
        def __init__(self):
            super().__init__(name="ones")
            self.n = self.add_weight(name="n")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.n.assign_add(dlbd.ops.sum(dlbd.ops.cast(y_true, "int32")))

        def result(self):
            return self.n

    model = dlbd.Sequential([dlbd.Input((2,)), dlbd.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Ones()])
    y = np.arange(12.0).reshape(12, 1)
    history = model.fit(np.zeros((12, 2)), y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    assert history["ones"] == [y.sum()] * 2
