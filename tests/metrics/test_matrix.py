"""Confusion matrices and intersections over union, against NumPy."""

import numpy as np
import pytest

import dlbd
from dlbd import metrics

from ..arrays import tensor

rng = np.random.default_rng(0)
C = 4
BATCHES = [(rng.integers(0, C, n), rng.integers(0, C, n), rng.random(n)) for n in (7, 1, 30)]


def matrix(y, p, w=None, classes=C):
    found = np.zeros((classes, classes))
    np.add.at(found, (np.ravel(y), np.ravel(p).astype(int)), 1.0 if w is None else np.ravel(w))
    return found


def iou(m, targets):
    union = m.sum(0) + m.sum(1) - np.diag(m)
    found = [m[i, i] / union[i] for i in targets if union[i]]
    return np.mean(found) if found else 0.0


def whole(batches):
    return (np.concatenate([b[i] for b in batches]) for i in range(3))


@pytest.mark.parametrize("weighted", [False, True])
def test_matrix_of_class_numbers(weighted):
    metric = metrics.ConfusionMatrix(C)
    for y, p, w in BATCHES:
        metric.update_state(y, p, w if weighted else None)
    y, p, w = whole(BATCHES)
    found = metric.result()
    assert found.dtype == (np.float64 if weighted else np.int64)
    np.testing.assert_allclose(found, matrix(y, p, w if weighted else None), rtol=1e-6)
    metric.reset_state()
    np.testing.assert_array_equal(metric.result(), 0)


def test_predictions_over_the_classes_and_labels_of_any_form():
    y, scores = rng.integers(0, C, 20), rng.random((20, C), np.float32)
    expected = matrix(y, scores.argmax(-1))
    for labels in (y, y[:, None], y.astype(np.float32), np.eye(C)[y], np.eye(C, dtype=np.int32)[y], y.astype(np.uint8)):
        np.testing.assert_array_equal(metrics.ConfusionMatrix(C)(labels, scores), expected)
    np.testing.assert_array_equal(
        metrics.ConfusionMatrix(C)(y.reshape(4, 5), scores.reshape(4, 5, C)), expected, err_msg="sequences"
    )


@pytest.mark.parametrize("shape", [(20,), (20, 1)])
def test_one_probability_of_two_classes(shape):
    y, p = rng.integers(0, 2, 20), rng.random(20)
    expected = matrix(y, p > 0.5, classes=2)
    np.testing.assert_array_equal(metrics.ConfusionMatrix(2)(y, p.reshape(shape)), expected)
    np.testing.assert_array_equal(metrics.ConfusionMatrix(2)(y[:, None], p.reshape(shape)), expected)


def test_ignored_classes_and_masked_steps_do_not_count():
    y, p = np.array([[0, 1, 255], [2, 1, 0]]), np.array([[0, 2, 1], [2, 1, 7]])
    keep = np.array([[True, True, True], [True, True, False]])
    for metric in (metrics.ConfusionMatrix(3, ignore_class=255), metrics.MeanIoU(3, ignore_class=255)):
        pred = tensor(np.where(keep, p, 0))
        pred.mask = tensor(keep)
        metric.update_state(y, pred)
        np.testing.assert_array_equal(metric._matrix, [[1, 0, 0], [0, 1, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    ("y", "p", "wrong"), [([0, 3, 1], [0, 1, 2], 3), ([0, -1, 1], [0, 1, 2], -1), ([0, 1, 1], [0, 1, 255], 255)]
)
def test_a_class_number_out_of_range_is_named(y, p, wrong):
    for metric in (metrics.ConfusionMatrix(3), metrics.MeanIoU(3)):
        with pytest.raises(ValueError, match=f"{wrong} at position . is out of range: expected 0 <= value < 3"):
            metric(y, p)  # reads the result, which is when a GPU tells


@pytest.mark.parametrize("weighted", [False, True])
def test_iou_of_class_numbers(weighted):
    made = {
        metrics.IoU(C, [1]): [1],
        metrics.IoU(C, (0, 2)): [0, 2],
        metrics.MeanIoU(C): range(C),
        metrics.MeanIoU(C + 3): range(C),  # classes that nobody has seen do not count
    }
    y, p, w = whole(BATCHES)
    for metric, targets in made.items():
        for batch in BATCHES:
            metric.update_state(*batch[: 3 if weighted else 2])
        assert float(metric.result()) == pytest.approx(iou(matrix(y, p, w if weighted else None), targets), rel=1e-6)


def test_iou_over_the_classes():
    y, scores = rng.integers(0, C, 20), rng.random((20, C), np.float32)
    expected, one_hot = matrix(y, scores.argmax(-1)), np.eye(C)[y]
    assert float(metrics.OneHotIoU(C, [1, 3])(one_hot, scores)) == pytest.approx(iou(expected, [1, 3]), rel=1e-6)
    assert float(metrics.OneHotMeanIoU(C)(one_hot, scores)) == pytest.approx(iou(expected, range(C)), rel=1e-6)
    assert float(metrics.MeanIoU(C, sparse_y_pred=False)(y, scores)) == pytest.approx(iou(expected, range(C)), rel=1e-6)
    first = metrics.MeanIoU(C, sparse_y_true=False, sparse_y_pred=False, axis=0)
    assert float(first(one_hot.T, scores.T)) == pytest.approx(iou(expected, range(C)), rel=1e-6)


def test_binary_iou_reaches_the_threshold():
    y, p = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.7])
    m = matrix(y, p >= 0.3, classes=2)
    for targets in ([0], [1], [0, 1]):
        assert float(metrics.BinaryIoU(targets, threshold=0.3)(y, p)) == pytest.approx(iou(m, targets), rel=1e-6)


def test_nothing_counted_is_zero():
    assert float(metrics.MeanIoU(3).result()) == 0.0
    assert float(metrics.IoU(3, [2])([0, 1], [0, 1])) == 0.0
    np.testing.assert_array_equal(metrics.ConfusionMatrix(2)(np.zeros(0, int), np.zeros((0, 2))), 0)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.ConfusionMatrix(3, ignore_class=1, name="m"),
        metrics.IoU(3, [0, 2], ignore_class=1, sparse_y_true=False, axis=1),
        metrics.MeanIoU(3, sparse_y_pred=False),
        metrics.OneHotIoU(3, [1], ignore_class=0),
        metrics.OneHotMeanIoU(3, sparse_y_pred=True),
        metrics.BinaryIoU([1], 0.25),
    ],
    ids=lambda m: type(m).__name__,
)
def test_configuration(metric):
    for again in (type(metric).from_config(metric.get_config()), metrics.get(metrics.serialize(metric))):
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()
        assert vars(again).keys() == vars(metric).keys()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.ConfusionMatrix(0), "num_classes must be at least 1; received 0"),
        (lambda: metrics.IoU(3, [3]), r"target_class_ids must lie in \[0, 3\); received \[3\]"),
        (lambda: metrics.IoU(3, []), "target_class_ids must lie in"),
        (lambda: metrics.MeanIoU(3)([0, 1], np.zeros((2, 3))), r"\[mean_io_u\] y_true and y_pred must have as many"),
        (lambda: metrics.ConfusionMatrix(3)([0, 1], np.zeros((2, 4))), r"float predictions must be \(..., 3\)"),
        (lambda: metrics.ConfusionMatrix(3)([0, 1], np.zeros((3, 3))), r"\[confusion_matrix\] y_true and y_pred must"),
        (lambda: metrics.MeanIoU(3)([0, 1], [0, 1], [1, 2, 3]), r"\[mean_io_u\] sample_weight must have the shape"),
    ],
)
def test_errors_name_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_recorded_steps_count_like_eager_ones():
    x, y = rng.standard_normal((23, 5)).astype(np.float32), rng.integers(0, 3, 23)
    histories = []
    for eager in (False, True):
        dlbd.utils.set_random_seed(0)
        model = dlbd.Sequential([dlbd.Input((5,)), dlbd.layers.Dense(3, activation="softmax")])
        made = [metrics.ConfusionMatrix(3), metrics.MeanIoU(3, sparse_y_pred=False)]
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=made, run_eagerly=eager)
        kept = model.fit(x, y, batch_size=5, epochs=3, verbose=0).history
        found = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
        expected = matrix(y, model.predict(x, verbose=0).argmax(-1), classes=3)
        np.testing.assert_array_equal(found["confusion_matrix"], expected)
        assert found["mean_io_u"] == pytest.approx(iou(expected, range(3)), rel=1e-6)
        assert [m.sum() for m in kept["confusion_matrix"]] == [23, 23, 23]
        histories.append(kept)
    np.testing.assert_array_equal(histories[0]["confusion_matrix"], histories[1]["confusion_matrix"])
    assert histories[0]["mean_io_u"] == histories[1]["mean_io_u"]
