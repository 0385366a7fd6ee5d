"""Sums, means, extremes and their positions along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd import ops
from dlbd.backend import FLOAT64, INT32, INT64
from dlbd.export.graph import Value
from dlbd.export.operations.arithmetic import narrow, wide
from dlbd.export.tracing import Spec, Trace, composed
from dlbd.ops.reduce import normalized


def _reduction(op: str) -> Callable[..., Any]:
    def operation(t: Trace, y: Spec, x: Any, axis: Any, keepdims: bool) -> Value:
        axes = normalized(op, x.shape, axis)
        return narrow(t, y.dtype, t.graph.reduced(op, wide(t, x, y.dtype), x.ndim, axes, keepdims))

    return operation


def _position(op: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def operation(t: Trace, y: Spec, x: Any, axis: int | None, keepdims: bool) -> Any:
        if axis is None:
            found = function(ops.ravel(x), 0)
            return ops.reshape(found, (1,) * x.ndim) if keepdims else found
        number = t.value(x, FLOAT64) if x.dtype == INT64 else wide(t, x, x.dtype)  # runtimes compare no int64
        place = t.graph.node(op, number, axis=axis % x.ndim, keepdims=int(keepdims))
        return t.graph.node("Cast", place, to=INT32)

    return operation


def _variance(x: Any, axis: Any, keepdims: bool) -> Any:
    apart = ops.subtract(x, ops.mean(x, axis, keepdims=True))
    return ops.mean(ops.square(apart), axis, keepdims)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "all": _reduction("ReduceMin"),
    "any": _reduction("ReduceMax"),
    "argmax": _position("ArgMax", ops.argmax),
    "argmin": _position("ArgMin", ops.argmin),
    "logsumexp": _reduction("ReduceLogSumExp"),
    "max": _reduction("ReduceMax"),
    "mean": _reduction("ReduceMean"),
    "min": _reduction("ReduceMin"),
    "prod": _reduction("ReduceProd"),
    "std": composed(lambda x, axis, keepdims: ops.sqrt(ops.var(x, axis, keepdims))),
    "sum": _reduction("ReduceSum"),
    "var": composed(_variance),
}
