"""What compile was given: the losses and metrics of each output, and their running results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlbd import losses, metrics, ops
from dlbd.backend import FLOAT64, copied, on_host, place, twin, write, zeros
from dlbd.losses.crossentropy import resolve_crossentropy
from dlbd.metrics.metric import mean_of
from dlbd.models.batches import restore
from dlbd.models.hints import targets_hint
from dlbd.structure import flatten, map_structure
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

    def add(self, total: Tensor, count: Tensor, rows: int) -> None:
        """The loss of a batch is ``total / count``."""
        twin(total.array).metric_add_loss(total.array, count.array, float(rows), self.state)

    def tensor(self) -> Tensor:
        return mean_of(self.state)

    def result(self) -> float:
        total, rows = on_host(self.state).tolist()
        return total / rows if rows else 0.0


@dataclass(frozen=True)
class Objective:
    """What a step makes smaller: ``total / count``; and the parts that it consists of, by output."""

    total: Tensor
    count: Tensor
    parts: Sequence[tuple[MeanLoss, Tensor, Tensor]] = ()

    def value(self) -> Tensor:
        return _quotient(self.total, self.count)


class CompiledLoss:
    """The losses of a model's outputs.

    Args:
        loss: name, loss or function, for one output or for each of several; or a list or dict of them, one per output,
            None for an output that counts for nothing. None altogether: only what layers add counts.
        weights: what the losses are multiplied with, in a list or dict alike; 1 by default.
        names: of the outputs, as far as they are known.
    """

    def __init__(self, loss: Any, weights: Any = None, names: Sequence[str] | None = None) -> None:
        self.given, self._weights = loss, weights
        self.names = list(names) if names is not None else None
        self.mean = MeanLoss()
        self.noted = loss is not None  # whether there is a mean to show
        self._losses: list[Any] = []
        self._factors: list[float] = []
        self._means: list[MeanLoss] = []
        self.resolved = False
        if not _is_nest(loss) and loss not in ("crossentropy", "ce"):
            losses.get(loss)  # an unknown name is an error of compile()

    @property
    def losses(self) -> list[Any]:
        """The losses, once the first step has shown what the outputs look like."""
        return [loss for loss in self._losses if loss is not None]

    @property
    def parts(self) -> dict[str, MeanLoss]:
        """By name "<output>_loss", where more than one output has a loss."""
        if len(self.losses) < 2:
            return {}
        named = zip(self.names or (), self._losses, self._means, strict=True)
        return {f"{name}_loss": mean for name, loss, mean in named if loss is not None}

    def resolve(self, targets: Sequence[Any], outputs: Any) -> None:
        """Find the losses, knowing the shapes of the targets' leaves and of the outputs."""
        if self.resolved:
            return
        shapes = flatten_shapes(outputs)
        self.names = output_names(self.names, outputs)
        given = _per_output(self.given, self.names, "loss")
        self._losses = [_loss_for(loss, *pair) for loss, *pair in zip(given, targets, shapes, strict=True)]
        if not self.losses and self.given is not None:
            raise ValueError(f"compile(loss=...) names none of the outputs {self.names}; received {self.given!r}")
        factors = (
            [1.0] * len(shapes) if self._weights is None else _per_output(self._weights, self.names, "loss_weights")
        )
        self._factors = [1.0 if factor is None else float(factor) for factor in factors]
        self._means = [MeanLoss() for _ in shapes]
        self.resolved = True

    def objective(self, y: Any, prediction: Any, sample_weight: Any, added: Sequence[Tensor]) -> Objective | None:
        """The loss of a batch, with the ``added`` terms of layers and regularizers; None if there is neither."""
        if self.given is None:
            return sum_of(added) if added else None
        predictions = flatten(prediction)
        targets = leaves_for(y, self.names, len(predictions), "targets")
        weights = _weights_for(sample_weight, self.names, len(predictions))
        self.resolve([_shape_of(t) for t in targets], map_structure(_shape_of, prediction))
        found = []
        for i, loss in enumerate(self._losses):
            if loss is not None:
                if targets[i] is None:
                    raise ValueError(_NO_TARGETS)
                found.append((i, *self._sum_and_count(i, targets[i], predictions[i], weights[i])))
        if len(found) == 1 and not added and self._factors[found[0][0]] == 1.0:
            _, total, count = found[0]
            return Objective(total, count)  # the update divides by the count
        terms = [ops.multiply(_quotient(total, count), self._factors[i]) for i, total, count in found]
        parts = [(self._means[i], total, count) for i, total, count in found] if len(found) > 1 else []
        return replace(sum_of([*terms, *added]), parts=parts)

    def _sum_and_count(self, i: int, y: Tensor, prediction: Tensor, sample_weight: Any) -> tuple[Tensor, Tensor]:
        try:
            found: tuple[Tensor, Tensor] = self._losses[i].sum_and_count(y, prediction, sample_weight)
        except (ValueError, TypeError) as error:
            hint = "" if "belong to" in str(error) or "out of range" in str(error) else targets_hint(y, prediction)
            self._name_output(error, (self.names or [""])[i], hint)
            raise
        return found

    def explain(self, error: Exception) -> None:
        """Say in the error of a label, which a replayed step met, whose targets they are."""
        if "label" in str(error) and not getattr(error, "_names_output", False):
            self._name_output(error, " or ".join(self.names or ()))

    @staticmethod
    def _name_output(error: Exception, name: str, hint: str = "") -> None:
        error.args = (f"targets of the output {name!r}: {error}{hint}",)
        error._names_output = True  # type: ignore[attr-defined]

    def note(self, objective: Objective, rows: int) -> None:
        self.noted = True
        self.mean.add(objective.total, objective.count, rows)
        for mean, total, count in objective.parts:
            mean.add(total, count, rows)

    def reset_state(self) -> None:
        for mean in (self.mean, *self._means):
            mean.reset_state()


def sum_of(terms: Sequence[Tensor]) -> Objective:
    """The sum of scalars as an objective."""
    total = ops.reshape(terms[0], ())
    for term in terms[1:]:
        total = ops.add(total, ops.reshape(term, ()))
    return Objective(total, ops.ones((), total.dtype))


def _quotient(total: Tensor, count: Tensor) -> Tensor:
    """0 where nothing counts."""
    divisor = ops.where(ops.equal(count, 0), 1, count)
    return ops.divide(ops.reshape(total, ()), ops.cast(ops.reshape(divisor, ()), total.dtype))


def _loss_for(loss: Any, target: Any, output: Any) -> Any:
    if loss is None:
        return None
    if isinstance(loss, str) and loss in ("crossentropy", "ce"):
        return resolve_crossentropy(target, output)
    return losses.get(loss)


class CompiledMetrics:
    """The metrics of a model's outputs. "accuracy" is resolved when the first batch shows the targets."""

    def __init__(self, unweighted: Any, weighted: Any, names: Sequence[str] | None = None) -> None:
        self._given = [(unweighted, ""), (weighted, "weighted_")]
        self.names = list(names) if names is not None else None
        self._made: list[list[list[Any]]] | None = None  # by kind and output
        if unweighted is None and weighted is None:
            self._made = []
        elif names is not None and len(names) == 1:
            flat = [m for given, _ in self._given for m in _metrics_per_output(given, names)[0]]
            if not any(isinstance(m, str) and m in _NEED_SHAPES for m in flat):
                self._resolve(self.names or [], [None], [None])

    @property
    def metrics(self) -> list[Any]:
        return [m for kind in self._made or () for of_output in kind for m in of_output]

    def prepare(self, model: Any, batch: Any, structure: Any) -> None:
        """Make the metrics, and the losses, knowing the targets of a batch and the model's output for it."""
        loss = model._compiled_loss
        if self._made is not None and (loss.given is None or loss.resolved):
            return
        if structure[1] is None:
            raise ValueError(_NO_TARGETS)
        shapes = [shape for shape, _ in batch.signature]
        inputs, targets, _ = (restore(part, shapes) for part in structure)
        try:
            outputs = model.compute_output_shape(inputs)
        except NotImplementedError:  # a model of the user's own: one call tells
            outputs = map_structure(lambda t: t.shape, model.output_of_first_rows(batch, structure))
        names = output_names(self.names, outputs)
        of_outputs = flatten_shapes(outputs)
        of_targets = leaves_for(targets, names, len(of_outputs), "targets", is_leaf=is_shape)
        if loss.given is not None:
            loss.resolve(of_targets, outputs)
        if self._made is None:
            self._resolve(names, of_targets, of_outputs)

    def _resolve(self, names: list[str], targets: Sequence[Any], outputs: Sequence[Any]) -> None:
        taken: dict[str, int] = {}
        self.names = names
        self._made = []
        for given, prefix in self._given:
            of_kind = _metrics_per_output(given, names)
            self._made.append(
                [
                    [
                        _named(metrics.get(m, target, output), taken, prefix, f"{name}_" if len(names) > 1 else "")
                        for m in of_output
                    ]
                    for of_output, name, target, output in zip(of_kind, names, targets, outputs, strict=True)
                ]
            )

    def update(self, y: Any, prediction: Any, sample_weight: Any) -> None:
        if self._made == []:
            return
        predictions = flatten(prediction)
        if self._made is None:  # in a step of the model's own, which nothing has prepared
            self.names = output_names(self.names, map_structure(_shape_of, prediction))
        targets = leaves_for(y, self.names, len(predictions), "targets")
        if self._made is None:
            self._resolve(self.names or [], [_shape_of(t) for t in targets], [p.shape for p in predictions])
        weights = _weights_for(sample_weight, self.names, len(predictions))
        unweighted, weighted = self._made or ([], [])
        for of_output, y_true, y_pred in zip(unweighted, targets, predictions, strict=False):
            for metric in of_output:
                metric.update_state(y_true, y_pred)
        for of_output, y_true, y_pred, weight in zip(weighted, targets, predictions, weights, strict=False):
            for metric in of_output:
                metric.update_state(y_true, y_pred, weight)


_NO_TARGETS = "the loss and the metrics need targets: pass y, or batches (x, y)"


# Nests by output


def _shape_of(x: Any) -> Any:
    return None if x is None else x.shape


def is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(n is None or isinstance(n, int) for n in value)


def flatten_shapes(nest: Any) -> list[Any]:
    if nest is None or is_shape(nest):
        return [nest]
    return [shape for part in (nest.values() if isinstance(nest, dict) else nest) for shape in flatten_shapes(part)]


def output_names(names: Sequence[str] | None, outputs: Any) -> list[str]:
    """The outputs' names: those that are known, or a dict's keys, or "output_1", "output_2", ..."""
    if isinstance(outputs, dict):
        return list(outputs)
    count = len(flatten_shapes(outputs))
    if names is not None and len(names) == count:
        return list(names)
    return ["output"] if count == 1 else [f"output_{i + 1}" for i in range(count)]


def leaves_for(nest: Any, names: Sequence[str] | None, count: int, what: str, is_leaf: Any = None) -> list[Any]:
    """The leaf of each output, from a list in their order or a dict by their names."""
    if nest is None:
        return [None] * count
    if isinstance(nest, Mapping):
        unknown = [key for key in nest if names is None or key not in names]
        if unknown:
            raise ValueError(f"{what} named {unknown} belong to none of the outputs {list(names or ())}")
        return [nest.get(name) for name in names or ()]
    leaves = [nest] if is_leaf is not None and is_leaf(nest) else flatten_shapes(nest) if is_leaf else flatten(nest)
    if len(leaves) != count:
        raise ValueError(
            f"the model gives {count} {'output' if count == 1 else 'outputs'}, {list(names or ())}; received "
            f"{len(leaves)} {what}"
        )
    return leaves


def _weights_for(sample_weight: Any, names: Sequence[str] | None, count: int) -> list[Any]:
    """One weight per sample holds for all outputs."""
    if isinstance(sample_weight, (list, tuple, Mapping)):
        return leaves_for(sample_weight, names, count, "sample weights")
    return [sample_weight] * count


def _is_nest(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, Mapping) and "class_name" not in value)


def _per_output(given: Any, names: Sequence[str], what: str) -> list[Any]:
    """One entry per output."""
    if not _is_nest(given):
        return [given] * len(names)
    return leaves_for(list(given) if isinstance(given, tuple) else given, names, len(names), f"entries of {what}")


def _metrics_per_output(given: Any, names: Sequence[str]) -> list[list[Any]]:
    if isinstance(given, Mapping):
        given = leaves_for(given, names, len(names), "metrics")
    elif given is None or len(names) == 1:
        given = [given] * len(names)
    elif not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise ValueError(
            f"the model has {len(names)} outputs, {list(names)}: metrics are a dict by their names, or a list with one "
            f"entry (a metric, a list of them or None) for each; received {given!r}"
        )
    return [[m for m in flatten(of_output) if m is not None] for of_output in given]


_NEED_SHAPES = ("accuracy", "acc", "crossentropy", "ce")


def _named(metric: Any, taken: dict[str, int], prefix: str, output: str) -> Any:
    """Two metrics of one name become ``name`` and ``name_1``; a weighted one ``weighted_name``."""
    metric.name = output + metric.name
    if metric.name in taken and prefix:
        metric.name = prefix + metric.name
    again = taken.get(metric.name, 0)
    taken[metric.name] = again + 1
    if again:
        metric.name = f"{metric.name}_{again}"
    return metric
