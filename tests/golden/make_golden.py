"""Run real Keras over the cases and write its answers to answers/*.npz.

    pip install keras jax tensorflow-cpu && python tests/golden/make_golden.py [--new] [basic losses ...]

``--new`` keeps the answers that are there and adds those to cases with other names.

On JAX, whose convolutions know groups and dilation on the CPU; in float32, since some of its operations fall back from
float64. (TensorFlow is what Keras's layers for words run on, whatever the backend.)
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
from archive import read, write  # noqa: E402
from cases import (  # noqa: E402
    arguments,
    array_functions,
    attention,
    basic,
    convolution,
    functions,
    losses,
    models,
    operations,
    optimizers,
    preprocessing,
    recurrent,
)

Answers = tuple[dict[str, Any], Any]  # numbers by key, and words


def layer_answers(case: cases.LayerCase) -> Answers:
    first = built(case, seed=1)
    layer = built(case, seed=2)
    about: dict[str, Any] = {"initial": initial_values(first, layer)}
    about["weights"] = [[w.path, list(w.shape)] for w in layer.weights]
    about["trainable"] = [w.path for w in layer.trainable_weights]
    about["config"] = cases.plain(cases.evaluate(case.build, keras).get_config())
    about |= symbolic(case)
    layer.set_weights(cases.weights(case.name, layer.weights))
    x = [jnp.asarray(a) for a in case.arrays()]
    y = case.apply(keras, layer, x)
    about["dtypes"] = [None if t is None else cases.kind(t) for t in y]
    answers = {f"output{i}": t for i, t in enumerate(y) if t is not None}
    masks = [getattr(t, "_keras_mask", None) for t in y]
    # (attention's scores have one of their own shape: a trace of how they were made)
    answers |= {f"mask{i}": m for i, m in enumerate(masks) if m is not None and m.ndim < y[i].ndim}
    if layer.losses:
        answers["losses"] = sum(float(loss) for loss in layer.losses)
    trainable = layer.trainable_weights
    # (Normalization's count is nobody's concern: Keras leaves it at 0)
    fixed = [w for w in layer.weights if not any(w is t for t in trainable) and w.name != "count"]
    answers |= {f"fixed{i}": w.value for i, w in enumerate(fixed)}
    if case.gradient:
        answers |= {f"gradient{i}": g for i, g in enumerate(gradients(case, layer, x))}
    return answers, about


def built(case: cases.LayerCase, seed: int) -> Any:
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    layer = cases.evaluate(case.build, keras)
    case.apply(keras, layer, [jnp.asarray(a) for a in case.arrays()])
    return layer


def initial_values(first: Any, second: Any) -> list[Any]:
    """Of weights that begin alike whatever the seed, their values; of the others None."""
    pairs = zip(first.weights, second.weights, strict=True)
    return [np.asarray(a).tolist() if np.array_equal(a, b) else None for a, b in pairs]


def symbolic(case: cases.LayerCase) -> dict[str, Any]:
    """Shapes and dtypes that the layer gives for Inputs without a batch size; without other sizes, too; by formula."""
    found = {}
    for kind in ("shapes", "open"):
        inputs = case.symbols(keras, kind == "open")
        if inputs is None:
            continue
        try:
            y = case.apply(keras, cases.evaluate(case.build, keras), inputs)
            found[kind] = [[list(t.shape), cases.kind(np.empty(0, t.dtype))] for t in y]
        except Exception:
            continue
    return found


def gradients(case: cases.LayerCase, layer: Any, x: list[Any]) -> list[Any]:
    """Of the outputs times given numbers, with respect to weights and inputs."""
    trainable = layer.trainable_weights
    layer.set_weights(cases.weights(case.name, layer.weights))
    dy = cases.cotangents(case.name, [t for t in case.apply(keras, layer, x) if t is not None])
    layer.set_weights(cases.weights(case.name, layer.weights))
    states = [v for v in layer.non_trainable_variables if not any(v is w for w in layer.weights)]
    fresh = [v.value for v in states]

    def total(values: Any, x: Any) -> Any:
        with keras.StatelessScope(list(zip(trainable, values, strict=True))):
            y = [t for t in case.apply(keras, layer, x) if t is not None]
        return sum(jnp.sum(t * w) for t, w in zip(y, dy, strict=True))

    wanted = (0, 1) if case.differentiable() else (0,)
    del fresh
    parts = jax.grad(total, wanted)([w.value for w in trainable], x)
    return [g for part in parts for g in part]


def loss_answers(case: losses.LossCase) -> Answers:
    y_true, y_pred = case.arrays()
    loss = cases.evaluate(case.build, keras)
    words = {"name": loss.name, "config": cases.plain(loss.get_config())}
    answers = {}
    for variant, reduction, weight, mask in case.variants():
        loss.reduction = reduction  # Keras's configurations of losses forget arguments

        def value(y_pred: Any, weight: Any = weight, mask: Any = mask) -> Any:
            if mask is not None:
                keras.src.backend.set_keras_mask(y_pred, jnp.asarray(mask))
            return loss(y_true, y_pred, sample_weight=weight)

        answers[variant] = value(jnp.asarray(y_pred))
        if reduction == "sum_over_batch_size":
            answers[f"{variant}/gradient"] = jax.grad(value)(jnp.asarray(y_pred))
    return answers, words


def metric_answers(case: losses.MetricCase) -> Answers:
    keras.utils.clear_session()
    metric = cases.evaluate(case.build, keras)
    answers: dict[str, Any] = {}
    for n, (y_true, y_pred, weight) in enumerate(case.updates()):
        metric.update_state(y_true, y_pred, sample_weight=weight)
        answers[f"after{n}"] = metric.result()
    metric.reset_state()
    metric.update_state(y_true, y_pred)
    answers["reset"] = metric.result()
    return answers, {"name": metric.name, "config": cases.plain(metric.get_config())}


def optimizer_answers(case: optimizers.OptimizerCase) -> Answers:
    values, steps = case.arrays()
    keras.utils.clear_session()
    variables = [keras.Variable(v, name=n) for v, n in zip(values, optimizers.NAMES, strict=True)]
    optimizer = cases.evaluate(case.build, keras)
    answers = {}
    for step, gradients in enumerate(steps):
        optimizer.apply_gradients([(jnp.asarray(g), v) for g, v in zip(gradients, variables, strict=True)])
        answers |= {f"{step}/{i}": v.numpy() for i, v in enumerate(variables)}
    state = [[v.name, list(v.shape)] for v in optimizer.variables]
    answers |= {f"state/{i}": v.numpy() for i, v in enumerate(optimizer.variables)}
    optimizer.finalize_variable_values(variables)
    answers |= {f"final/{i}": v.numpy() for i, v in enumerate(variables)}
    return answers, {"state": state, "config": cases.plain(optimizer.get_config())}


def schedule_answers(case: optimizers.ScheduleCase) -> Answers:
    schedule = cases.evaluate(case.build, keras)
    rates = [float(schedule(step)) for step in optimizers.RATES_AT]
    return {"rates": rates}, {"config": cases.plain(schedule.get_config())}


def operation_answers(case: operations.OperationCase) -> Answers:
    given = {key: jnp.asarray(a) for key, a in case.arrays().items()}
    y = case.apply(keras, given)
    answers = {f"output{i}": t for i, t in enumerate(y)}
    if case.gradient:
        dy = cases.cotangents(case.name, y)

        def total(given: Any) -> Any:
            return sum(jnp.sum(t * w) for t, w in zip(case.apply(keras, given), dy, strict=True))

        answers |= {f"gradient/{key}": g for key, g in jax.grad(total)(given).items()}
    return answers, {"dtypes": [cases.kind(t) for t in y]}


def initializer_answers(case: functions.InitializerCase) -> Answers:
    keras.utils.set_random_seed(1)
    initializer = cases.evaluate(case.build, keras)
    value = np.asarray(initializer(case.shape), np.float64)
    return {"distribution": functions.distribution(value)}, {"config": cases.plain(initializer.get_config())}


def model_answers(case: models.ModelCase) -> Answers:
    keras.utils.clear_session()
    return case.train(keras)


def signatures(module: str) -> Answers:
    """What all that has a name in a module of Keras takes: names and defaults of arguments."""
    return {}, arguments.signatures(arguments.module(keras, module))


KINDS: dict[str, tuple[dict[str, Any], Any]] = {
    "basic": (basic.CASES, layer_answers),
    "convolution": (convolution.CASES, layer_answers),
    "recurrent": (recurrent.CASES, layer_answers),
    "attention": (attention.CASES, layer_answers),
    "preprocessing": (preprocessing.CASES, layer_answers),
    "losses": (losses.LOSSES, loss_answers),
    "metrics": (losses.METRICS, metric_answers),
    "optimizers": (optimizers.OPTIMIZERS, optimizer_answers),
    "schedules": (optimizers.SCHEDULES, schedule_answers),
    "operations": (operations.OPERATIONS | array_functions.ARRAY_FUNCTIONS | functions.FUNCTIONS, operation_answers),
    "initializers": (functions.INITIALIZERS, initializer_answers),
    "models": (models.MODELS, model_answers),
    "arguments": (dict(zip(arguments.MODULES, arguments.MODULES, strict=True)), signatures),
}


def answer_all(kind: str, only_new: bool) -> int:
    """Write the answers to all cases of a kind; how many Keras failed at."""
    file = HERE / "answers" / f"{kind}.npz"
    table, answer = KINDS[kind]
    numbers, words, _ = read(file) if only_new and file.exists() else ({}, {}, {})
    numbers, words = ({name: known[name] for name in table if name in known} for known in (numbers, words))
    failures = 0
    for number, name in enumerate([name for name in table if name not in words]):
        if number % 50 == 0:
            jax.clear_caches()  # gigabytes otherwise
        try:
            found, about = answer(table[name])
            json.dumps(about)
            numbers[name] = {key: np.asarray(value, np.float32) for key, value in found.items()}
        except Exception as error:
            failures += 1
            print(f"{kind}: Keras fails at {name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        words[name] = about
        for key, value in numbers[name].items():
            if not np.isfinite(value).all():
                print(f"{kind}: {name}: {key} is not finite", file=sys.stderr)
    write(file, numbers, words, {"keras": keras.__version__, "jax": jax.__version__, "numpy": np.__version__})
    print(f"{kind}: {len(words)} cases, {file.stat().st_size / 1000:.0f} kB", flush=True)
    return failures


if __name__ == "__main__":
    chosen = [argument for argument in sys.argv[1:] if argument != "--new"] or KINDS
    sys.exit(sum([answer_all(kind, "--new" in sys.argv) for kind in chosen]))
