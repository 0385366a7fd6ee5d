"""Cross-validation of models on sources."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dlbd
from dlbd import layers

ROWS = 600


def rows(**more: Any) -> dlbd.data.Source:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, 2)) * 10 + 100
    label = np.where(x[:, 0] > x[:, 1], "yes", "no")
    return dlbd.data.open({"a": x[:, 0], "b": x[:, 1], "patient": np.arange(ROWS) // 10, "label": label}, **more)


class Build:
    """Gives a new model at each call, and keeps them."""

    def __init__(self) -> None:
        self.models: list[Any] = []

    def __call__(self) -> dlbd.Sequential:
        dlbd.utils.set_random_seed(1)
        model = dlbd.Sequential([layers.Dense(2, activation="softmax")])
        model.compile(dlbd.optimizers.Adam(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.models.append(model)
        return model


def inputs(*columns: str) -> dlbd.data.Features:
    return dlbd.data.Features([dlbd.data.Number(name, scale="standard") for name in columns], "label")


def test_scores_are_those_of_each_fold():
    build, source = Build(), rows(columns=["a", "b", "label"])
    result = dlbd.data.cross_validate(build, source, 3, target="label", epochs=5, batch_size=20, shuffle=False)
    assert list(result.scores) == ["accuracy", "loss"]
    assert [len(values) for values in result.scores.values()] == [3, 3]
    assert result.mean["accuracy"] > 0.9
    train, held_out = source.k_folds(3)[1]
    model = Build()()
    model.fit(train, target="label", epochs=5, batch_size=20, shuffle=False, verbose=0)
    alone = model.evaluate(held_out, verbose=0, return_dict=True, batch_size=20)
    assert {name: values[1] for name, values in result.scores.items()} == alone


def test_features_learn_anew_from_the_rows_of_each_fold():
    source = rows()
    shared = inputs("a", "b")
    shared.adapt(dlbd.data.open({"a": [1e6, 0], "b": [0, 1e6], "label": ["never", "ever"]}))
    build = Build()
    dlbd.data.cross_validate(build, source, 3, target="label", features=shared, epochs=1)

    class WithFeatures(Build):
        def __call__(self) -> dlbd.Sequential:
            model = super().__call__()
            model.features = shared
            return model

    other = WithFeatures()
    dlbd.data.cross_validate(other, source, 3, target="label", epochs=1)
    for models in (build.models, other.models):
        for model, (train, held_out) in zip(models, source.k_folds(3), strict=True):
            expected = inputs("a", "b")
            expected.adapt(train)
            assert model.features is not shared
            assert model.features.classes == ["no", "yes"]
            for found, wanted in zip(model.features.to_numpy(held_out), expected.to_numpy(held_out), strict=True):
                np.testing.assert_equal(found, wanted)
    assert shared.classes == ["ever", "never"]


def test_equal_values_stay_in_one_fold():
    source, seen = rows(), []

    class Spy(dlbd.Sequential):
        def evaluate(self, x: Any = None, *arguments: Any, **named: Any) -> Any:
            seen.append(set(x.to_numpy()["patient"].tolist()))
            return super().evaluate(x, *arguments, **named)

    def build() -> Spy:
        model = Spy([layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    dlbd.data.cross_validate(build, source, 4, features=inputs("a"), by="patient", seed=3)
    assert sum(map(len, seen)) == len(set().union(*seen)) == ROWS // 10


def test_the_result_is_a_table():
    result = dlbd.data.CrossValidation({"accuracy": np.array([0.5, 0.75, 1.0]), "loss": np.array([3.0, 2.0, 1.0])})
    assert result.mean == {"accuracy": 0.75, "loss": 2.0}
    assert result.std == {"accuracy": 0.25, "loss": 1.0}
    assert repr(result).splitlines() == [
        "fold             1         2         3      mean       std",
        "accuracy       0.5      0.75         1      0.75      0.25",
        "loss             3         2         1         2         1",
    ]


def test_what_cannot_be_validated():
    model = Build()()
    with pytest.raises(ValueError, match="build gives the same model again"):
        dlbd.data.cross_validate(lambda: model, rows(), 2, features=inputs("a"))
    with pytest.raises(TypeError, match="build gives a compiled model; received None"):
        dlbd.data.cross_validate(lambda: None, rows(), 2, features=inputs("a"))
    source = dlbd.data.open({"x": [1.0, 2.0] * 10, "group": ["a", "b"] * 10, "label": [0, 1] * 10})
    with pytest.raises(ValueError, match=r"fold \d of 5 has no rows: .* has too few different values in 'group'"):
        dlbd.data.cross_validate(Build(), source, 5, target="label", by="group")
    with pytest.raises(ValueError, match="at least 2 folds"):
        dlbd.data.cross_validate(Build(), source, 1, target="label")
