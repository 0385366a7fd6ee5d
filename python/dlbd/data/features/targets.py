"""One target, several side by side, or one for each output of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlbd.data.arrow import pa
from dlbd.data.features.column import FLOAT32, Column
from dlbd.data.features.target import Target

Targets = Column | tuple[Column, ...] | dict[str, Column] | None


def as_targets(target: Any) -> Targets:
    """Names become a :class:`Target`; several in a list are numbers.

    Raises:
        TypeError: it is none of these.
    """
    if target is None or isinstance(target, Column):
        return target
    if isinstance(target, str):
        return Target(target)
    several = list(target.values()) if isinstance(target, Mapping) else target
    if not isinstance(several, (list, tuple)) or not several or not all(isinstance(t, (str, Column)) for t in several):
        raise TypeError(f"target is a column, a list of columns, or a dict of output and column; received {target!r}")
    if isinstance(target, Mapping):
        return {output: t if isinstance(t, Column) else Target(t) for output, t in target.items()}
    return tuple(t if isinstance(t, Column) else Target(t, kind="number") for t in target)


def listed(targets: Targets) -> list[Column]:
    """All of them."""
    if targets is None:
        return []
    if isinstance(targets, Column):
        return [targets]
    return list(targets.values() if isinstance(targets, dict) else targets)


def with_columns(targets: Targets, columns: list[Column]) -> Targets:
    """The same with other columns, as :func:`listed` has them."""
    if isinstance(targets, dict):
        return dict(zip(targets, columns, strict=True))
    if isinstance(targets, tuple):
        return tuple(columns)
    return columns[0] if columns else None


def transformed(targets: Targets, given: Mapping[str, pa.Array]) -> Any:
    """(rows, ...) numbers; (rows, columns) of several; a dict of arrays of one for each output; None for none."""
    found = [t.transform(given[t.name]) for t in listed(targets)]
    if isinstance(targets, dict):
        return dict(zip(targets, found, strict=True))
    if isinstance(targets, tuple):
        whole = all(y.dtype == np.int64 for y in found)
        return np.column_stack(found).astype(np.int64 if whole else FLOAT32, copy=False)
    return found[0] if found else None
