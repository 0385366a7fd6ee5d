"""Raw rows for ``fit``, ``evaluate`` and ``predict``: a source, and for a model with features any table as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dlbd.models.batches import RawRows, Source
from dlbd.models.frames import is_frame


class RowOptions(NamedTuple):
    """What ``fit`` takes for raw rows alone."""

    target: Any = None
    features: Any = None
    memory_limit: int | str | None = None
    shuffle_buffer: int | None = None

    def refuse(self) -> None:
        """TypeError if one is given, where the data is no raw rows."""
        given = [name for name, value in self._asdict().items() if value is not None]
        if given:
            raise TypeError(f"{given[0]}= is for a source of dlbd.data: pass dlbd.data.open(x) in place of x")


NO_OPTIONS = RowOptions()


def features_of(model: Any) -> Any:
    """What makes the model's inputs of raw rows; None if it takes arrays only."""
    found = getattr(model, "features", None)  # which may as well be layers that a subclass calls so
    return found if hasattr(found, "blocks") else None


def raw_rows(model: Any, x: Any) -> RawRows | None:
    """``x`` as raw rows; None if it is none: arrays, batches, and tables for a model without features."""
    if hasattr(x, "batches_for"):
        return x  # type: ignore[no-any-return]
    records = isinstance(x, (list, tuple)) and len(x) > 0 and isinstance(x[0], Mapping)
    if not records and not isinstance(x, Mapping) and not is_frame(x) and not hasattr(x, "__arrow_c_stream__"):
        return None
    features = features_of(model)
    return None if features is None else features.raw_rows(x)


def row_batches(
    model: Any,
    rows: RawRows,
    adapt: Callable[[Any, Any, Any], tuple[Any, Any, Any]],
    *,
    targets: bool,
    batch_size: int | None,
    shuffle: bool | str = False,
    steps: int | None = None,
    options: RowOptions = NO_OPTIONS,
) -> Source:
    """Batches of raw rows; ``steps`` of them an epoch, if not all.

    Raises:
        ValueError: the model has no features.
    """
    if features_of(model) is None:
        raise ValueError(
            f"[{model.name}] has no features that make inputs of raw rows: fit(source, target=...) learns them"
        )
    if shuffle not in (True, False):
        raise ValueError(f"rows of a source are shuffled, or not: shuffle is True or False; received {shuffle!r}")
    batch_size = 32 if batch_size is None else batch_size
    return rows.batches_for(
        model,
        adapt,
        targets=targets,
        batch_size=batch_size,
        shuffle=bool(shuffle),
        memory_limit=options.memory_limit,
        shuffle_buffer=options.shuffle_buffer,
        rows=None if steps is None else steps * batch_size,
    )


def weights_by_number(model: Any, rows: RawRows, class_weight: Any) -> Any:
    """A weight per class number, from "balanced" or weights by the names of classes."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = rows.class_counts(model)
        return {c: sum(counts.values()) / (len(counts) * n) for c, n in counts.items()}
    classes = getattr(features_of(model), "classes", None)
    if isinstance(class_weight, Mapping) and classes is not None:
        numbers = {name: number for number, name in enumerate(classes)}
        return {numbers.get(name, name): weight for name, weight in class_weight.items()}
    return class_weight
