"""Raw rows for ``fit``, ``evaluate``, ``predict`` and the calls for one batch: a source, and for a model with features
tables, records and streams of them as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from dlbd.models.adapt import is_stream
from dlbd.models.batches import RawRows, Source, close
from dlbd.models.frames import is_frame
from dlbd.models.py_dataset import PyDataset


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


def raw_rows(model: Any, x: Any) -> tuple[RawRows | None, Any]:
    """``x`` as raw rows, or None where it is none: arrays, batches of them, tables for a model without features; and
    ``x``, a stream with what was taken from it put back.

    Raises:
        ValueError: these are records, and the model has no features.
    """
    if hasattr(x, "batches_for"):
        return x, x
    if _are_rows(x):
        features = features_of(model)
        if features is None and are_records(x):
            raise _no_features(model)
        return None if features is None else features.raw_rows(x), x
    given = getattr(model, "features", None) is not None
    if given and is_stream(x) and hasattr(x, "__iter__") and not isinstance(x, PyDataset):
        first, x = _looked_into(x)
        if _are_rows(first) and (features := features_of(model)) is not None:
            return features.raw_stream(first, x), x
    return None, x


def batch_of_rows(model: Any, x: Any) -> tuple[RawRows | None, int]:
    """``x`` as raw rows that are one batch, and how many there are; None where it is none.

    Raises:
        ValueError: it has no end that is known, or the model has no features.
    """
    if hasattr(x, "batches_for") or (isinstance(x, Iterator) and getattr(model, "features", None) is not None):
        kind = "a source" if hasattr(x, "batches_for") else f"a {type(x).__name__}"
        raise ValueError(
            f"[{model.name}] {kind} is no batch, but many rows: pass some of them, source.head(32) or each of "
            "source.batches(32) for one; or all to fit(), evaluate() or predict()"
        )
    rows = raw_rows(model, x)[0] if _are_rows(x) else None
    return rows, 0 if rows is None else rows.count()


def refuse_raw_rows(model: Any, x: Any) -> None:
    """TypeError if ``x``, which the model is called with, is raw rows: a call takes arrays."""
    given = isinstance(x, Mapping) and set(x) <= set(model.input_names or ())
    rows = are_records(x) or (_are_rows(x) and not given and features_of(model) is not None)
    if rows or hasattr(x, "batches_for"):
        raise TypeError(
            f"[{model.name}] a model is called with arrays; received raw rows ({type(x).__name__}): predict() and "
            "predict_on_batch() take them, and features.to_numpy(dlbd.data.open(rows)) makes arrays of them"
        )


def _are_rows(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return len(x) == 0 or (not isinstance(x[0], (list, tuple)) and _are_rows(x[0]))
    return isinstance(x, Mapping) or is_frame(x) or hasattr(x, "__arrow_c_stream__")


def are_records(x: Any) -> bool:
    """Whether ``x`` is a list of dicts."""
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(isinstance(row, Mapping) for row in x)


def _looked_into(stream: Any) -> tuple[Any, Any]:
    """The first item of a stream, None if there is none; and the stream with all items."""
    items = iter(stream)
    first = list(islice(items, 1))
    if isinstance(stream, Iterator):
        return (first or [None])[0], chain(first, stream)
    close(items)
    return (first or [None])[0], stream


def _no_features(model: Any) -> ValueError:
    return ValueError(
        f"[{model.name}] has no features that make inputs of raw rows: fit(source, target=...) learns them"
    )


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
        raise _no_features(model)
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
        for name in class_weight:
            if name not in numbers and not isinstance(name, int):
                raise ValueError(f"class_weight: {name!r} is no class of the target; these are {classes}")
        return {numbers.get(name, name): weight for name, weight in class_weight.items()}
    return class_weight
