"""What data.py gives the examples: real data where DLBD_TEST_DATA names it, its stand-ins elsewhere."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlbd

SEEDS = Path(__file__).parents[2] / "examples" / "seeds"
REAL = os.environ.get("DLBD_TEST_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="DLBD_TEST_DATA names no folder with data")


@pytest.fixture
def load(monkeypatch):
    """The functions of data.py, on real data or without."""
    before = dlbd.random.get_state()

    def loaded(real: bool, *options: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["example", *options])
        monkeypatch.setenv("DLBD_TEST_DATA", REAL if real and REAL else "")
        return runpy.run_path(str(SEEDS / "data.py"))

    yield loaded
    dlbd.random.set_state(before)


def check_rows(x: np.ndarray, y: np.ndarray, shape: tuple[int, ...]):
    assert len(x) == len(y) > 0
    assert x.shape[1:] == shape
    assert x.dtype == np.float32
    assert np.isfinite(x).all()


def check_digits(train: Any, test: Any):
    for images, labels in (train, test):
        check_rows(images, labels, (28, 28, 1))
        assert images.min() == 0
        assert images.max() == 1
        assert set(labels) == set(range(10))
    assert not {image.tobytes() for image in train[0]} & {image.tobytes() for image in test[0]}


@needs_data
def test_digits_are_mnist(load, capsys):
    (x, y), (x_test, y_test) = load(True)["digits"]()
    assert (len(x), len(x_test)) == (8000, 2000)
    check_digits((x, y), (x_test, y_test))
    assert y[:5].tolist() == [7, 2, 1, 0, 4]
    assert "MNIST" in capsys.readouterr().out


def test_digits_without_data_are_scikit_learns(load, capsys):
    train, test = load(False)["digits"]()
    assert (len(train[0]), len(test[0])) == (1437, 360)
    check_digits(train, test)
    assert "scikit-learn's 8x8 digits" in capsys.readouterr().out


@needs_data
def test_readings_are_etth1(load, capsys):
    values, calendar = load(True)["readings"]()
    assert values.shape == (17420, 7)
    assert values[0, 6] == pytest.approx(30.531)
    np.testing.assert_allclose(calendar[0], [0, 4 / 6, 182 / 365])  # Friday, 2016-07-01: the 183rd day of a leap year
    np.testing.assert_allclose(calendar[23], [1, 4 / 6, 182 / 365])
    assert "ETTh1" in capsys.readouterr().out


def test_readings_without_data_are_made_up_and_say_so(load, capsys):
    functions = load(False)
    values, calendar = functions["readings"]()
    assert values.shape == (functions["TEST"][1], 7)
    assert calendar.min() == 0
    assert calendar.max() == 1
    np.testing.assert_array_equal(values, functions["readings"]()[0])
    assert "made-up" in capsys.readouterr().out


def test_forecasts_are_in_order_and_know_nothing_of_what_they_foretell(load):
    functions = load(False)
    values, _ = functions["readings"]()
    oil = values[:, 6]
    parts = functions["forecasts"]()
    for (x, y), (first, stop) in zip(parts, [functions[p] for p in ("TRAIN", "VALIDATION", "TEST")], strict=True):
        check_rows(x, y, (96, 10))
        np.testing.assert_allclose(x.mean(axis=1), 0, atol=1e-4)
        last = stop - 24 - 1  # the last window ends a day before the part does
        assert y[-1, 0] == pytest.approx(oil[last + 24] - oil[last], abs=1e-5)
        window = values[last - 95 : last + 1]
        np.testing.assert_allclose(x[-1, :, :7], window - window.mean(axis=0), atol=1e-4)
        assert len(x) == (stop - first if first else stop - 24 - 95)
    every_day = functions["forecasts"](every=24)
    np.testing.assert_array_equal(every_day[0][0][1], parts[0][0][24])


@needs_data
def test_persistence_on_etth1_has_its_known_error(load):
    test = load(True)["forecasts"]()[2]
    assert np.mean(test[1] ** 2) == pytest.approx(3.86, abs=0.005)


def test_gaps_hide_a_third_and_fill_the_bands_equally(load):
    (x, y, lost), (x_test, y_test, lost_test) = load(False)["gaps"]()
    for inputs, labels, hidden in ((x, y, lost), (x_test, y_test, lost_test)):
        check_rows(inputs, labels, (48, 10))
        np.testing.assert_array_equal(labels.sum(axis=-1), 1)
        assert (inputs[..., 6][hidden] == 0).all()
        assert hidden.mean() == pytest.approx(1 / 3, abs=0.02)
    np.testing.assert_allclose(y.mean(axis=(0, 1)), 0.1, atol=0.001)


def test_points_tell_of_the_three_hours_to_come(load):
    functions = load(False)
    values, calendar = functions["readings"]()
    (x, y), test = functions["points"]()
    check_rows(x, y, (2,))
    check_rows(*test, (2,))
    now = 1 + 100
    np.testing.assert_allclose(x[100], [2 * calendar[now, 0] - 1, values[now, 6] - values[now - 1, 6]], rtol=1e-5)
    assert y[100] == (values[now + 3, 6] > values[now, 6])


@needs_data
def test_sentences_are_the_reviews(load, capsys):
    (x, y), (x_test, y_test) = load(True)["sentences"]()
    assert (len(x), len(x_test)) == (9596, 1066)
    assert y.sum() + y_test.sum() == 5331
    assert "polarity" in capsys.readouterr().out


def test_sentences_without_data_are_made_up_and_say_so(load, capsys):
    (x, y), (x_test, _) = load(False)["sentences"]()
    assert (len(x), len(x_test)) == (9000, 1000)
    assert y.mean() == pytest.approx(0.5, abs=0.02)
    assert "made-up" in capsys.readouterr().out


def test_quick_is_a_few_rows_and_says_so(load, capsys):
    functions = load(False, "--quick")
    for train in (functions["digits"]()[0], functions["forecasts"]()[0], functions["sentences"]()[0]):
        assert len(train[0]) <= 512
    assert capsys.readouterr().out.count("a few rows of it") == 3


def test_seed_seeds_everything(load):
    def drawn(*options: str) -> tuple[float, float]:
        load(False, *options)
        return float(dlbd.random.uniform(())), float(np.random.rand())  # noqa: NPY002

    assert drawn("--seed", "3") == drawn("--seed", "3") != drawn()
