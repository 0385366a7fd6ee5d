"""Layers give what real Keras gives: outputs, masks, gradients, states, weights in order, shapes, configurations."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import dlbd
from tests.arrays import tensor

from . import answers, cases
from .cases import attention, basic, convolution, preprocessing, recurrent

TABLES = {
    "attention": attention.CASES,
    "basic": basic.CASES,
    "convolution": convolution.CASES,
    "preprocessing": preprocessing.CASES,
    "recurrent": recurrent.CASES,
}
each_layer = pytest.mark.parametrize(("kind", "case"), answers.cases_of(TABLES))


@pytest.fixture(autouse=True)
def _new_names():
    dlbd.utils.clear_session()


def called(case: cases.LayerCase, layer: Any) -> tuple[list[Any], list[Any]]:
    """Inputs and outputs."""
    x = [tensor(a) for a in case.arrays()]
    return x, case.apply(dlbd, layer, x)


def results(case: cases.LayerCase, layer: Any) -> dict[str, Any]:
    called(case, layer)
    layer.set_weights(cases.weights(case.name, layer.weights))
    with dlbd.GradientTape() as tape:
        x = [tensor(a) for a in case.arrays()]
        for a in x:
            tape.watch(a)
        y = case.apply(dlbd, layer, x)
    trainable = layer.trainable_weights
    found = {f"output{i}": t for i, t in enumerate(y) if t is not None}
    masks = [getattr(t, "mask", None) for t in y]
    found |= {f"mask{i}": m for i, m in enumerate(masks) if m is not None and m.ndim < y[i].ndim}
    if layer.losses:
        found["losses"] = sum(float(loss) for loss in layer.losses)
    # (Normalization's count is nobody's concern: Keras leaves it at 0)
    fixed = [w for w in layer.weights if not any(w is t for t in trainable) and w.name != "count"]
    found |= {f"fixed{i}": w for i, w in enumerate(fixed)}
    if case.gradient:
        sources = [*trainable, *(x if case.differentiable() else [])]
        y = [t for t in y if t is not None]
        dy = [tensor(a) for a in cases.cotangents(case.name, y)]
        slopes = tape.gradient(y, sources, output_gradients=dy)
        for i, (slope, source) in enumerate(zip(slopes, sources, strict=True)):
            found[f"gradient{i}"] = np.zeros(source.shape) if slope is None else slope
    return found


@each_layer
def test_values(kind: str, case: cases.LayerCase):
    answers.of(kind).check(case.name, results(case, cases.evaluate(case.build, dlbd)))


def last(path: str) -> str:
    return path.rpartition("/")[2]


@each_layer
def test_weights(kind: str, case: cases.LayerCase):
    """Their names, shapes and order; and what they are at first, where that is not drawn."""
    layer = cases.evaluate(case.build, dlbd)
    called(case, layer)
    wanted = answers.of(kind).words[case.name]
    assert [[w.name, list(w.shape)] for w in layer.weights] == [[last(path), n] for path, n in wanted["weights"]]
    assert [w.name for w in layer.trainable_weights] == [last(path) for path in wanted["trainable"]]
    for weight, initial in zip(layer.weights, wanted["initial"], strict=True):
        if initial is not None and weight.name != "count":
            answers.assert_as_keras(weight, np.array(initial, np.float32), weight.path)


@each_layer
def test_dtypes_and_symbols(kind: str, case: cases.LayerCase):
    """Dtypes of outputs; shapes and dtypes of what stands for them in a model, with sizes that are not known."""
    _, y = called(case, cases.evaluate(case.build, dlbd))
    wanted = answers.of(kind).words[case.name]
    kinds = wanted["dtypes"]
    if re.search("(Lookup|TextVectorization).*(one_hot|multi_hot|count)", case.build):
        kinds = [t and "float" for t in kinds]  # what a Dense layer takes: docs/deviations.md
    assert [None if t is None else cases.kind(answers.on_host(t)) for t in y] == kinds
    for sizes in ("shapes", "open"):
        if sizes in wanted:
            inputs = case.symbols(dlbd, sizes == "open")
            y = case.apply(dlbd, cases.evaluate(case.build, dlbd), inputs)
            found = [[list(t.shape), cases.kind(np.empty(0, t.dtype))] for t in y]
            assert found == wanted[sizes], sizes


@each_layer
def test_configuration(kind: str, case: cases.LayerCase):
    """What Keras puts into a configuration has the same value here; and a layer made from it computes the same."""
    layer = cases.evaluate(case.build, dlbd)
    answers.assert_same_configuration(cases.plain(layer.get_config()), answers.of(kind).words[case.name]["config"])
    answers.of(kind).check(case.name, results(case, type(layer).from_config(layer.get_config())))
