"""Run real Keras over cases.py and write its answers to golden.npz.

    pip install keras jax && python tests/golden/make_golden.py

On JAX, whose convolutions know groups and dilation on the CPU; in float32, since some of its operations
fall back from float64.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import models  # noqa: E402
import numpy as np  # noqa: E402


def layer_answers(name: str, case: cases.LayerCase) -> tuple[dict[str, Any], dict[str, Any]]:
    x = [jnp.asarray(a) for a in case.make_inputs(name)]

    def feed(x: Any) -> Any:
        return x if len(x) > 1 else x[0]

    layer = case.build(keras)
    y = cases.outputs(case.call(layer, feed(x)))  # builds
    names, shapes = [w.name for w in layer.weights], [tuple(w.shape) for w in layer.weights]
    layer.set_weights(cases.weights(name, shapes, names))
    dy = cases.cotangent(name, [tuple(t.shape) for t in y])
    trainable = layer.trainable_weights
    fixed = [w for w in layer.weights if not any(w is t for t in trainable)]

    def total(values: Any, x: Any) -> Any:
        with keras.StatelessScope(list(zip(trainable, values, strict=True))) as scope:
            y = cases.outputs(case.call(layer, feed(x)))
        after = [scope.get_current_value(w) for w in fixed]
        after = [w.value if a is None else a for a, w in zip(after, fixed, strict=True)]
        return sum(jnp.sum(t * w) for t, w in zip(y, dy, strict=True)), (y, after)

    wanted = (0, 1) if case.differentiable else (0,)
    values = [w.value for w in trainable]
    gradients, (y, after) = jax.grad(total, wanted, has_aux=True)(values, x)
    answers = {f"output{i}": t for i, t in enumerate(y)}
    answers |= {f"gradient{i}": g for i, g in enumerate(g for part in gradients for g in part)}
    answers |= {f"fixed{i}": w for i, w in enumerate(after)}
    return answers, {"weights": list(zip(names, shapes, strict=True)), "trainable": len(trainable)}


def loss_answers(name: str, case: cases.LossCase) -> dict[str, Any]:
    y_true, y_pred, sample_weight = case.arrays(name)

    def loss(y_pred: Any) -> Any:
        value = case.build(keras)(y_true, y_pred, sample_weight=sample_weight)
        return jnp.sum(value), value

    gradient, value = jax.grad(loss, has_aux=True)(jnp.asarray(y_pred))
    return {"loss": value, "gradient": gradient}


def metric_answers(name: str, case: cases.MetricCase) -> dict[str, Any]:
    metric = case.build(keras)
    results = []
    for update in range(2):
        loss = cases.LossCase(case.build, case.labels, case.predictions, case.weights)
        y_true, y_pred, sample_weight = loss.arrays(f"{name}/{update}")
        metric.update_state(y_true, y_pred, sample_weight=sample_weight)
        results.append(float(metric.result()))
    return {"results": np.array(results)}


def optimizer_answers(case: cases.OptimizerCase) -> dict[str, Any]:
    values, steps = case.arrays()
    variables = [keras.Variable(v) for v in values]
    optimizer = case.build(keras)
    answers = {}
    for step, gradients in enumerate(steps):
        optimizer.apply_gradients([(jnp.asarray(g), v) for g, v in zip(gradients, variables, strict=True)])
        answers |= {f"step{step}/variable{i}": v.numpy() for i, v in enumerate(variables)}
    return answers


def main() -> None:
    found: dict[str, Any] = {}
    layers: dict[str, Any] = {}

    def keep(kind: str, name: str, answers: dict[str, Any]) -> None:
        found.update({f"{kind}/{name}/{key}": np.asarray(a, np.float32) for key, a in answers.items()})

    for name, case in cases.LAYERS.items():
        answers, layers[name] = layer_answers(name, case)
        keep("layer", name, answers)
    for name, loss in cases.LOSSES.items():
        keep("loss", name, loss_answers(name, loss))
    for name, metric in cases.METRICS.items():
        keep("metric", name, metric_answers(name, metric))
    for name, optimizer in cases.OPTIMIZERS.items():
        keep("optimizer", name, optimizer_answers(optimizer))
    for name, model in models.MODELS.items():
        for optimizer_name, optimizer in models.optimizers(keras).items():
            keep("model", f"{name}-{optimizer_name}", model.train(keras, optimizer))
    # One flat array and an index instead of an archive member per answer: a tenth of the size.
    index = {key: list(a.shape) for key, a in found.items()}
    versions = {"keras": keras.__version__, "jax": jax.__version__, "numpy": np.__version__}
    about = json.dumps({"versions": versions, "index": index, "layers": layers}, separators=(",", ":"))
    flat = np.concatenate([a.ravel() for a in found.values()])
    file = HERE / "golden.npz"
    np.savez_compressed(file, values=flat, about=np.frombuffer(about.encode(), np.uint8))
    print(f"{len(found)} answers of {len(layers)} layers and more, {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
