"""What benchmarks/seeds_accuracy.py measured last, as it is committed, keeps what is promised of the examples."""

from __future__ import annotations

import json
import statistics

import pytest

from benchmarks.seeds_accuracy import CLAIMS, RESULTS, Claim, table

MEASURED = json.loads(RESULTS.read_text())


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.example}-{claim.what}")
def test_the_median_over_the_seeds_is_as_promised(claim: Claim):
    of_seeds = MEASURED[claim.example][claim.what]
    assert len(of_seeds) >= 5
    assert claim.holds(statistics.median(of_seeds))


def test_the_lstm_beats_persistence_in_its_median():
    errors = {what: statistics.median(of_seeds) for what, of_seeds in MEASURED["000_lstm"].items()}
    assert errors["ETTh1: squared error of the LSTM"] < errors["ETTh1: squared error of persistence"]


def test_the_table_is_that_of_the_figures():
    assert table(MEASURED) in RESULTS.with_suffix(".md").read_text()


def test_a_claim_is_kept_or_not():
    accuracy, ratio = Claim("", "", lambda _: 0.0, at_least=0.9), Claim("", "", lambda _: 0.0, at_most=0.25)
    assert [accuracy.holds(value) for value in (0.89, 0.9)] == [False, True]
    assert [ratio.holds(value) for value in (0.25, 0.26)] == [True, False]
