"""Arithmetic and elementary functions, element by element, with NumPy's broadcasting."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL, INT32
from dlbd.ops.promotion import cast_to, operands
from dlbd.ops.reduce import sum_to
from dlbd.tensor import Tensor, as_float, as_tensor

_BINARY: dict[str, int] = _cpu.BINARY
_UNARY: dict[str, int] = _cpu.UNARY
_FROM_OUTPUT: frozenset[int] = frozenset(_cpu.UNARY_FROM_OUTPUT)
_ADD, _SUBTRACT = _BINARY["add"], _BINARY["subtract"]


@lru_cache(maxsize=4096)
def _broadcast(*shapes: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    return _cpu.BroadcastShape(shapes), np.broadcast_shapes(*shapes)


def broadcast(op: str, *shapes: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """The kernels' description of broadcasting these shapes, and the shape of the result."""
    try:
        return _broadcast(*shapes)
    except ValueError as error:
        listed = " and ".join(str(s) for s in shapes)
        raise ValueError(f"[{op}] shapes {listed} do not broadcast together ({error})") from None


def _binary(op: str, number: int, x1: Any, x2: Any) -> Tensor:
    a, b = operands(x1, x2)
    left, right = a.array, b.array
    if left.dtype == BOOL:  # arithmetic of booleans counts
        a, b = cast_to(a, INT32), cast_to(b, INT32)
        left, right = a.array, b.array
    shape, sizes = broadcast(op, left.shape, right.shape)
    y = Tensor(backend.empty(sizes, left.dtype, left))
    backend.twin(left).binary_forward(shape, number, left, right, y.array)
    if autograd.recording() and left.dtype.kind == "f":
        autograd.note((a, b), (y,), lambda grads: _binary_gradient(grads, number, shape, a, b, y))
    return y


def _binary_gradient(grads: Gradients, number: int, shape: Any, a: Tensor, b: Tensor, y: Tensor) -> None:
    dy = grads.of(y)
    assert dy is not None
    for side, x in enumerate((a, b)):
        if not grads.wants(x):
            continue
        if number == _ADD or (number == _SUBTRACT and side == 0):  # dx is dy itself
            sum_to(grads, x, dy)
        elif x.array.shape == dy.shape:
            dx, accumulate = grads.into(x)
            backend.twin(dy).binary_backward(shape, number, side, a.array, b.array, dy, dx, accumulate)
        else:
            whole = backend.empty(dy.shape, dy.dtype, dy)
            backend.twin(dy).binary_backward(shape, number, side, a.array, b.array, dy, whole, False)
            sum_to(grads, x, whole)


def add(x1: Any, x2: Any) -> Tensor:
    """``x1 + x2``. Integers wrap around; booleans count as int32."""
    return _binary("add", _ADD, x1, x2)


def subtract(x1: Any, x2: Any) -> Tensor:
    """``x1 - x2``."""
    return _binary("subtract", _SUBTRACT, x1, x2)


def multiply(x1: Any, x2: Any) -> Tensor:
    """``x1 * x2``."""
    return _binary("multiply", _BINARY["multiply"], x1, x2)


def divide(x1: Any, x2: Any) -> Tensor:
    """``x1 / x2``, in float32 for integers."""
    a, b = operands(x1, x2)
    return _binary("divide", _BINARY["divide"], as_float(a), as_float(b))


true_divide = divide


def floor_divide(x1: Any, x2: Any) -> Tensor:
    """``x1 // x2``, rounded down; an integer divided by zero gives zero."""
    return _binary("floor_divide", _BINARY["floor_divide"], x1, x2)


def mod(x1: Any, x2: Any) -> Tensor:
    """``x1 % x2`` with the sign of ``x2``; an integer modulo zero is zero."""
    return _binary("mod", _BINARY["mod"], x1, x2)


def power(x1: Any, x2: Any) -> Tensor:
    """``x1 ** x2``. The gradient with respect to ``x2`` is zero where ``x1`` is zero."""
    if isinstance(x2, (int, float)) and x2 == 2 and not isinstance(x2, bool):
        x = as_tensor(x1)
        if x.array.dtype.kind == "f" or isinstance(x2, int):
            return square(x)
    return _binary("power", _BINARY["power"], x1, x2)


def maximum(x1: Any, x2: Any) -> Tensor:
    """The larger of both; NaN if either is. At a tie each gets half of the gradient."""
    return _binary("maximum", _BINARY["maximum"], x1, x2)


def minimum(x1: Any, x2: Any) -> Tensor:
    """The smaller of both; NaN if either is. At a tie each gets half of the gradient."""
    return _binary("minimum", _BINARY["minimum"], x1, x2)


def arctan2(x1: Any, x2: Any) -> Tensor:
    """The angle of the point (``x2``, ``x1``), from -pi to pi."""
    a, b = operands(x1, x2)
    return _binary("arctan2", _BINARY["arctan2"], as_float(a), as_float(b))


def unary(op: str, x: Tensor, alpha: float = 0.0, beta: float = 0.0) -> Tensor:
    """Launch a function of one float tensor (or of an integer one, where the kernel knows integers)."""
    number = _UNARY[op]
    a = x.array
    y = Tensor(backend.empty(a.shape, a.dtype, a))
    backend.twin(a).unary_forward(number, a, y.array, alpha, beta)
    if autograd.recording() and a.dtype.kind == "f":
        autograd.note((x,), (y,), lambda grads: _unary_gradient(grads, number, x, y, alpha, beta))
    return y


def _unary_gradient(grads: Gradients, number: int, x: Tensor, y: Tensor, alpha: float, beta: float) -> None:
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        saved = y.array if number in _FROM_OUTPUT else x.array
        backend.twin(dx).unary_backward(number, saved, dy, dx, accumulate, alpha, beta)


def _counted(x: Any) -> Tensor:
    """Floats and integers as they are, booleans as int32."""
    x = as_tensor(x)
    return cast_to(x, INT32) if x.array.dtype == BOOL else x


def negative(x: Any) -> Tensor:
    """``-x``."""
    return unary("negative", _counted(x))


def absolute(x: Any) -> Tensor:
    """``|x|``; the gradient at zero is zero."""
    return unary("abs", _counted(x))


abs = absolute


def square(x: Any) -> Tensor:
    """``x * x``."""
    return unary("square", _counted(x))


def sign(x: Any) -> Tensor:
    """-1, 0 or 1; NaN stays NaN."""
    return unary("sign", _counted(x))


def sqrt(x: Any) -> Tensor:
    """The square root; NaN for negative values."""
    return unary("sqrt", as_float(x))


def rsqrt(x: Any) -> Tensor:
    """``1 / sqrt(x)``."""
    return unary("rsqrt", as_float(x))


def reciprocal(x: Any) -> Tensor:
    """``1 / x``."""
    return unary("reciprocal", as_float(x))


def exp(x: Any) -> Tensor:
    """e to the power of ``x``."""
    return unary("exp", as_float(x))


def expm1(x: Any) -> Tensor:
    """``exp(x) - 1``, accurate near zero."""
    return unary("expm1", as_float(x))


def log(x: Any) -> Tensor:
    """The natural logarithm; -inf at zero, NaN below."""
    return unary("log", as_float(x))


def log1p(x: Any) -> Tensor:
    """``log(1 + x)``, accurate near zero."""
    return unary("log1p", as_float(x))


def log2(x: Any) -> Tensor:
    """The logarithm to base 2."""
    return multiply(log(x), 1.4426950408889634)


def log10(x: Any) -> Tensor:
    """The logarithm to base 10."""
    return multiply(log(x), 0.4342944819032518)


def sin(x: Any) -> Tensor:
    """The sine of an angle in radians."""
    return unary("sin", as_float(x))


def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians."""
    return unary("cos", as_float(x))


def tan(x: Any) -> Tensor:
    """The tangent of an angle in radians."""
    x = as_float(x)
    return divide(sin(x), cos(x))


def erf(x: Any) -> Tensor:
    """The error function."""
    return unary("erf", as_float(x))


def floor(x: Any) -> Tensor:
    """The next integer below, as a float; the gradient is zero."""
    return unary("floor", as_float(x))


def ceil(x: Any) -> Tensor:
    """The next integer above, as a float; the gradient is zero."""
    return unary("ceil", as_float(x))


def round(x: Any, decimals: int = 0) -> Tensor:
    """To the nearest multiple of ``10 ** -decimals``, ties to even; the gradient is zero. Integers stay."""
    x = _counted(x)
    if x.array.dtype.kind != "f" or decimals == 0:
        return unary("round", x)
    scale = 10.0**decimals
    return divide(unary("round", multiply(x, scale)), scale)


def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """``x`` limited to the interval from ``x_min`` to ``x_max``; NaN stays NaN. Outside the gradient is zero."""
    if isinstance(x_min, (int, float)) and isinstance(x_max, (int, float)):
        x = _counted(x)
        if x.array.dtype.kind != "f" and (isinstance(x_min, float) or isinstance(x_max, float)):
            x = as_float(x)
        return unary("clip", x, float(x_min), float(x_max))
    return minimum(maximum(x, x_min), x_max)


def cast(x: Any, dtype: Any) -> Tensor:
    """``x`` in another dtype. Floats are truncated towards zero and limited to the range of an integer dtype."""
    wanted = np.dtype(dtype)
    if wanted not in backend.DTYPE:
        raise TypeError(f"[cast] dtype {wanted} is not supported; expected one of {', '.join(map(str, backend.DTYPE))}")
    return cast_to(as_tensor(x) if isinstance(x, Tensor) else as_tensor(np.asarray(x), _kept(x, wanted)), wanted)


def _kept(x: Any, wanted: np.dtype[Any]) -> np.dtype[Any] | None:
    """A float array on the host that is to be float64 does not pass through float32."""
    return wanted if wanted == backend.FLOAT64 and np.asarray(x).dtype.kind == "f" else None
