"""dlbd.sklearn: scikit-learn's own checks, and what its users do with an estimator."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import dlbd
from dlbd import layers
from dlbd.sklearn import Classifier, Regressor


def mlp(n_features_in_, n_classes_, units=16):
    return dlbd.Sequential(
        [dlbd.Input((n_features_in_,)), layers.Dense(units, "relu"), layers.Dense(n_classes_, "softmax")]
    )


def mlp_of_numbers(n_features_in_, n_outputs_, units=16):
    return dlbd.Sequential([dlbd.Input((n_features_in_,)), layers.Dense(units, "relu"), layers.Dense(n_outputs_)])


def conv1d(n_features_in_, n_classes_):
    """Features in a row as a signal of one channel."""
    return dlbd.Sequential(
        [
            dlbd.Input((n_features_in_,)),
            layers.Reshape((n_features_in_, 1)),
            layers.Conv1D(8, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(n_classes_, "softmax"),
        ]
    )


def conv1d_of_numbers(n_features_in_, n_outputs_):
    return dlbd.Sequential(
        [
            dlbd.Input((n_features_in_,)),
            layers.Reshape((n_features_in_, 1)),
            layers.Conv1D(8, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(n_outputs_),
        ]
    )


_BATCHES = "a batch of repeated rows is another batch than one of weighted rows: gradient descent takes other steps"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": _BATCHES,
    "check_sample_weight_equivalence_on_sparse_data": _BATCHES,
}
QUICK = {"optimizer": dlbd.optimizers.Adam(0.05), "epochs": 40, "random_state": 0}
ESTIMATORS = [
    Classifier(mlp, **QUICK),
    Classifier(conv1d, **QUICK),
    Regressor(mlp_of_numbers, **QUICK),
    Regressor(conv1d_of_numbers, **QUICK),
]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_a_pipeline_in_cross_validation():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    pipeline = make_pipeline(StandardScaler(), Classifier(mlp, **QUICK))
    found = cross_validate(pipeline, x, names, cv=3, scoring=["accuracy", "roc_auc_ovr"])
    assert found["test_accuracy"].mean() > 0.9
    assert found["test_roc_auc_ovr"].mean() > 0.97
    assert set(pipeline.fit(x, names).predict(x[:60:7])) <= set(names)


def test_a_grid_over_the_builders_arguments():
    x, y = load_iris(return_X_y=True)
    grid = GridSearchCV(Classifier(mlp, **QUICK), {"model_kwargs__units": [1, 16], "epochs": [20]}, cv=2)
    grid.fit(StandardScaler().fit_transform(x), y)
    assert grid.best_params_ == {"epochs": 20, "model_kwargs__units": 16}
    assert grid.best_estimator_.model_.layers[0].units == 16


def test_images_and_a_compiled_model():
    digits = load_digits()
    x, y = digits.images[:400, :, :, None] / 16, digits.target[:400]
    model = dlbd.Sequential(
        [dlbd.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(10, "softmax")]
    )
    model.compile(dlbd.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = model.get_weights()
    classifier = Classifier(model, epochs=8, random_state=0, fit_kwargs={"validation_split": 0.25})
    again = clone(classifier).fit(x, y)
    classifier.fit(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert classifier.score(x, y) > 0.9
    assert len(classifier.history_.history["val_accuracy"]) == classifier.n_iter_ == 8
    np.testing.assert_array_equal(again.predict_proba(x), classifier.predict_proba(x))


def test_two_classes_by_one_number():
    def build():
        return dlbd.Sequential([dlbd.Input((2,)), layers.Dense(1, "sigmoid")])

    x = np.random.default_rng(0).standard_normal((80, 2))
    y = np.where(x[:, 0] > 0, "yes", "no")
    classifier = Classifier(build, **QUICK).fit(x, y)
    assert classifier.classes_.tolist() == ["no", "yes"]
    assert classifier.score(x, y) > 0.95
    np.testing.assert_allclose(classifier.predict_proba(x).sum(axis=1), 1, rtol=1e-6)


def test_several_numbers():
    x = np.random.default_rng(0).standard_normal((60, 3))
    y = x @ np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    regressor = Regressor(mlp_of_numbers, **QUICK).fit(x, y)
    assert regressor.predict(x).shape == (60, 2)
    assert regressor.score(x, y) > 0.95


def test_seeds():
    """The same seed, the same model; and the process's own stream of numbers goes on as if there had been no fit."""
    x, y = load_iris(return_X_y=True)
    dlbd.utils.set_random_seed(3)
    wanted = dlbd.random.next_seed()
    dlbd.utils.set_random_seed(3)
    first = Classifier(mlp, random_state=1, epochs=2).fit(x, y)
    assert dlbd.random.next_seed() == wanted
    second, other = (Classifier(mlp, random_state=seed, epochs=2).fit(x, y) for seed in (1, 2))
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))
    assert not np.array_equal(first.predict_proba(x), other.predict_proba(x))


def test_weights_of_samples():
    x, y = np.zeros((40, 1)), np.repeat([0, 1], 20)
    weights = np.where(y == 1, 3.0, 1.0)
    probabilities = Classifier(mlp, **QUICK).fit(x, y, sample_weight=weights).predict_proba(x[:1])[0]
    np.testing.assert_allclose(probabilities, [0.25, 0.75], atol=0.02)


def test_warm_start_and_pickle():
    x, y = load_iris(return_X_y=True)
    classifier = Classifier(mlp, epochs=3, random_state=0, warm_start=True).fit(x, y)
    model = classifier.model_
    assert classifier.fit(x, y).model_ is model
    assert int(model.optimizer.iterations) == 2 * 3 * 5
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict(x), classifier.predict(x))


@pytest.mark.parametrize(
    ("estimator", "y", "error", "message"),
    [
        (Classifier("mlp"), [0, 1], TypeError, "function that builds one; received 'mlp'"),
        (Classifier(lambda: 3), [0, 1], TypeError, "gave int, which is no Model"),
        (Classifier(mlp), ["a", "a"], ValueError, "at least two classes"),
        (Classifier(mlp, model_kwargs={"n_classes_": 3}), [0, 1], TypeError, "multiple values"),
        (Classifier(lambda: dlbd.Sequential([layers.Dense(5)])), [0, 1], ValueError, "5 numbers for 2 classes"),
        (Regressor(lambda: dlbd.Sequential([layers.Dense(5)])), [0, 1], ValueError, "5 numbers for 1 in each row"),
        (Classifier(dlbd.Sequential([layers.Dense(2)]), model_kwargs={"a": 1}), [0, 1], ValueError, "model_kwargs are"),
    ],
)
def test_what_cannot_be_fitted(estimator, y, error, message: str):
    with pytest.raises(error, match=message):
        estimator.fit([[1.0], [2.0]], y)
