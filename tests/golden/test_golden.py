"""Layers, losses, metrics and optimizers give what real Keras gave (golden.npz, made by make_golden.py)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlbd

from . import cases, models

with np.load(Path(__file__).parent / "golden.npz") as file:
    _VALUES = file["values"]
    ABOUT = json.loads(file["about"].tobytes())
_OFFSETS = np.cumsum([0] + [int(np.prod(shape)) for shape in ABOUT["index"].values()])
GOLDEN = {
    key: _VALUES[start : start + int(np.prod(shape))].reshape(shape)
    for (key, shape), start in zip(ABOUT["index"].items(), _OFFSETS, strict=False)
}


def assert_as_keras(found: Any, key: str) -> None:
    """Both sides are float32: a few units of its last digit, relative to the array's size where terms cancel."""
    wanted = GOLDEN[key]
    found = np.asarray(found)
    assert found.shape == wanted.shape
    scale = max(1.0, float(np.max(np.abs(wanted), initial=0)))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6 * scale, err_msg=key)


def answers_to(kind: str, name: str) -> list[str]:
    prefix = f"{kind}/{name}/"
    return [key.removeprefix(prefix) for key in GOLDEN if key.startswith(prefix)]


def test_the_golden_file_has_an_answer_to_every_case():
    for kind, table in (
        ("layer", cases.LAYERS),
        ("loss", cases.LOSSES),
        ("metric", cases.METRICS),
        ("optimizer", cases.OPTIMIZERS),
        ("model", [f"{name}-{optimizer}" for name in models.MODELS for optimizer in models.optimizers(dlbd)]),
    ):
        assert {key.split("/")[1] for key in GOLDEN if key.startswith(f"{kind}/")} == set(table)


@pytest.mark.parametrize("name", cases.LAYERS)
def test_layer(name: str):
    case = cases.LAYERS[name]
    arrays = case.make_inputs(name)
    x = [dlbd.Tensor(a) for a in arrays]
    feed = x if len(x) > 1 else x[0]
    layer = case.build(dlbd)
    case.call(layer, feed)
    expected = ABOUT["layers"][name]
    assert [[w.name, list(w.shape)] for w in layer.weights] == expected["weights"]
    assert len(layer.trainable_weights) == expected["trainable"]
    names, shapes = [w.name for w in layer.weights], [w.shape for w in layer.weights]
    layer.set_weights(cases.weights(name, shapes, names))
    with dlbd.GradientTape() as tape:
        for tensor in x:
            tape.watch(tensor)
        y = cases.outputs(case.call(layer, feed))
    trainable = layer.trainable_weights
    sources = [*trainable, *(x if case.differentiable else [])]
    dy = cases.cotangent(name, [t.shape for t in y])
    found = tape.gradient(y, sources, output_gradients=dy)
    results = {f"output{i}": t for i, t in enumerate(y)}
    for i, (gradient, source) in enumerate(zip(found, sources, strict=True)):
        results[f"gradient{i}"] = np.zeros(source.shape) if gradient is None else gradient
    fixed = [w for w in layer.weights if not any(w is t for t in trainable)]
    results |= {f"fixed{i}": w for i, w in enumerate(fixed)}
    assert set(results) == set(answers_to("layer", name))
    for key, result in results.items():
        assert_as_keras(result, f"layer/{name}/{key}")


@pytest.mark.parametrize("name", cases.LOSSES)
def test_loss(name: str):
    case = cases.LOSSES[name]
    y_true, y_pred, sample_weight = case.arrays(name)
    prediction = dlbd.Tensor(y_pred)
    with dlbd.GradientTape() as tape:
        tape.watch(prediction)
        loss = case.build(dlbd)(y_true, prediction, sample_weight=sample_weight)
    assert_as_keras(loss, f"loss/{name}/loss")
    assert_as_keras(tape.gradient(loss, prediction), f"loss/{name}/gradient")


@pytest.mark.parametrize("name", cases.METRICS)
def test_metric(name: str):
    case = cases.METRICS[name]
    metric = case.build(dlbd)
    results = []
    for update in range(2):
        loss = cases.LossCase(case.build, case.labels, case.predictions, case.weights)
        y_true, y_pred, sample_weight = loss.arrays(f"{name}/{update}")
        metric.update_state(y_true, y_pred, sample_weight=sample_weight)
        results.append(float(metric.result()))
    assert_as_keras(results, f"metric/{name}/results")


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_optimizer(name: str):
    case = cases.OPTIMIZERS[name]
    values, steps = case.arrays()
    variables = [dlbd.Variable(v) for v in values]
    optimizer = case.build(dlbd)
    for step, gradients in enumerate(steps):
        optimizer.apply_gradients([(dlbd.Tensor(g), v) for g, v in zip(gradients, variables, strict=True)])
        for i, variable in enumerate(variables):
            assert_as_keras(variable, f"optimizer/{name}/step{step}/variable{i}")


@pytest.mark.parametrize("optimizer", models.optimizers(dlbd))
@pytest.mark.parametrize("name", models.MODELS)
def test_model(name: str, optimizer: str):
    found = models.MODELS[name].train(dlbd, models.optimizers(dlbd)[optimizer])
    assert set(found) == set(answers_to("model", f"{name}-{optimizer}"))
    for key, result in found.items():
        assert_as_keras(result, f"model/{name}-{optimizer}/{key}")
