"""What is counted at thresholds: against NumPy, and where marked against Keras 3.15."""

import copy
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import backend, metrics

from ..arrays import tensor

rng = np.random.default_rng(0)
SHARES = (metrics.Precision, metrics.Recall)
COUNTS = (metrics.TruePositives, metrics.FalsePositives, metrics.TrueNegatives, metrics.FalseNegatives)


def batch(*shape):
    return rng.integers(0, 2, shape), rng.random(shape, np.float32)


def counts(y, p, threshold, w=None):
    """TP, FP, TN, FN."""
    w = np.ones(y.shape) if w is None else np.broadcast_to(w.reshape(w.shape + (1,) * (y.ndim - w.ndim)), y.shape)
    y, said = y.astype(bool), p > threshold
    return [(w * part).sum() for part in (y & said, ~y & said, ~y & ~said, y & ~said)]


def expected(cls, *arguments):
    tp, fp, tn, fn = counts(*arguments)
    if cls in COUNTS:
        return [tp, fp, tn, fn][COUNTS.index(cls)]
    return tp / (tp + (fp if cls is metrics.Precision else fn))


def gather(metric, batches):
    for b in batches:
        metric.update_state(*b)
    return np.asarray(metric.result())


@pytest.mark.parametrize("cls", [*SHARES, *COUNTS])
@pytest.mark.parametrize("weights", [None, "samples", "elements"])
def test_against_numpy(cls, weights):
    batches = []
    for n in (7, 1, 20):
        y, p = batch(n, 4)
        w = None if weights is None else rng.random(n if weights == "samples" else (n, 4))
        batches.append((y, p) if w is None else (y, p, w))
    y, p = (np.concatenate([b[i] for b in batches]) for i in (0, 1))
    w = None if weights is None else np.concatenate([b[2] for b in batches])
    assert gather(cls(), batches) == pytest.approx(expected(cls, y, p, 0.5, w), rel=1e-6)
    thresholds = [0.75, 0.1, 0.4]
    found = gather(cls(thresholds=thresholds), batches)
    np.testing.assert_allclose(found, [expected(cls, y, p, t, w) for t in thresholds], rtol=1e-6)


def test_a_prediction_at_the_threshold_is_not_above_it():
    assert float(metrics.FalsePositives(0.5)([0, 0, 0], [0.5, 0.500001, 0.25])) == 1.0
    assert float(metrics.TruePositives(0)([1, 1], [0.0, 1e-30])) == 1.0


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_, np.float64])
def test_labels_and_predictions_of_any_dtype(dtype):
    y = np.array([0, 1, 1, 1]).astype(dtype)
    assert float(metrics.Precision()(y, np.array([1, 0, 1, 1]).astype(dtype))) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("true", "pred"), [((4,), (4, 1)), ((4, 1), (4,))])
def test_a_last_size_of_one_may_be_missing(true, pred):
    y, p, w = np.array([0, 1, 1, 0]), np.array([0.9, 0.8, 0.1, 0.7]), np.array([1.0, 2.0, 1.0, 0.0])
    assert float(metrics.Precision()(y.reshape(true), p.reshape(pred), w)) == pytest.approx(2 / 3)


def test_top_k_are_the_first_of_the_largest():
    y = np.array([[1, 0, 1], [0, 1, 1]])
    p = np.array([[0.5, 0.5, 0.5], [0.1, 0.2, -0.3]])
    assert float(metrics.Precision(top_k=2)(y, p)) == 0.5  # 1 and 0 of the first, 0 and 1 of the second
    assert float(metrics.Recall(top_k=2)(y, p)) == 0.5
    assert float(metrics.Recall(top_k=1, thresholds=0.3)(y, p)) == 0.25
    assert float(metrics.Precision(top_k=3)(y, p)) == pytest.approx(4 / 6)
    assert float(metrics.Precision(top_k=2)([0, 0, 1, 1], [1.0, 1.0, 1.0, 1.0])) == 0.0  # Keras's own example


def test_one_class_counts():
    y, p = batch(30, 4)
    for cls in SHARES:
        assert float(cls(class_id=2)(y, p)) == pytest.approx(expected(cls, y[:, 2], p[:, 2], 0.5), rel=1e-6)
    second = np.argsort(-p, axis=1)[:, :2]
    chosen = (second == 3).any(1)
    assert float(metrics.Precision(top_k=2, class_id=3)(y, p)) == pytest.approx(y[chosen, 3].mean(), rel=1e-6)


def test_the_mask_of_predictions_leaves_steps_out():
    y, p = batch(2, 3, 2)
    keep = np.array([[True, True, False], [True, False, False]])
    pred = tensor(np.where(keep[..., None], p, np.nan).astype(np.float32))
    pred.mask = tensor(keep)
    metric = metrics.TruePositives([0.5, 0.25])
    metric.update_state(y, pred)
    np.testing.assert_allclose(metric.result(), [counts(y[keep], p[keep], t)[0] for t in (0.5, 0.25)])
    metric.update_state(y, pred, np.array([2.0, 0.0]))
    more = counts(y[0, :2], p[0, :2], 0.5)[0] * 2
    assert float(metric.result()[0]) == pytest.approx(counts(y[keep], p[keep], 0.5)[0] + more)


def test_nothing_counted_is_zero():
    for cls in (*SHARES, *COUNTS, metrics.AUC):
        metric = cls()
        assert float(metric.result()) == 0.0
        metric.update_state(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
        assert float(metric.result()) == 0.0
    assert float(metrics.Precision()([0, 1], [0.1, 0.2])) == 0.0


def test_a_nan_shows():
    for metric in (metrics.Precision(), metrics.TrueNegatives([0.2, 0.5]), metrics.AUC(), metrics.Recall(top_k=1)):
        metric.update_state([[0, 1]], [[np.nan, 0.9]])
        metric.update_state([[1, 0]], [[np.nan, 0.9]])
        assert np.isnan(metric.result()).all()


def test_counts_stay_exact_beyond_float32():
    metric = metrics.TruePositives()
    metric.update_state([1], [1.0], [2.0**24])
    for _ in range(3):
        metric.update_state([1], [1.0])
    assert float(np.asarray(metric._counts().true_positives).item()) == 2**24 + 3


# From Keras 3.15: AUC of Y and P with 200 thresholds, weighted by W, with 4 thresholds, with 4 and weighted.
Y = np.array([0, 1, 1, 0, 1, 0, 0, 1])
P = np.array([0.1, 0.9, 0.4, 0.35, 0.8, 0.65, 0.2, 0.55], np.float32)
W = np.array([1, 2, 0.5, 1, 1, 3, 1, 2], np.float32)
AREAS = {
    ("ROC", "interpolation"): [0.875, 0.772727, 0.875, 0.848485],
    ("ROC", "minoring"): [0.875, 0.772727, 0.75, 0.69697],
    ("ROC", "majoring"): [0.875, 0.772727, 1.0, 1.0],
    ("PR", "interpolation"): [0.872294, 0.810015, 0.887327, 0.869093],
    ("PR", "minoring"): [0.604167, 0.420455, 0.333333, 0.263158],
    ("PR", "majoring"): [0.8875, 0.831551, 1.0, 1.0],
    ("PRGAIN", "interpolation"): [0.625, 0.458912, 0.75, 0.74537],
    ("PRGAIN", "minoring"): [0.555556, 0.33338, 0.5, 0.490741],
    ("PRGAIN", "majoring"): [0.694444, 0.584444, 1.0, 1.0],
}


@pytest.mark.parametrize(("curve", "method"), AREAS)
def test_areas_of_keras(curve, method):
    found = []
    for n in (200, 4):
        for w in (None, W):
            metric = metrics.AUC(n, curve, method)
            metric.update_state(Y[:5], P[:5], None if w is None else w[:5])
            metric.update_state(Y[5:], P[5:], None if w is None else w[5:])
            found.append(float(metric.result()))
    np.testing.assert_allclose(found, AREAS[curve, method], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "area"),  # from Keras 3.15
    [
        ({"multi_label": True}, 0.7777777),
        ({"multi_label": True, "num_labels": 2, "label_weights": [3.0, 1.0]}, 0.8333333),
        ({"label_weights": [3.0, 1.0]}, 0.8958333),
        ({"from_logits": True}, 0.8611111),
        ({"thresholds": [0.6, 0.3]}, 0.8611111),
        ({"multi_label": True, "curve": "PR"}, 0.7210039),
    ],
)
def test_areas_of_several_labels(options, area):
    y = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    p = np.array([[0.9, 0.2], [0.3, 0.7], [0.4, 0.6], [0.5, 0.1], [0.8, 0.75], [0.2, 0.65]])
    metric = metrics.AUC(**options)
    assert float(metric(y, p)) == pytest.approx(area, abs=1e-6)
    again = metrics.AUC.from_config(metric.get_config())
    assert float(again(y, p)) == float(metric.result())


def test_the_area_is_how_often_a_true_one_is_above_a_false_one():
    y, p = rng.integers(0, 2, 400), (rng.integers(0, 199, 400) + 0.5) / 199  # ties, but none across a threshold
    true, false = p[y == 1][:, None], p[y == 0]
    wins = (true > false).mean() + (true == false).mean() / 2
    assert float(metrics.AUC()(y, p)) == pytest.approx(wins, rel=1e-6)


@pytest.mark.parametrize(
    ("cls", "least", "values"),  # from Keras 3.15; the second one with W
    [
        (metrics.SensitivityAtSpecificity, 0.6, [1.0, 0.545455]),
        (metrics.SpecificityAtSensitivity, 0.6, [0.75, 0.5]),
        (metrics.PrecisionAtRecall, 0.7, [0.8, 0.647059]),
        (metrics.RecallAtPrecision, 0.7, [1.0, 0.545455]),
    ],
)
def test_operating_points_of_keras(cls, least, values):
    assert [float(cls(least)(Y, P)), float(cls(least)(Y, P, W))] == pytest.approx(values, abs=1e-6)
    assert float(cls(least, num_thresholds=1)(Y, P)) == pytest.approx(0.75)  # three of four at 0.5
    both = np.stack([1 - Y, Y], 1), np.stack([P, P], 1)
    assert float(cls(least, class_id=1)(*both)) == pytest.approx(values[0], abs=1e-6)


def test_what_cannot_be_reached_is_zero():
    assert float(metrics.RecallAtPrecision(0.9)([0, 0, 1], [0.9, 0.8, 0.1])) == 0.0


CONFIGURED = [
    metrics.Precision(0.3, top_k=2, class_id=1, name="p"),
    metrics.Recall([0.3, 0.4]),
    metrics.FalseNegatives(0.1),
    metrics.AUC(50, "PR", "majoring", thresholds=None, from_logits=True),
    metrics.AUC(thresholds=[0.5, 0.1], multi_label=True, num_labels=2, label_weights=[1, 2]),
    metrics.SensitivityAtSpecificity(0.5, 20, class_id=0),
    metrics.PrecisionAtRecall(0.5, name="par"),
]


@pytest.mark.parametrize("metric", CONFIGURED, ids=lambda m: m.name)
def test_configuration(metric):
    for again in (type(metric).from_config(metric.get_config()), metrics.get(metrics.serialize(metric))):
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_has_state_of_its_own_and_reset_starts_anew(copied):
    metric = metrics.AUC(multi_label=True)
    metric.update_state([[0, 1], [1, 0]], [[0.1, 0.9], [0.8, 0.7]])
    again = copied(metric)
    again.update_state([[1, 0]], [[0.05, 0.95]])
    assert float(metric.result()) == 1.0
    assert float(again.result()) == 0.5
    again.reset_state()
    assert float(again.result()) == 0.0
    assert float(again([[0, 1], [1, 0]], [[0.1, 0.9], [0.8, 0.7]])) == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.Precision(1.5), r"\[precision\] thresholds must lie in \[0, 1\]; received 1.5"),
        (lambda: metrics.Recall(["a"]), r"\[recall\] thresholds must lie in"),
        (lambda: metrics.Recall([]), r"thresholds must lie in"),
        (lambda: metrics.Precision(top_k=0), "top_k must be at least 1; received 0"),
        (lambda: metrics.Precision(class_id=-1), "class_id must be 0 or more; received -1"),
        (lambda: metrics.AUC(1), "num_thresholds must be at least 2; received 1"),
        (lambda: metrics.AUC(curve="roc curve"), r"curve must be one of \['ROC'"),
        (lambda: metrics.AUC(summation_method="sum"), "summation_method must be one of"),
        (lambda: metrics.AUC(thresholds=[2.0]), r"thresholds must lie in \[0, 1\]"),
        (lambda: metrics.AUC(num_labels=2), "num_labels is of use with multi_label=True only"),
        (lambda: metrics.AUC(label_weights=[0.0]), "label_weights must be 0 or more, and not all 0"),
        (lambda: metrics.SensitivityAtSpecificity(2), r"specificity must lie in \[0, 1\]; received 2"),
        (lambda: metrics.RecallAtPrecision(0.5, 0), "num_thresholds must be at least 1; received 0"),
        (
            lambda: metrics.Precision()([0, 1], [[0.1, 0.2]]),
            r"\[precision\] y_true and y_pred must have the same shape",
        ),
        (lambda: metrics.Precision(top_k=3)([[0, 1]], [[0.1, 0.2]]), r"top_k=3 needs at least as many"),
        (lambda: metrics.Precision(class_id=2)([[0, 1]], [[0.1, 0.2]]), r"class_id=2 needs predictions"),
        (lambda: metrics.Precision(class_id=0)([0, 1], [0.1, 0.2]), r"class_id=0 needs predictions"),
        (
            lambda: metrics.Precision()([0, 1], [0.1, 0.2], [1, 2, 3]),
            r"\[precision\] sample_weight must have the shape",
        ),
        (lambda: metrics.AUC(multi_label=True)([0, 1], [0.1, 0.2]), r"needs predictions \(batch, labels\)"),
    ],
)
def test_errors_name_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_recorded_steps_count_like_eager_ones_and_vectors_survive_fit():
    x = rng.standard_normal((23, 5)).astype(np.float32)
    y = rng.integers(0, 2, (23, 3))
    w = rng.random(23).astype(np.float32)
    histories = []
    for eager in (False, True):
        dlbd.utils.set_random_seed(0)
        model = dlbd.Sequential([dlbd.Input((5,)), dlbd.layers.Dense(3, activation="sigmoid")])
        made = [
            metrics.Precision([0.4, 0.6], name="precisions"),
            metrics.Recall(top_k=2),
            metrics.AUC(multi_label=True),
            metrics.F1Score(),
            metrics.FalsePositives(),
        ]
        weighted = [metrics.AUC(), metrics.Recall(), "mse"]
        model.compile("sgd", "bce", metrics=made, weighted_metrics=weighted, run_eagerly=eager)
        kept = model.fit(x, y, batch_size=5, epochs=3, sample_weight=w, validation_data=(x, y), verbose=0).history
        p = model.predict(x, verbose=0)
        np.testing.assert_allclose(
            kept["val_precisions"][-1], [expected(metrics.Precision, y, p, t) for t in (0.4, 0.6)]
        )
        logs = model.evaluate(x, y, sample_weight=w, batch_size=4, verbose=0, return_dict=True)
        assert logs["weighted_recall"] == pytest.approx(expected(metrics.Recall, y, p, 0.5, w), rel=1e-6)
        assert logs["false_positives"] == counts(y, p, 0.5)[1]
        assert logs["f1_score"].shape == (3,)
        histories.append(kept)
    for name, values in histories[0].items():
        np.testing.assert_array_equal(values, histories[1][name], err_msg=name)


def test_an_update_needs_no_table_of_all_predictions_and_thresholds():
    y, p = rng.integers(0, 2, 1 << 14), tensor(rng.random(1 << 14, np.float32))
    metric = metrics.AUC()
    recording = backend.current_twin().Recording()
    recording.begin()
    try:
        metric.update_state(y, p)
    finally:
        recording.end()
    assert not recording.poisoned
    assert recording.bytes < 100 * p.size  # and not 200, a byte for each threshold
    assert float(metric.result()) == pytest.approx(0.5, abs=0.05)
