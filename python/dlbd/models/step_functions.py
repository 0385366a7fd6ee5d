"""What one step does: nothing but launches, which :mod:`dlbd.models.steps` records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.autograd import GradientTape
from dlbd.models.compiled import Objective, sum_of
from dlbd.tensor import Tensor, as_tensor

Logs = dict[str, float]


def train_step(model: Any, x: Any, y: Any, sample_weight: Any) -> None:
    """Forward, loss, backward into the optimizer's flat buffer, one update, metrics."""
    with GradientTape() as tape:
        prediction = model(x, training=True)
        objective = _objective(model, x, y, prediction, sample_weight, training=True)
        if objective is None:
            raise ValueError(f"[{model.name}] fit() needs a loss: compile(loss=...)")
        total = model.optimizer.scale_loss(objective.total)
    variables = model.variables_to_train()
    optimizer = model.optimizer
    if model.has_own("train_step"):  # which came here by super(): nothing else has built it
        optimizer.build(variables)
    found = tape.backward([total], [None], variables, optimizer.gradient_slots)
    active = [gradient is not None for gradient in found]
    if not any(active):
        raise ValueError(
            f"[{model.name}] the loss depends on none of the weights {[v.path for v in variables]}: is something "
            "between them computed outside dlbd.ops, in NumPy for example?"
        )
    optimizer.apply(objective.count, active=active)
    _note_results(model, objective, x, y, prediction, sample_weight)


def test_step(model: Any, x: Any, y: Any, sample_weight: Any) -> None:
    """Forward, loss, metrics."""
    prediction = model(x, training=False)
    objective = _objective(model, x, y, prediction, sample_weight, training=False)
    _note_results(model, objective, x, y, prediction, sample_weight)


def _objective(model: Any, x: Any, y: Any, prediction: Any, sample_weight: Any, training: bool) -> Objective | None:
    if model.has_own("compute_loss"):
        loss = model.compute_loss(x=x, y=y, y_pred=prediction, sample_weight=sample_weight, training=training)
        return sum_of([as_tensor(loss)])
    return model._compiled_loss.objective(y, prediction, sample_weight, model.losses)  # type: ignore[no-any-return]


def _note_results(model: Any, objective: Objective | None, x: Any, y: Any, prediction: Any, sample_weight: Any) -> None:
    if objective is not None:
        model._compiled_loss.note(objective, len(map_first(x)))
    model._compiled_metrics.update(y, prediction, sample_weight)


def map_first(x: Any) -> Any:
    """The first leaf of a nest."""
    while isinstance(x, (list, tuple, dict)):
        x = next(iter(x.values())) if isinstance(x, dict) else x[0]
    return x


def results(model: Any) -> Logs:
    """The mean losses and the metrics since they were last reset, or what the last own step gave; reads on the host."""
    own = model.__dict__.get("_step_logs")
    if own is not None:
        return {name: _number(value) for name, value in own.items()}
    logs: Logs = {m.name: _number(m.result()) for m in model.metrics}
    compiled = model._compiled_loss
    if compiled.noted:
        logs |= {name: mean.result() for name, mean in compiled.parts.items()}
        logs["loss"] = compiled.mean.result()
    return dict(sorted(logs.items()))


def tensor_results(model: Any) -> dict[str, Tensor]:
    """The same as tensors, without reading them."""
    logs = {m.name: m.result() for m in model.metrics}
    compiled = model._compiled_loss
    if compiled.noted:
        logs |= {name: mean.tensor() for name, mean in compiled.parts.items()}
        logs["loss"] = compiled.mean.tensor()
    return logs


def _number(value: Any) -> Any:
    array = np.array(value)  # a copy: the metric goes on
    return float(array) if array.ndim == 0 else array


def mean_loss(model: Any, y: Any, y_pred: Any, sample_weight: Any) -> Tensor:
    """The loss of ``compile`` and the terms that layers added, as one scalar."""
    objective = model._compiled_loss.objective(y, y_pred, sample_weight, model.losses)
    return ops.zeros(()) if objective is None else objective.value()


def packed(x: Any, y: Any, sample_weight: Any) -> Any:
    """What an own step gets: x alone, (x, y) or (x, y, sample_weight), as in Keras."""
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpacked(data: Any) -> Sequence[Any]:
    """(x, y, sample_weight) of what :func:`packed` gave."""
    if not isinstance(data, tuple):
        return data, None, None
    return (*data, None, None)[:3]
