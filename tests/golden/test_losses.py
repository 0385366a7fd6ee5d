"""Losses give what real Keras gives with every reduction, weights and masks; metrics do after several updates."""

from __future__ import annotations

import pytest

import dlbd
from tests.arrays import tensor

from . import answers, cases
from .cases.losses import LOSSES, METRICS

KERAS_LOSSES, KERAS_METRICS = answers.of("losses"), answers.of("metrics")


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name: str):
    case = LOSSES[name]
    loss = cases.evaluate(case.build, dlbd)
    y_true, y_pred = case.arrays()
    found = {}
    for variant, reduction, weight, mask in case.variants():
        reduced = type(loss).from_config({**loss.get_config(), "reduction": reduction})
        prediction = tensor(y_pred)
        if mask is not None:
            prediction.mask = tensor(mask)
        with dlbd.GradientTape() as tape:
            tape.watch(prediction)
            value = reduced(y_true, prediction, sample_weight=weight)
        found[variant] = value
        if reduction == "sum_over_batch_size":
            found[f"{variant}/gradient"] = tape.gradient(value, prediction)
    KERAS_LOSSES.check(name, found)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_configuration(name: str):
    loss = cases.evaluate(LOSSES[name].build, dlbd)
    wanted = KERAS_LOSSES.words[name]
    assert loss.name == wanted["name"]
    answers.assert_same_configuration(cases.plain(loss.get_config()), wanted["config"])


@pytest.mark.parametrize("name", METRICS)
def test_metric(name: str):
    case = METRICS[name]
    made = cases.evaluate(case.build, dlbd)
    metric = type(made).from_config(made.get_config())
    found = {}
    for n, (y_true, y_pred, weight) in enumerate(case.updates()):
        metric.update_state(y_true, y_pred, sample_weight=weight)
        found[f"after{n}"] = metric.result()
    metric.reset_state()
    metric.update_state(y_true, y_pred)
    found["reset"] = metric.result()
    KERAS_METRICS.check(name, found)


@pytest.mark.parametrize("name", METRICS)
def test_metric_configuration(name: str):
    dlbd.utils.clear_session()
    metric = cases.evaluate(METRICS[name].build, dlbd)
    wanted = KERAS_METRICS.words[name]
    assert metric.name == wanted["name"]
    answers.assert_same_configuration(cases.plain(metric.get_config()), wanted["config"])
