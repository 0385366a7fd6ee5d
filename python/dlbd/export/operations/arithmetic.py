"""Elementwise operations: arithmetic, activations, comparisons, choices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import BOOL, INT32, UINT8
from dlbd.export.graph import Value
from dlbd.export.tracing import Spec, Trace, Traced, composed, refused
from dlbd.ops.promotion import operands
from dlbd.tensor import Tensor

Operation = Callable[..., Any]


def _unary(op: str, **attributes: Any) -> Operation:
    def operation(t: Trace, y: Spec, x: Any) -> Value:
        return t.graph.pointwise(op, t.value(x, y.dtype), **attributes)

    return operation


def _with_alpha(op: str, argument: str) -> Operation:
    def operation(t: Trace, y: Spec, x: Any, **options: float) -> Value:
        return t.graph.pointwise(op, t.value(x, y.dtype), alpha=float(options[argument]))

    return operation


def _counting(op: str) -> Operation:
    """A function of floats and integers."""

    def operation(t: Trace, y: Spec, x: Any) -> Value:
        return narrow(t, y.dtype, t.graph.pointwise(op, wide(t, x, y.dtype)))

    return operation


def _binary(op: str) -> Operation:
    def operation(t: Trace, y: Spec, x1: Any, x2: Any) -> Value:
        return narrow(t, y.dtype, t.graph.pointwise(op, wide(t, x1, y.dtype), wide(t, x2, y.dtype)))

    return operation


def _comparison(op: str, negated: bool = False) -> Operation:
    def operation(t: Trace, y: Spec, x1: Any, x2: Any) -> Value:
        dtype = _meeting(x1, x2)
        found = t.graph.pointwise(op, wide(t, x1, dtype), wide(t, x2, dtype))
        return t.graph.pointwise("Not", found) if negated else found

    return operation


def _logical(op: str) -> Operation:
    def operation(t: Trace, y: Spec, x1: Any, x2: Any) -> Value:
        return t.graph.pointwise(op, t.value(x1, BOOL), t.value(x2, BOOL))

    return operation


def _meeting(x1: Any, x2: Any) -> np.dtype[Any]:
    """The dtype that two operands meet in."""

    def sample(x: Any) -> Any:
        return Tensor(np.zeros((), x.dtype)) if isinstance(x, Traced) else x

    return operands(sample(x1), sample(x2))[0].dtype


def wide(t: Trace, x: Any, dtype: np.dtype[Any]) -> Value:
    """A value of ``dtype``, but int32 for what runtimes do not count with: uint8 and bool."""
    value = t.value(x, dtype)
    if dtype not in (UINT8, BOOL):
        return value
    return t.graph.pointwise("Cast", value, to=INT32)


def narrow(t: Trace, dtype: np.dtype[Any], value: Value) -> Value:
    """The way back from :func:`wide`."""
    return t.graph.pointwise("Cast", value, to=dtype) if dtype in (UINT8, BOOL) else value


def _floor_divide(t: Trace, y: Spec, x1: Any, x2: Any) -> Any:
    """Rounded down, where ONNX rounds towards zero."""
    g = t.graph
    if y.dtype.kind == "f":
        return g.pointwise("Floor", g.pointwise("Div", t.value(x1, y.dtype), t.value(x2, y.dtype)))
    return _by_nonzero(
        t, y, x1, x2, lambda a, b: g.pointwise("Div", g.pointwise("Sub", a, g.pointwise("Mod", a, b)), b)
    )


def _mod(t: Trace, y: Spec, x1: Any, x2: Any) -> Any:
    """With the divisor's sign: of floats ONNX only has the dividend's."""
    if y.dtype.kind == "f":
        return ops.subtract(x1, ops.multiply(x2, ops.floor_divide(x1, x2)))
    return _by_nonzero(t, y, x1, x2, lambda a, b: t.graph.pointwise("Mod", a, b))


def _by_nonzero(t: Trace, y: Spec, x1: Any, x2: Any, divided: Callable[[Value, Value], Value]) -> Value:
    """A division of integers; by zero it gives zero."""
    g = t.graph
    a, b = wide(t, x1, y.dtype), wide(t, x2, y.dtype)
    zero, one = (g.constant(n, INT32 if y.dtype == UINT8 else y.dtype) for n in (0, 1))
    none = g.pointwise("Equal", b, zero)
    found = divided(a, g.pointwise("Where", none, one, b))
    return narrow(t, y.dtype, g.pointwise("Where", none, zero, found))


def _cast(t: Trace, y: Spec, x: Any, dtype: Any) -> Value:
    value = t.value(x)
    if x.dtype == y.dtype:
        return value
    if x.dtype.kind == "f" and y.dtype == UINT8:  # limited to its range, where ONNX does not say
        value = t.graph.pointwise("Clip", value, *(t.graph.constant(n, x.dtype) for n in (0, 255)))
    return t.graph.pointwise("Cast", value, to=y.dtype)


def _clip(t: Trace, y: Spec, x: Any, x_min: Any, x_max: Any) -> Any:
    if not isinstance(x_min, (int, float)) or not isinstance(x_max, (int, float)):
        return ops.minimum(ops.maximum(x, x_min), x_max)
    limits = [x_min, x_max]
    if y.dtype.kind in "iu":
        kept = np.iinfo(y.dtype)
        limits = [min(max(int(n), kept.min), kept.max) for n in limits]
    return t.graph.pointwise("Clip", t.value(x, y.dtype), *(t.graph.constant(n, y.dtype) for n in limits))


def _where(t: Trace, y: Spec, condition: Any, x1: Any, x2: Any) -> Value:
    g, chosen = t.graph, t.value(condition, BOOL)
    return narrow(t, y.dtype, g.pointwise("Where", chosen, wide(t, x1, y.dtype), wide(t, x2, y.dtype)))


def _relu(t: Trace, y: Spec, x: Any, negative_slope: float, max_value: float | None, threshold: float) -> Any:
    if max_value is None and not threshold:
        return ops.leaky_relu(x, negative_slope) if negative_slope else _unary("Relu")(t, y, x)
    above = ops.threshold(x, threshold, 0.0) if threshold else ops.relu(x)
    limited = above if max_value is None else ops.minimum(above, max_value)
    if not negative_slope:
        return limited
    return ops.where(ops.greater_equal(x, threshold), limited, negative_slope * (x - threshold))


def _round(t: Trace, y: Spec, x: Any, decimals: int) -> Any:
    if y.dtype.kind != "f":
        return ops.cast(x if decimals >= 0 else ops.round(ops.cast(x, "float64"), decimals), y.dtype)
    if decimals:
        return ops.divide(ops.round(ops.multiply(x, 10.0**decimals)), 10.0**decimals)
    return _unary("Round")(t, y, x)


def _test(op: str) -> Operation:
    """A test of floats that no integer passes."""

    def operation(t: Trace, y: Spec, x: Any) -> Any:
        return t.graph.pointwise(op, t.value(x)) if x.dtype.kind == "f" else ops.not_equal(x, x)

    return operation


def _arctan2(t: Trace, y: Spec, x1: Any, x2: Any) -> Value:
    """The angle in the right half plane; in the left one turned by pi."""
    g = t.graph
    a, b = t.value(x1, y.dtype), t.value(x2, y.dtype)
    zero, one, pi, right = (g.constant(n, y.dtype) for n in (0, 1, math.pi, math.pi / 2))
    upright = g.pointwise("Equal", b, zero)
    angle = g.pointwise("Atan", g.pointwise("Div", a, g.pointwise("Where", upright, one, b)))
    half = g.pointwise("Where", g.pointwise("Less", a, zero), g.constant(-math.pi, y.dtype), pi)
    angle = g.pointwise("Where", g.pointwise("Less", b, zero), g.pointwise("Add", angle, half), angle)
    return g.pointwise("Where", upright, g.pointwise("Mul", g.pointwise("Sign", a), right), angle)


def _gelu(x: Any, approximate: bool) -> Any:
    if approximate:
        inner = ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x)))
    else:
        inner = ops.erf(x * math.sqrt(0.5))
    return (x * 0.5) * (inner + 1.0)


def _glu(x: Any, axis: int) -> Any:
    first, second = ops.split(x, 2, axis)
    return first * ops.sigmoid(second)


OPERATIONS: dict[str, Operation] = {
    "absolute": _unary("Abs"),
    "add": _binary("Add"),
    "arccos": _unary("Acos"),
    "arccosh": _unary("Acosh"),
    "arcsin": _unary("Asin"),
    "arcsinh": _unary("Asinh"),
    "arctan": _unary("Atan"),
    "arctan2": _arctan2,
    "arctanh": _unary("Atanh"),
    "cast": _cast,
    "cbrt": composed(lambda x: ops.sign(x) * ops.abs(x) ** (1 / 3)),
    "ceil": _unary("Ceil"),
    "celu": _with_alpha("Celu", "alpha"),
    "clip": _clip,
    "cos": _unary("Cos"),
    "divide": _binary("Div"),
    "elu": _with_alpha("Elu", "alpha"),
    "equal": _comparison("Equal"),
    "erf": _unary("Erf"),
    "exp": _unary("Exp"),
    "expm1": composed(lambda x: ops.exp(x) - 1.0),
    "floor": _unary("Floor"),
    "floor_divide": _floor_divide,
    "gelu": composed(_gelu),
    "glu": composed(_glu),
    "greater": _comparison("Greater"),
    "greater_equal": _comparison("GreaterOrEqual"),
    "hard_shrink": composed(lambda x, threshold: ops.where(ops.greater(ops.abs(x), threshold), x, 0.0)),
    "hard_sigmoid": _unary("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hard_silu": _unary("HardSwish"),
    "hard_tanh": composed(lambda x: ops.clip(x, -1.0, 1.0)),
    "isfinite": composed(lambda x: ops.logical_not(ops.logical_or(ops.isnan(x), ops.isinf(x)))),
    "isinf": _test("IsInf"),
    "isnan": _test("IsNaN"),
    "leaky_relu": _with_alpha("LeakyRelu", "negative_slope"),
    "less": _comparison("Less"),
    "less_equal": _comparison("LessOrEqual"),
    "log": _unary("Log"),
    "log1p": composed(lambda x: ops.log(x + 1.0)),
    "log_sigmoid": composed(lambda x: -ops.softplus(-x)),
    "logical_and": _logical("And"),
    "logical_not": lambda t, y, x: t.graph.pointwise("Not", t.value(x, BOOL)),
    "logical_or": _logical("Or"),
    "logical_xor": _logical("Xor"),
    "maximum": _binary("Max"),
    "minimum": _binary("Min"),
    "mish": composed(lambda x: x * ops.tanh(ops.softplus(x))),
    "mod": _mod,
    "multiply": _binary("Mul"),
    "negative": _counting("Neg"),
    "not_equal": _comparison("Equal", negated=True),
    "power": _binary("Pow"),
    "reciprocal": _unary("Reciprocal"),
    "relu": _relu,
    "relu6": composed(lambda x: ops.clip(x, 0.0, 6.0)),
    "round": _round,
    "rsqrt": composed(lambda x: ops.reciprocal(ops.sqrt(x))),
    "selu": _unary("Selu"),
    "sigmoid": _unary("Sigmoid"),
    "sign": _counting("Sign"),
    "silu": composed(lambda x: x * ops.sigmoid(x)),
    "sin": _unary("Sin"),
    "soft_shrink": composed(lambda x, threshold: ops.sign(x) * ops.relu(ops.abs(x) - threshold)),
    "softplus": _unary("Softplus"),
    "softsign": _unary("Softsign"),
    "sparse_plus": composed(lambda x: ops.relu(x - 1.0) + ops.square(ops.clip(x, -1.0, 1.0) + 1.0) * 0.25),
    "sparse_sigmoid": composed(lambda x: ops.clip((x + 1.0) * 0.5, 0.0, 1.0)),
    "sqrt": _unary("Sqrt"),
    "square": composed(lambda x: x * x),
    "stop_gradient": composed(lambda variable: variable),
    "subtract": _binary("Sub"),
    "tan": _unary("Tan"),
    "tanh": _unary("Tanh"),
    "tanh_shrink": composed(lambda x: x - ops.tanh(x)),
    "threshold": composed(lambda x, threshold, default_value: ops.where(ops.greater(x, threshold), x, default_value)),
    "where": _where,
}
OPERATIONS |= {
    name: refused(f"[{name}] draws random numbers, and an ONNX file only predicts")
    for name in ("dropout", "random_normal", "random_uniform")
}
