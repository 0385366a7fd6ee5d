"""F scores, R2, correlations and the accuracies as functions, against NumPy."""

import numpy as np
import pytest

import dlbd
from dlbd import losses, metrics

from ..arrays import tensor

rng = np.random.default_rng(0)
EPS = 1e-7


def f_score(y, said, w, beta, average):
    w = np.ones(len(y)) if w is None else w
    both, positive, true = ((part * w[:, None]).sum(0) for part in (y * said, said, y))
    if average == "micro":
        both, positive, true = both.sum(), positive.sum(), true.sum()
    precision, recall = both / (positive + EPS), both / (true + EPS)
    score = (1 + beta**2) * precision * recall / (beta**2 * precision + recall + EPS)
    if average == "weighted":
        return (score * true).sum() / true.sum()
    return score if average is None else score.mean()


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("threshold", [None, 0.4])
@pytest.mark.parametrize("weighted", [False, True])
def test_f_scores(average, threshold, weighted):
    batches = [(rng.integers(0, 2, (n, 4)), rng.random((n, 4), np.float32), rng.random(n)) for n in (7, 1, 20)]
    made = {metrics.F1Score(average, threshold): 1.0, metrics.FBetaScore(average, 2.5, threshold): 2.5}
    y, p, w = (np.concatenate([b[i] for b in batches]) for i in range(3))
    said = p == p.max(-1, keepdims=True) if threshold is None else p > threshold
    for metric, beta in made.items():
        for batch in batches:
            metric.update_state(*batch[: 3 if weighted else 2])
        expected = f_score(y, said, w if weighted else None, beta, average)
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_f_score_of_soft_labels_and_of_zeros():
    y, p = rng.random((9, 3)).astype(np.float32), rng.random((9, 3), np.float32)
    expected = f_score(y, p == p.max(-1, keepdims=True), None, 1.0, None)
    np.testing.assert_allclose(metrics.F1Score()(y, p), expected, rtol=1e-5)
    np.testing.assert_array_equal(
        metrics.F1Score()([[1, 0]], [[0.0, 0.0]]), [0, 0]
    )  # no prediction at all, as in Keras
    assert float(metrics.F1Score("macro").result()) == 0.0


def r2(y, p, w, aggregation):
    w = np.ones(len(y)) if w is None else w
    mean = np.average(y, axis=0, weights=w)
    total = (w[:, None] * (y - mean) ** 2).sum(0)
    scores = 1 - (w[:, None] * (y - p) ** 2).sum(0) / total
    if aggregation is None:
        return scores
    return np.average(scores, weights=None if aggregation == "uniform_average" else total)


@pytest.mark.parametrize("aggregation", [None, "uniform_average", "variance_weighted_average"])
@pytest.mark.parametrize("weighted", [False, True])
def test_r2(aggregation, weighted):
    batches = [(rng.normal(3, 1, (n, 2)), rng.normal(3, 1, (n, 2)), rng.random(n)) for n in (6, 1, 9)]
    metric = metrics.R2Score(aggregation)
    for batch in batches:
        metric.update_state(*batch[: 3 if weighted else 2])
    y, p, w = (np.concatenate([b[i] for b in batches]) for i in range(3))
    np.testing.assert_allclose(metric.result(), r2(y, p, w if weighted else None, aggregation), rtol=1e-5)


def test_r2_keeps_its_digits_far_from_zero():
    y = (1e4 + rng.normal(0, 1, (1000, 1))).astype(np.float32)
    p = (y + rng.normal(0, 0.5, y.shape)).astype(np.float32)
    exact = [a.astype(np.float64) for a in (y, p)]
    assert float(metrics.R2Score()(y, p)) == pytest.approx(r2(*exact, None, "uniform_average"), rel=1e-6)


def test_adjusted_r2():
    y, p = rng.normal(size=(15, 1)), rng.normal(size=(15, 1))
    plain = r2(y, p, None, "uniform_average")
    metric = metrics.R2Score(num_regressors=3)
    metric.update_state(y[:10], p[:10])
    assert float(metric(y[10:], p[10:])) == pytest.approx(1 - (1 - plain) * 14 / 11, rel=1e-5)
    few = metrics.R2Score(num_regressors=14)
    few.update_state(y, p)
    with pytest.warns(UserWarning, match="15 samples are too few to adjust for 14 regressors"):
        assert float(few.result()) == pytest.approx(plain, rel=1e-5)


def test_r2_of_labels_that_are_all_alike():
    y = np.full((5, 2), 0.1)
    p = np.add(y, [[0.0, 1.0]])
    np.testing.assert_array_equal(metrics.R2Score(None)(y, p), [1, 0])
    assert float(metrics.R2Score().result()) == 0.0
    assert float(metrics.R2Score()(np.zeros((0, 2)), np.zeros((0, 2)))) == 0.0


def test_correlations():
    y, p = rng.normal(size=(6, 9)), rng.normal(1, 2, (6, 9))
    pearson = [np.corrcoef(a, b)[0, 1] for a, b in zip(y, p, strict=True)]
    np.testing.assert_allclose(metrics.pearson_correlation(y, p), pearson, rtol=1e-5, atol=1e-6)
    assert float(metrics.PearsonCorrelation()(y, p)) == pytest.approx(np.mean(pearson), abs=1e-6)
    covariance = [np.cov(a, b, bias=True)[0, 1] for a, b in zip(y, p, strict=True)]
    concordance = 2 * np.array(covariance) / (y.var(1) + p.var(1) + (y.mean(1) - p.mean(1)) ** 2)
    np.testing.assert_allclose(metrics.concordance_correlation(y.T, p.T, axis=0), concordance, rtol=1e-5, atol=1e-6)
    assert float(metrics.ConcordanceCorrelation()(y, p)) == pytest.approx(concordance.mean(), abs=1e-6)


def test_cosine_similarity_and_categorical_hinge():
    y, p, w = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.random(5)
    cosine = (y * p).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(p, axis=-1)
    assert float(metrics.CosineSimilarity()(y, p, w)) == pytest.approx(np.average(cosine, weights=w), rel=1e-5)
    assert float(metrics.CosineSimilarity(axis=0)(y.T, p.T)) == pytest.approx(cosine.mean(), rel=1e-5)
    t = np.eye(4)[[0, 1, 2, 3, 0]]
    hinge = np.maximum(((1 - t) * p).max(-1) - (t * p).sum(-1) + 1, 0)
    assert float(metrics.CategoricalHinge()(t, p, w)) == pytest.approx(np.average(hinge, weights=w), rel=1e-5)


def test_sorted_class_numbers():
    y, ids = np.array([3, 0, 2, 1]), np.array([[1, 3, 2, 0]] * 4)
    metric = metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True)
    assert float(metric(y, ids, [1, 1, 1, 2])) == pytest.approx(3 / 5)
    assert metrics.get(metrics.serialize(metric)).from_sorted_ids


def test_accuracies_as_functions():
    y, p = rng.integers(0, 4, (3, 5)), rng.random((3, 5, 4), np.float32)
    one_hot = np.eye(4)[y]
    rank = (p > np.take_along_axis(p, y[..., None], -1)).sum(-1)
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy(y, p), rank == 0)
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy(y[..., None], p), rank == 0)
    np.testing.assert_array_equal(metrics.categorical_accuracy(one_hot, p), rank == 0)
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy(y, p, 2), rank < 2)
    np.testing.assert_array_equal(metrics.top_k_categorical_accuracy(one_hot, p, 3), rank < 3)
    np.testing.assert_array_equal(metrics.binary_accuracy(one_hot, p, 0.3), one_hot == (p > 0.3))
    assert type(metrics.get(metrics.categorical_accuracy)) is metrics.CategoricalAccuracy


def test_vectors_of_predictions_count_one_by_one():
    metric = metrics.MeanSquaredError()
    metric.update_state([1.0, 2.0], [1.0, 4.0], [1.0, 3.0])
    assert float(metric.result()) == 3.0
    metric.update_state([1.0], [1.0])
    assert float(metric.result()) == pytest.approx(12 / 5)


def test_any_loss_is_a_metric():
    y, p = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    for metric in (metrics.get("huber"), metrics.get(losses.Huber()), metrics.LossMetric("huber", "huber")):
        again = metrics.get(metrics.serialize(metric))
        assert float(again(y, p)) == float(metric(y, p)) == pytest.approx(float(losses.Huber()(y, p)), rel=1e-6)
    assert metrics.get("huber").name == "huber"
    assert float(metrics.get(losses.cosine_similarity)(y, p)) == -float(metrics.get("cosine_similarity")(y, p))


def test_a_function_is_found_again_by_its_name():
    @dlbd.saving.register_keras_serializable(package="tests")
    def gap(y_true, y_pred, power=1):
        return dlbd.ops.mean(abs(dlbd.ops.subtract(y_true, y_pred)) ** power, axis=-1)

    for made in (metrics.MeanMetricWrapper(gap, power=3), metrics.MeanMetricWrapper(metrics.pearson_correlation)):
        again = metrics.deserialize(metrics.serialize(made))
        y, p = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
        assert float(again(y, p)) == float(made(y, p))
    with pytest.raises(ValueError, match=r"'nothing' is no function of dlbd\.metrics, and is not registered"):
        metrics.MeanMetricWrapper.from_config({"fn": "nothing"})


def test_all_names_of_keras_are_known():
    for cls in metrics._CLASSES:
        assert metrics._BY_NAME[cls.__name__] is cls
    for name in ("auc", "precision", "f1_score", "r2_score", "log_cosh_error", "top_k_categorical_accuracy", "MSE"):
        assert metrics.get(name).name == name
    for shapes, cls in [
        (((8, 1), (8, 1)), metrics.BinaryCrossentropy),
        (((8,), (8, 3)), metrics.SparseCategoricalCrossentropy),
        (((8, 3), (8, 3)), metrics.CategoricalCrossentropy),
    ]:
        assert type(metrics.get("crossentropy", *shapes)) is cls
        assert metrics.get("ce", *shapes).name == "ce"
    with pytest.raises(ValueError, match="nothing is named 'acuracy'; expected one of"):
        metrics.get("acuracy")


@pytest.mark.parametrize(
    "metric",
    [
        metrics.F1Score("macro", 0.3, "f"),
        metrics.FBetaScore("micro", 2.0),
        metrics.R2Score(None, 2),
        metrics.PearsonCorrelation(axis=0),
        metrics.CosineSimilarity("c", axis=1),
        metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        metrics.BinaryCrossentropy("b", None, True),
        metrics.SparseCategoricalCrossentropy(ignore_class=-1),
    ],
    ids=lambda m: m.name,
)
def test_configuration(metric):
    for again in (type(metric).from_config(metric.get_config()), metrics.get(metrics.serialize(metric))):
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.F1Score("mean"), "average must be one of"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta must be above 0; received 0.0"),
        (lambda: metrics.F1Score(threshold=0.0), r"threshold must lie in \(0, 1\]; received 0.0"),
        (lambda: metrics.F1Score()([0, 1], [[0.1, 0.2], [0.3, 0.4]]), r"\[f1_score\].*class numbers"),
        (
            lambda: metrics.F1Score()([0, 1], [0.1, 0.2]),
            r"predictions must be \(batch, classes\); received shape \(2,\)",
        ),
        (lambda: metrics.R2Score("mean"), "class_aggregation must be one of"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors must be 0 or more; received -1"),
        (lambda: metrics.R2Score()([0.0, 1.0], [0.0, 1.0]), r"predictions must be \(batch, outputs\)"),
        (lambda: metrics.pearson_correlation([1.0], [1.0, 2.0]), r"\[correlation\] y_true and y_pred"),
    ],
)
def test_errors_name_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_recorded_steps_count_like_eager_ones():
    x, y = rng.standard_normal((23, 5)).astype(np.float32), rng.standard_normal((23, 2)).astype(np.float32)
    histories = []
    for eager in (False, True):
        dlbd.utils.set_random_seed(0)
        model = dlbd.Sequential([dlbd.Input((5,)), dlbd.layers.Dense(2)])
        made = [metrics.R2Score(None), metrics.PearsonCorrelation(), "cosine_similarity", "huber", "r2_score"]
        model.compile("sgd", "half_squared_error", metrics=made, run_eagerly=eager)
        histories.append(model.fit(x, y, batch_size=5, epochs=3, verbose=0).history)
    for name, values in histories[0].items():
        np.testing.assert_array_equal(values, histories[1][name], err_msg=name)
    assert np.shape(histories[0]["r2_score"]) == (3, 2)


def test_tensors_of_the_device_are_taken_as_they_are():
    y, p = tensor(rng.random((4, 2)).astype(np.float32)), tensor(rng.random((4, 2)).astype(np.float32))
    assert float(metrics.R2Score()(y, p)) == pytest.approx(r2(y.numpy(), p.numpy(), None, "uniform_average"), rel=1e-4)
