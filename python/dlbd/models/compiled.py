"""The loss and the metrics that ``compile`` was given, and what they add up to over an epoch."""

from __future__ import annotations

from typing import Any

from dlbd import losses, metrics
from dlbd.backend import FLOAT64, copied, on_host, place, twin, write, zeros
from dlbd.losses.crossentropy import resolve_crossentropy
from dlbd.models.batches import restore
from dlbd.structure import map_structure
from dlbd.tensor import Tensor


class MeanLoss:
    """The mean of the batches' losses, weighted by their sizes: two float64 in an array that a launch updates."""

    def __init__(self) -> None:
        self.state = zeros((2,), FLOAT64)

    def __getstate__(self) -> dict[str, Any]:
        return {"state": copied(self.state)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = place(state["state"])

    def reset_state(self) -> None:
        write(self.state, 0.0)

    def result(self) -> float:
        total, rows = on_host(self.state).tolist()
        return total / rows if rows else 0.0


class CompiledLoss:
    """The one loss of a model with one output."""

    def __init__(self, loss: Any) -> None:
        if isinstance(loss, (list, tuple, dict)) and "class_name" not in loss:
            several = list(loss.values()) if isinstance(loss, dict) else list(loss)
            if len(several) != 1:
                raise NotImplementedError(f"a loss per output is not supported yet; received {loss!r}")
            loss = several[0]
        self.loss = None if loss in ("crossentropy", "ce") else losses.get(loss)  # None: the first step's shapes tell
        self.mean = MeanLoss()

    def sum_and_count(self, y: Any, prediction: Any, sample_weight: Any) -> tuple[Tensor, Tensor]:
        if y is None:
            raise ValueError("the loss and the metrics need targets: pass y, or batches (x, y)")
        if self.loss is None:
            self.loss = resolve_crossentropy(y.shape, prediction.shape)
        return self.loss.sum_and_count(y, prediction, sample_weight)

    def note(self, total: Tensor, count: Tensor, rows: int) -> None:
        twin(total.array).metric_add_loss(total.array, count.array, float(rows), self.mean.state)

    def mean_so_far(self) -> float:
        return self.mean.result()


class CompiledMetrics:
    """The metrics of a model. "accuracy" is resolved when the first batch shows what the targets look like."""

    def __init__(self, unweighted: Any, weighted: Any) -> None:
        self._unweighted = _listed(unweighted)
        self._weighted = _listed(weighted)
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
        if structure[1] is None:
            raise ValueError("the loss and the metrics need targets: pass y, or batches (x, y)")
        shapes = [shape for shape, _ in batch.signature]
        inputs, targets, _ = (restore(part, shapes) for part in structure)
        try:
            outputs = model.compute_output_shape(inputs)
        except NotImplementedError:  # a model of the user's own: one call tells
            outputs = map_structure(lambda t: t.shape, model.output_of_first_rows(batch, structure))
        self._resolve(targets, outputs)

    def _resolve(self, targets: Any, outputs: Any) -> None:
        names: dict[str, int] = {}
        made = [
            [_named(metrics.get(m, targets, outputs), names, prefix) for m in given]
            for given, prefix in ((self._unweighted, ""), (self._weighted, "weighted_"))
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
    return metric in ("accuracy", "acc") if isinstance(metric, str) else False


def _named(metric: Any, taken: dict[str, int], prefix: str) -> Any:
    """Two metrics of one name become ``name`` and ``name_1``; a weighted one ``weighted_name``."""
    if metric.name in taken:
        metric.name = prefix + metric.name
    again = taken.get(metric.name, 0)
    taken[metric.name] = again + 1
    if again:
        metric.name = f"{metric.name}_{again}"
    return metric
