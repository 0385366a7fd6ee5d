"""The data that the seed documents leave undefined, and the options of every example here.

``--quick`` takes a few rows only, ``--seed 3`` other random numbers. The environment variable DLBD_TEST_DATA names a
folder with MNIST's test images (mnist10k/), hourly readings of an electricity transformer (ett/ETTh1.csv) and sentences
of film reviews (polarity/). Without it images are scikit-learn's digits and the rest is made up; each function says so.
The penguins lie here.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import dlbd

_parser = argparse.ArgumentParser()
_parser.add_argument("--quick", action="store_true", help="a few rows and epochs: to see that it runs")
_parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
_options = _parser.parse_args()
QUICK, SEED = _options.quick, _options.seed
PICTURES = Path("build", "seeds")  # where examples draw
dlbd.utils.set_random_seed(SEED)

Rows = tuple[np.ndarray, np.ndarray]  # inputs and labels


def _file(name: str) -> Path | None:
    path = Path(os.environ.get("DLBD_TEST_DATA", ""), name)
    return path if path.is_file() else None


def _say(what: str) -> None:
    print(f"data: {what}{', a few rows of it' if QUICK else ''}")


# Images


def digits() -> tuple[Rows, Rows]:
    """Handwritten digits to train and to test with: images (N, 28, 28, 1) in [0, 1], labels (N,) from 0 to 9."""
    path = _file("mnist10k/t10k-images-idx3-ubyte.gz")
    if path is not None:
        _say("MNIST, the first 8,000 of the 10,000 test images to train with, the last 2,000 to test")
        images = dlbd.datasets.load_idx(path)[..., None] / np.float32(255)
        labels = dlbd.datasets.load_idx(path.with_name("t10k-labels-idx1-ubyte.gz"))
    else:
        _say("scikit-learn's 8x8 digits, enlarged to 28x28 (DLBD_TEST_DATA has no MNIST)")
        images, labels = dlbd.datasets.load_digits()
        images = np.pad(images.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))[..., None]
        order = np.random.default_rng(0).permutation(len(labels))
        images, labels = images[order], labels[order]
    train, test = np.split(np.arange(len(labels)), [len(labels) * 4 // 5])
    if QUICK:
        train, test = train[:256], test[:128]
    return (images[train], labels[train]), (images[test], labels[test])


# Readings of a transformer

MONTH = 30 * 24  # hours
TRAIN, VALIDATION, TEST = (0, 12 * MONTH), (12 * MONTH, 16 * MONTH), (16 * MONTH, 20 * MONTH)
OIL = 6  # the column of the oil temperature


def readings() -> tuple[np.ndarray, np.ndarray]:
    """Six loads and the oil temperature by the hour, (N, 7); hour, weekday and day of the year in [0, 1], (N, 3)."""
    path = _file("ett/ETTh1.csv")
    if path is not None:
        _say("ETTh1, hourly loads and oil temperature of a transformer")
        table = np.loadtxt(path, str, delimiter=",", skiprows=1)
        time, values = table[:, 0].astype("datetime64[h]"), table[:, 1:].astype(np.float64)
    else:
        _say("made-up hours with daily, weekly and yearly waves (DLBD_TEST_DATA has no ETTh1.csv)")
        rng = np.random.default_rng(0)
        time = np.datetime64("2016-07-01T00") + np.arange(20 * MONTH)
        turns = 2 * np.pi * np.arange(20 * MONTH)[:, None] / (24, 7 * 24, 365 * 24)
        noise = rng.standard_normal((20 * MONTH, 7))
        for t in range(1, 20 * MONTH):  # the weather of an hour ago still counts
            noise[t] += 0.95 * noise[t - 1]
        values = 15 + np.sin(turns + np.arange(3)) @ rng.uniform(1, 5, (3, 7)) + 0.5 * noise
    day = time.astype("datetime64[D]")
    year = time.astype("datetime64[Y]").astype("datetime64[D]")
    calendar = [(time - day).astype(int) / 23, (day.astype(int) + 3) % 7 / 6, (day - year).astype(int) / 365]
    return values, np.stack(calendar, axis=1)


def windows(columns: np.ndarray, last: np.ndarray, length: int) -> np.ndarray:
    """Of each hour in ``last`` the ``length`` hours up to it, less their own mean: (N, length, columns)."""
    found = columns[last[:, None] + np.arange(1 - length, 1)]
    return (found - found.mean(axis=1, keepdims=True)).astype(np.float32)


def forecasts(every: int = 1, length: int = 96, ahead: int = 24) -> list[Rows]:
    """What the change of the oil temperature over the next day is to be told from, for training, validation and test.

    Twelve, four and four months in order. Inputs (N, length, 10), a window for each ``every``-th hour; labels (N, 1).
    """
    values, calendar = readings()
    columns = np.concatenate([values, calendar], axis=1)
    oil = values[:, OIL]
    parts = []
    for first, stop in (TRAIN, VALIDATION, TEST):
        last = np.arange(max(first - ahead, length - 1), stop - ahead, every)  # the hours foretold lie in the part
        last = last[:64] if QUICK else last
        change = oil[last + ahead] - oil[last]
        parts.append((windows(columns, last, length), change[:, None].astype(np.float32)))
    return parts


def gaps(length: int = 48) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two days in which a third of the oil temperatures are lost: which of ten bands is each hour's in?

    For training and test, a window a day: inputs (N, length, 10) in units of their deviation, 0 for what is lost;
    labels (N, length, 10), 1 for the band of the hour; where it was lost, (N, length) of bool.
    """
    values, calendar = readings()
    columns = np.concatenate([values, calendar], axis=1)
    rng = np.random.default_rng(0)
    parts, bands = [], None
    for first, stop in (TRAIN, TEST):
        last = np.arange(first + length - 1, stop, 24)
        x = windows(columns, last[:32] if QUICK else last, length)
        # Ten columns of deviation 1 have products of about 10; their fourth root brings the scores of attention to 3.
        x /= (x.std(axis=1, keepdims=True) + 1e-6) * 10**0.25
        oil = x[..., OIL].copy()
        bands = np.quantile(oil, np.arange(1, 10) / 10) if bands is None else bands  # equally full in training
        lost = rng.random(oil.shape) < 1 / 3
        x[..., OIL][lost] = 0
        parts.append((x, np.eye(10, dtype=np.float32)[np.digitize(oil, bands)], lost))
    return parts


def points() -> tuple[Rows, Rows]:
    """Hour of the day and change of the oil temperature in the last hour, (N, 2); whether it rises in three hours."""
    values, calendar = readings()
    oil = values[:, OIL]

    def rows(first: int, stop: int) -> Rows:
        now = np.arange(first + 1, min(stop, first + 256) if QUICK else stop - 3)
        x = np.stack([2 * calendar[now, 0] - 1, oil[now] - oil[now - 1]], axis=1)
        return x.astype(np.float32), (oil[now + 3] > oil[now]).astype(np.int64)

    return rows(*TRAIN), rows(*TEST)


# Text


def sentences() -> tuple[Rows, Rows]:
    """Sentences of film reviews, and whether they praise (1) or not (0); a tenth is held out for the test."""
    positive, negative = _file("polarity/rt-polarity.pos"), _file("polarity/rt-polarity.neg")
    if positive is not None and negative is not None:
        _say("polarity, 10,662 sentences of film reviews")
        praise, blame = (path.read_text("latin-1").strip("\n").split("\n") for path in (positive, negative))
    else:
        _say("made-up sentences (DLBD_TEST_DATA has no polarity)")
        rng = np.random.default_rng(0)
        words = np.array([f"word{i}" for i in range(1000)])  # each side prefers half of them, two to one

        def speak(likely: np.ndarray) -> list[str]:
            return [" ".join(rng.choice(words, 20, p=likely / likely.sum())) for _ in range(5000)]

        praise, blame = speak(np.repeat([2, 1], 500)), speak(np.repeat([1, 2], 500))
    text = np.array(praise + blame)
    labels = np.repeat([1, 0], [len(praise), len(blame)])
    order = np.random.default_rng(0).permutation(len(text))
    test, train = np.split(order, [len(text) // 10])
    if QUICK:
        train, test = train[:512], test[:128]
    return (text[train], labels[train]), (text[test], labels[test])


# A table


def penguins() -> Path:
    """A CSV file: species, island, measures, sex and year of 344 penguins; 11 of them have gaps, which it calls NA.

    Gorman, Williams and Fraser, PLoS ONE 9(3), 2014; in the public domain (CC0).
    """
    print("data: 344 penguins of the Palmer Archipelago, measured from 2007 to 2009")
    return Path(__file__).with_name("penguins.csv")
