"""Sorting, searching, running sums, sums over segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd import ops
from dlbd.backend import INT32
from dlbd.export.graph import Value
from dlbd.export.operations.arithmetic import narrow, wide
from dlbd.export.tracing import Spec, Trace, composed
from dlbd.ops.promotion import wider


def _largest(t: Trace, x: Any, k: Any, axis: int, descending: bool) -> tuple[Value, Value]:
    """The first values in order and their positions; of equal ones the first in its place."""
    number = wide(t, x, x.dtype)
    values, places = t.graph.nodes_of("TopK", 2, number, t.vector([k]), axis=axis % x.ndim, largest=int(descending))
    return narrow(t, x.dtype, values), t.graph.node("Cast", places, to=INT32)


def _sorting(which: int, function: Callable[..., Any]) -> Callable[..., Any]:
    def operation(t: Trace, y: Spec, x: Any, axis: int | None) -> Any:
        if axis is None:
            return function(ops.ravel(x), 0)
        return _largest(t, x, x.shape[axis], axis, descending=False)[which]

    return operation


def _top_k(t: Trace, y: Any, x: Any, k: int, sorted: bool) -> list[Value]:
    return list(_largest(t, x, k, -1, descending=True))


def _cumsum(t: Trace, y: Spec, x: Any, axis: int | None, dtype: Any) -> Any:
    if axis is None:
        return ops.cumsum(ops.ravel(x), 0, dtype)
    return t.graph.node("CumSum", t.value(x, y.dtype), t.graph.constant(axis % x.ndim, "int64"))


def _searchsorted(sorted_sequence: Any, values: Any, side: str) -> Any:
    compare = ops.less if side == "left" else ops.less_equal
    return ops.sum(compare(sorted_sequence, ops.expand_dims(values, -1)), axis=-1)


def _added_rows(x: Any, ids: Any, count: int) -> Any:
    return ops.tensordot(ops.one_hot(ids, count, dtype=wider(x.dtype, ops.ones(()).dtype)), x, ([0], [0]))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "added_rows": composed(_added_rows),
    "argsort": _sorting(1, ops.argsort),
    "cumsum": _cumsum,
    "searchsorted": composed(_searchsorted),
    "sort": _sorting(0, ops.sort),
    "top_k": _top_k,
}
