"""The loss and the metrics that ``compile`` was given, and what they add up to over an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import losses, metrics
from dlbd.backend import twin
from dlbd.tensor import Tensor, as_tensor


class MeanLoss:
    """The mean of the batches' losses, weighted by their sizes: two float64 in an array that a launch updates."""

    def __init__(self) -> None:
        self.state = np.zeros(2)

    def reset_state(self) -> None:
        self.state[:] = 0.0

    def result(self) -> float:
        total, rows = self.state.tolist()
        return total / rows if rows else 0.0


class CompiledLoss:
    """The one loss of a model with one output."""

    def __init__(self, loss: Any) -> None:
        if isinstance(loss, (list, tuple, dict)) and "class_name" not in loss:
            several = list(loss.values()) if isinstance(loss, dict) else list(loss)
            if len(several) != 1:
                raise NotImplementedError(f"a loss per output is not supported yet; received {loss!r}")
            loss = several[0]
        self.loss = losses.get(loss)
        self.mean = MeanLoss()

    def sum_and_count(self, y: Any, prediction: Any, sample_weight: Any) -> tuple[Tensor, Tensor]:
        if y is None:
            raise ValueError(f"the loss {self.loss!r} needs targets: pass y, or batches (x, y)")
        return self.loss.sum_and_count(y, prediction, sample_weight)  # type: ignore[union-attr, no-any-return]

    def note(self, total: Tensor, count: Tensor, rows: int) -> None:
        twin(total.array).metric_add_loss(total.array, count.array, float(rows), self.mean.state)

    def mean_so_far(self) -> float:
        return self.mean.result()


class CompiledMetrics:
    """The metrics of a model. "accuracy" is resolved when the first batch shows what the targets look like."""

    def __init__(self, unweighted: Any, weighted: Any, loss: Any) -> None:
        self._unweighted = _listed(unweighted)
        self._weighted = _listed(weighted)
        self._loss = loss
        self._of_batches: list[Any] | None = None
        self._of_weights: list[Any] = []
        if not any(_needs_shapes(m) for m in (*self._unweighted, *self._weighted)):
            self._resolve(None, None)

    @property
    def metrics(self) -> list[Any]:
        return [] if self._of_batches is None else [*self._of_batches, *self._of_weights]

    def prepare(self, model: Any, batch: Any, structure: Any) -> None:
        """Make the metrics, knowing the targets of a batch and the model's output for it."""
        if self._of_batches is not None:
            return
        from dlbd.models.batches import restore

        tensors = []
        for (shape, dtype), source in zip(batch.signature, batch.arrays, strict=True):
            rows = np.empty(shape, dtype)
            part = source if batch.rows is None else source[batch.rows]
            np.copyto(rows, part, casting="same_kind")
            tensors.append(Tensor(rows))
        x, y, _ = (restore(part, tensors) for part in structure)
        prediction = model(x, training=False)
        self._resolve(y, prediction)

    def _resolve(self, y: Any, prediction: Any) -> None:
        names: dict[str, int] = {}
        made = [
            [_named(_resolved(m, y, prediction, self._loss), names) for m in given]
            for given in (self._unweighted, self._weighted)
        ]
        self._of_batches, self._of_weights = made

    def update(self, y: Any, prediction: Any, sample_weight: Any) -> None:
        for metric in self._of_batches or ():
            metric.update_state(y, prediction)
        for metric in self._of_weights:
            metric.update_state(y, prediction, sample_weight)


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, (list, tuple)):
        flat: list[Any] = []
        for m in given:
            flat += list(m) if isinstance(m, (list, tuple)) else [m]
        return flat
    if isinstance(given, dict):
        raise NotImplementedError(f"metrics per output are not supported yet; received {given!r}")
    return [given]


def _needs_shapes(metric: Any) -> bool:
    return metric in ("accuracy", "acc", "crossentropy", "ce") if isinstance(metric, str) else False


def _resolved(metric: Any, y: Any, prediction: Any, loss: Any) -> Any:
    if not _needs_shapes(metric):
        return metrics.get(metric)
    kind = _kind_of_targets(as_tensor(y).shape, prediction.shape)
    name = "accuracy" if metric in ("accuracy", "acc") else "crossentropy"
    made = metrics.get(f"{kind}_{name}")
    made.name = metric
    return made


def _kind_of_targets(y: Sequence[int], prediction: Sequence[int]) -> str:
    """Keras's order: one output is binary; class numbers are sparse; else one-hot rows."""
    if prediction[-1] == 1:
        return "binary"
    if len(y) < len(prediction) or y[-1] == 1:
        return "sparse_categorical"
    return "categorical"


def _named(metric: Any, taken: dict[str, int]) -> Any:
    """Two metrics of one name become ``name`` and ``name_1``."""
    again = taken.get(metric.name, 0)
    taken[metric.name] = again + 1
    if again:
        metric.name = f"{metric.name}_{again}"
    return metric
