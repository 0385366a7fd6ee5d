"""Ranked columns: against NumPy and scikit-learn over all rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.feature_selection import f_classif, mutual_info_classif, mutual_info_regression

import dlbd
from dlbd.data import Source, Target, rank_features

ROWS = 5_000


@pytest.fixture(scope="module")
def columns() -> dict:
    rng = np.random.default_rng(0)
    strong, weak, noise = rng.standard_normal((3, ROWS)) * [[1], [5], [0.1]]
    y = strong + weak / 20 + rng.standard_normal(ROWS) / 2
    return {
        "noise": noise + 1e6,
        "weak": weak,
        "strong": strong,
        "constant": np.ones(ROWS),
        "kind": np.where(y + rng.standard_normal(ROWS) > 0, "a", "b").tolist(),
        "y": y,
        "three": np.digitize(y, [-1, 1]),
        "two": (y > 0).tolist(),
    }


def source(columns: dict, *names: str) -> Source:
    return dlbd.data.open({name: columns[name] for name in names})


def test_variance(columns: dict):
    ranking = rank_features(source(columns, "noise", "weak", "strong", "constant", "kind"), by="variance")
    assert list(ranking.scores) == ["weak", "strong", "noise", "constant"]
    for name, score in ranking.scores.items():
        np.testing.assert_allclose(score, columns[name].var(), rtol=1e-6, atol=1e-12)
    assert ranking.skipped == {"kind": "no number (string)"}
    assert ranking.best(2) == ["weak", "strong"]


def test_correlation_with_a_number(columns: dict):
    ranking = rank_features(source(columns, "noise", "weak", "strong", "constant", "y"), "y", by="correlation")
    assert list(ranking.scores) == ["strong", "weak", "noise", "constant"]
    for name in ("strong", "weak", "noise"):
        right = abs(np.corrcoef(columns[name], columns["y"])[0, 1])
        np.testing.assert_allclose(ranking.scores[name], right, rtol=1e-6)
    assert ranking.scores["constant"] == 0


def test_correlation_with_classes(columns: dict):
    ranking = rank_features(source(columns, "strong", "weak", "two"), "two", by="correlation")
    for name in ("strong", "weak"):
        right = abs(np.corrcoef(columns[name], columns["two"])[0, 1])
        np.testing.assert_allclose(ranking.scores[name], right, rtol=1e-9)
    ranking = rank_features(source(columns, "strong", "weak", "three"), "three", by="correlation")
    for name in ("strong", "weak"):
        ((f,), _) = f_classif(columns[name][:, None], columns["three"])
        right = np.sqrt(2 * f / (2 * f + ROWS - 3))  # the ratio of an analysis of variance of 3 groups
        np.testing.assert_allclose(ranking.scores[name], right, rtol=1e-9)


def test_missing_values_do_not_count(columns: dict):
    absent = np.arange(ROWS) % 7 == 0
    table = {
        "x": pa.array(columns["strong"], mask=absent),
        "y": pa.array(columns["y"], mask=np.arange(ROWS) % 5 == 0),
        "none": pa.array([None] * ROWS, pa.float64()),
    }
    there = ~absent & (np.arange(ROWS) % 5 != 0)
    ranking = rank_features(dlbd.data.open(table), "y", by="correlation")
    np.testing.assert_allclose(
        ranking.scores["x"], np.corrcoef(columns["strong"][there], columns["y"][there])[0, 1], rtol=1e-9
    )
    assert rank_features(dlbd.data.open(table), "y", by="variance").skipped == {"none": "no values"}
    assert rank_features(dlbd.data.open(table), "y").skipped == {"none": "no values"}


def test_information_gain_is_scikit_learns(columns: dict):
    ranking = rank_features(source(columns, "noise", "strong", "kind", "three"), "three")
    right = mutual_info_classif(columns["strong"][:, None], columns["three"], random_state=0)[0] / np.log(2)
    assert ranking.scores["strong"] == pytest.approx(right)
    assert ranking.best(1) == ["strong"]
    assert list(ranking.scores)[-1] == "noise"
    assert ranking.how == "in bits, by scikit-learn, from all 5,000 rows"
    ranking = rank_features(source(columns, "strong", "y"), "y")
    right = mutual_info_regression(columns["strong"][:, None], columns["y"], random_state=0)[0] / np.log(2)
    assert ranking.scores["strong"] == pytest.approx(right)


def test_information_gain_of_a_category_is_the_entropy_that_it_takes_away():
    rows = dlbd.data.open({"same": list("aabb") * 50, "other": list("abab") * 50, "y": list("xxyy") * 50})
    ranking = rank_features(rows, "y")
    assert ranking.scores["same"] == pytest.approx(1)  # bit
    assert ranking.scores["other"] == pytest.approx(0, abs=1e-9)


def test_many_rows_are_sampled_alike_however_they_come(columns: dict):
    table = pa.table({name: columns[name] for name in ("strong", "noise", "three")})
    found = [
        rank_features(dlbd.data.open(pa.Table.from_batches(table.to_batches(max_chunksize=rows))), "three", sample=800)
        for rows in (77, 5_000)
    ]
    assert found[0] == found[1]
    assert found[0].how == "in bits, by scikit-learn, from a sample of 800 of 5,000 rows"
    assert found[0].best(1) == ["strong"]
    whole = rank_features(dlbd.data.open(table), "three")
    assert found[0].scores["strong"] == pytest.approx(whole.scores["strong"], abs=0.15)


def test_as_a_table(columns: dict):
    text = repr(rank_features(source(columns, "strong", "kind", "two"), "two", by="correlation"))
    assert text.splitlines()[0].split() == ["rank", "column", "correlation"]
    assert text.splitlines()[1].split()[:2] == ["1", "strong"]
    assert "no number (string)" in text
    assert "from all 5,000 rows, in one pass" in text


def test_errors(columns: dict):
    rows = source(columns, "strong", "two")
    with pytest.raises(ValueError, match="by"):
        rank_features(rows, "two", by="chi2")
    with pytest.raises(ValueError, match="pass target="):
        rank_features(rows)
    with pytest.raises(ValueError, match="no column 'y'"):
        rank_features(rows, Target("y"))


def test_columns_of_which_nothing_can_be_said():
    rng = np.random.default_rng(0)
    x = rng.random(100)
    names = [f"name {i}" for i in range(100)]
    ranking = rank_features(dlbd.data.open({"name": names, "x": x, "y": x + rng.random(100) / 9}), "y")
    assert ranking.best(2) == ["x"]
    assert ranking.skipped == {"name": "all values are different"}
    few = rank_features(dlbd.data.open({"x": [1.0, 2.0, 3.0, None], "y": [1.0, 2.0, 5.0, 9.0]}), "y")
    assert few.skipped == {"x": "too few values"}
    assert rank_features(dlbd.data.open({"x": x[:6], "y": list("abcdef")}), "y").skipped == {"x": "too few values"}
    assert rank_features(dlbd.data.open({"name": names}), by="variance").skipped == {"name": "no number (string)"}


@pytest.mark.parametrize("by", ["variance", "correlation"])
def test_numbers_that_are_too_large_to_be_ranked(by: str):
    columns = {"x": [1e300, -1e300, 3.0, 4.0], "z": [1.0, 2.0, 3.0, 5.0]}
    for y in ([1.0, 2.0, 3.0, 9.0], ["a", "b", "a", "b"]):
        ranking = rank_features(dlbd.data.open(columns | {"y": y}).select(["x", "z", "y"]), "y", by=by)
        assert list(ranking.scores) == ["z"]
        assert ranking.skipped == {"x": "numbers too large"}
    scaled = dlbd.data.open({"x": np.array(columns["z"]) * 1e150, "y": [1e9 + 0.1, 1e9 + 0.2, 1e9 + 0.3, 1e9 + 0.9]})
    wanted = abs(np.corrcoef(columns["z"], [1, 2, 3, 9])[0, 1])
    assert rank_features(scaled, "y", by="correlation").scores["x"] == pytest.approx(wanted, rel=1e-6)
