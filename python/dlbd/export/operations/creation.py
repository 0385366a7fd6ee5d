"""New arrays whose sizes are known only when the model runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.export.graph import Value
from dlbd.export.sizes import Size
from dlbd.export.tracing import Spec, Trace, composed


def _full(t: Trace, y: Spec, shape: Any, fill_value: Any, dtype: Any) -> Value:
    sizes = [shape] if isinstance(shape, (int, np.integer, Size)) else list(shape)
    return t.graph.node("Expand", t.value(fill_value, y.dtype), t.vector(sizes))


def _arange(t: Trace, y: Spec, start: Any, stop: Any, step: Any, dtype: Any) -> Value:
    if stop is None:
        start, stop = 0, start
    limits = (t.value(n, np.int64) for n in (start, stop, 1 if step is None else step))
    return t.graph.node("Cast", t.graph.node("Range", *limits), to=y.dtype)


def _like(x: Any, fill_value: Any, dtype: Any) -> Any:
    return ops.full(x.shape, fill_value, x.dtype if dtype is None else dtype)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "arange": _arange,
    "full": _full,
    "full_like": composed(_like),
}
