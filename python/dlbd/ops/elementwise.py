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
from dlbd.tensor import Tensor, as_float, as_tensor, lies_on_gpu

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
    """``x1 + x2``, with broadcasting.

    Args:
        x1, x2: numbers; they meet in the wider dtype. Integers wrap around; booleans count as int32.

    Raises:
        ValueError: the shapes do not broadcast together.

    Example:
        >>> dlbd.ops.add([[1.0], [2.0]], [10.0, 20.0]).numpy()
        array([[11., 21.],
               [12., 22.]], dtype=float32)
        >>> dlbd.ops.add(np.array([250], np.uint8), 10).numpy()
        array([4], dtype=uint8)
    """
    return _binary("add", _ADD, x1, x2)


def subtract(x1: Any, x2: Any) -> Tensor:
    """``x1 - x2``, with broadcasting. Integers wrap around; booleans count as int32.

    Example:
        >>> dlbd.ops.subtract([1.0, 2.0], 0.5).numpy()
        array([0.5, 1.5], dtype=float32)
    """
    return _binary("subtract", _SUBTRACT, x1, x2)


def multiply(x1: Any, x2: Any) -> Tensor:
    """``x1 * x2``, element by element, with broadcasting. Integers wrap around; booleans count as int32.

    Example:
        >>> dlbd.ops.multiply([[1.0], [2.0]], [3.0, 4.0]).numpy()
        array([[3., 4.],
               [6., 8.]], dtype=float32)
    """
    return _binary("multiply", _BINARY["multiply"], x1, x2)


def divide(x1: Any, x2: Any) -> Tensor:
    """``x1 / x2``, with broadcasting; integers become float32. By zero it gives infinity, or NaN for 0 / 0.

    Example:
        >>> dlbd.ops.divide([1, -1, 0], [4, 0, 0]).numpy()
        array([0.25, -inf,  nan], dtype=float32)
    """
    a, b = operands(x1, x2)
    return _binary("divide", _BINARY["divide"], as_float(a), as_float(b))


true_divide = divide


def floor_divide(x1: Any, x2: Any) -> Tensor:
    """``x1 // x2``, rounded down, with broadcasting; an integer divided by zero gives zero. The gradient is zero.

    Example:
        >>> dlbd.ops.floor_divide([7, -7, 7], [2, 2, 0]).numpy().tolist()
        [3, -4, 0]
    """
    return _binary("floor_divide", _BINARY["floor_divide"], x1, x2)


def mod(x1: Any, x2: Any) -> Tensor:
    """The remainder ``x1 - x2 * floor(x1 / x2)``, with the sign of ``x2``; an integer modulo zero is zero, a float NaN.

    The gradient is 1 with respect to ``x1``, ``-floor(x1 / x2)`` with respect to ``x2``.

    Example:
        >>> dlbd.ops.mod([7.5, -7.5], [2.0, 2.0]).numpy()
        array([1.5, 0.5], dtype=float32)
    """
    return _binary("mod", _BINARY["mod"], x1, x2)


def power(x1: Any, x2: Any) -> Tensor:
    """``x1 ** x2``, with broadcasting.

    A negative float to a power that is not whole is NaN; an integer to a negative power is truncated to an integer. The
    gradient with respect to ``x2`` is zero where ``x1`` is zero, NaN where it is negative.

    Example:
        >>> dlbd.ops.power([2.0, 9.0, -2.0], [-1.0, 0.5, 3.0]).numpy().round(4)
        array([ 0.5,  3. , -8. ], dtype=float32)
    """
    if isinstance(x2, (int, float)) and x2 == 2 and not isinstance(x2, bool):
        x = as_tensor(x1)
        if x.array.dtype.kind == "f" or isinstance(x2, int):
            return square(x)
    return _binary("power", _BINARY["power"], x1, x2)


def maximum(x1: Any, x2: Any) -> Tensor:
    """The larger of both, with broadcasting; NaN if either is. At a tie each gets half of the gradient.

    Booleans count as int32; see :func:`logical_or`.

    Example:
        >>> dlbd.ops.maximum([1.0, 5.0, np.nan], [4.0, 2.0, 0.0]).numpy()
        array([ 4.,  5., nan], dtype=float32)
    """
    return _binary("maximum", _BINARY["maximum"], x1, x2)


def minimum(x1: Any, x2: Any) -> Tensor:
    """The smaller of both, with broadcasting; NaN if either is. At a tie each gets half of the gradient.

    Booleans count as int32; see :func:`logical_and`.

    Example:
        >>> dlbd.ops.minimum([1.0, 5.0, np.nan], [4.0, 2.0, 0.0]).numpy()
        array([ 1.,  2., nan], dtype=float32)
    """
    return _binary("minimum", _BINARY["minimum"], x1, x2)


def arctan2(x1: Any, x2: Any) -> Tensor:
    """The angle of the point (``x2``, ``x1``), in radians from -pi to pi, with broadcasting; integers become float32.

    Example:
        >>> dlbd.ops.arctan2([1.0, 0.0, -1.0], [1.0, -1.0, 0.0]).numpy().round(4)
        array([ 0.7854,  3.1416, -1.5708], dtype=float32)
    """
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
    """``-x``. Unsigned integers wrap around; booleans become int32.

    Example:
        >>> dlbd.ops.negative([1.5, -2.0]).numpy()
        array([-1.5,  2. ], dtype=float32)
    """
    return unary("negative", _counted(x))


def absolute(x: Any) -> Tensor:
    """``|x|``, in the dtype of ``x``; booleans become int32. The gradient at zero is zero.

    Example:
        >>> dlbd.ops.abs([-1.5, 0.0, 2.0]).numpy()
        array([1.5, 0. , 2. ], dtype=float32)
    """
    return unary("abs", _counted(x))


abs = absolute


def square(x: Any) -> Tensor:
    """``x * x``, in the dtype of ``x``; booleans become int32.

    Example:
        >>> dlbd.ops.square([-1.5, 2.0]).numpy()
        array([2.25, 4.  ], dtype=float32)
    """
    return unary("square", _counted(x))


def sign(x: Any) -> Tensor:
    """-1, 0 or 1, in the dtype of ``x``; booleans become int32, NaN stays NaN. The gradient is zero.

    Example:
        >>> dlbd.ops.sign([-3.5, 0.0, 2.0, np.nan]).numpy()
        array([-1.,  0.,  1., nan], dtype=float32)
    """
    return unary("sign", _counted(x))


def sqrt(x: Any) -> Tensor:
    """The square root; NaN for negative values, the gradient at zero infinite. Integers become float32.

    Example:
        >>> dlbd.ops.sqrt([6.25, 0.0, -1.0]).numpy()
        array([2.5, 0. , nan], dtype=float32)
    """
    return unary("sqrt", as_float(x))


def rsqrt(x: Any) -> Tensor:
    """``1 / sqrt(x)``; infinite at zero, NaN for negative values. Integers become float32.

    Example:
        >>> dlbd.ops.rsqrt([4.0, 0.0, -1.0]).numpy().round(4)
        array([0.5, inf, nan], dtype=float32)
    """
    return unary("rsqrt", as_float(x))


def reciprocal(x: Any) -> Tensor:
    """``1 / x``; infinite at zero. Integers become float32.

    Example:
        >>> dlbd.ops.reciprocal([4, 0]).numpy()
        array([0.25,  inf], dtype=float32)
    """
    return unary("reciprocal", as_float(x))


def exp(x: Any) -> Tensor:
    """e to the power of ``x``; infinite above 88.72 in float32, zero far below. Integers become float32.

    Example:
        >>> dlbd.ops.exp([0.0, 1.0, 89.0]).numpy().round(4)
        array([1.    , 2.7183,    inf], dtype=float32)
    """
    return unary("exp", as_float(x))


def expm1(x: Any) -> Tensor:
    """``exp(x) - 1``, accurate near zero, where ``exp(x)`` itself rounds to 1. Integers become float32.

    Example:
        >>> float(dlbd.ops.exp(1e-9) - 1), f"{float(dlbd.ops.expm1(1e-9)):.1e}"
        (0.0, '1.0e-09')
    """
    return unary("expm1", as_float(x))


def log(x: Any) -> Tensor:
    """The natural logarithm; -inf at zero, NaN below. Integers become float32.

    Example:
        >>> dlbd.ops.log([1.0, 10.0, 0.0, -1.0]).numpy().round(4)
        array([0.    , 2.3026,   -inf,    nan], dtype=float32)
    """
    return unary("log", as_float(x))


def log1p(x: Any) -> Tensor:
    """``log(1 + x)``, accurate near zero, where ``1 + x`` rounds to 1; -inf at -1, NaN below. Integers become float32.

    Example:
        >>> float(dlbd.ops.log(np.float32(1 + 1e-9))), f"{float(dlbd.ops.log1p(1e-9)):.1e}"
        (0.0, '1.0e-09')
    """
    return unary("log1p", as_float(x))


def log2(x: Any) -> Tensor:
    """The logarithm to base 2; -inf at zero, NaN below. Integers become float32.

    Example:
        >>> dlbd.ops.log2([8, 0.25]).numpy().round(4)
        array([ 3., -2.], dtype=float32)
    """
    return multiply(log(x), 1.4426950408889634)


def log10(x: Any) -> Tensor:
    """The logarithm to base 10; -inf at zero, NaN below. Integers become float32.

    Example:
        >>> dlbd.ops.log10([1000, 0.01]).numpy().round(4)
        array([ 3., -2.], dtype=float32)
    """
    return multiply(log(x), 0.4342944819032518)


def sin(x: Any) -> Tensor:
    """The sine of an angle in radians; NaN of infinity. Integers become float32.

    Example:
        >>> dlbd.ops.sin([0.0, np.pi / 6, np.pi / 2]).numpy().round(4)
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return unary("sin", as_float(x))


def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians; NaN of infinity. Integers become float32.

    Example:
        >>> dlbd.ops.cos([0.0, np.pi / 3, np.pi]).numpy().round(4)
        array([ 1. ,  0.5, -1. ], dtype=float32)
    """
    return unary("cos", as_float(x))


def tan(x: Any) -> Tensor:
    """The tangent of an angle in radians, ``sin(x) / cos(x)``; NaN of infinity. Integers become float32.

    Example:
        >>> dlbd.ops.tan([0.0, np.pi / 4, 1.5]).numpy().round(3)
        array([ 0.   ,  1.   , 14.101], dtype=float32)
    """
    x = as_float(x)
    return divide(sin(x), cos(x))


def erf(x: Any) -> Tensor:
    """The error function: ``2 / sqrt(pi)`` times the integral of ``exp(-t^2)`` from 0 to ``x``; integers give float32.

    Example:
        >>> dlbd.ops.erf([-5.0, 0.0, 0.5]).numpy().round(4)
        array([-1.    ,  0.    ,  0.5205], dtype=float32)
    """
    return unary("erf", as_float(x))


def floor(x: Any) -> Tensor:
    """The next integer below, as a float; the gradient is zero.

    Example:
        >>> dlbd.ops.floor([-1.5, 2.75]).numpy()
        array([-2.,  2.], dtype=float32)
    """
    return unary("floor", as_float(x))


def ceil(x: Any) -> Tensor:
    """The next integer above, as a float; the gradient is zero.

    Example:
        >>> dlbd.ops.ceil([-1.5, 2.25]).numpy()
        array([-1.,  3.], dtype=float32)
    """
    return unary("ceil", as_float(x))


def round(x: Any, decimals: int = 0) -> Tensor:
    """To the nearest multiple of ``10 ** -decimals``, ties to even; the gradient is zero. Integers stay integers.

    Args:
        x: any shape; booleans become int32.
        decimals: how many digits stay after the point; negative: how many before it become zero.

    Example:
        >>> dlbd.ops.round([0.5, 1.5, -1.75]).numpy()
        array([ 0.,  2., -2.], dtype=float32)
        >>> dlbd.ops.round([125.0, 135.0], decimals=-1).numpy()
        array([120., 140.], dtype=float32)
    """
    x = _counted(x)
    dtype = x.array.dtype
    if dtype.kind != "f":
        return x if decimals >= 0 else cast_to(round(cast_to(x, backend.FLOAT64), decimals), dtype)
    if decimals == 0:
        return unary("round", x)
    scale = 10.0**decimals
    return divide(unary("round", multiply(x, scale)), scale)


def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """``x`` limited to the interval from ``x_min`` to ``x_max``; NaN stays NaN.

    Args:
        x: any shape; integers stay beside integer bounds, else become float32.
        x_min, x_max: numbers, or arrays that broadcast with ``x``. Where ``x_min > x_max`` the result is ``x_max``.

    Returns:
        The shape that ``x`` and the bounds broadcast to. The gradient is 1 inside and 0 outside; at a bound it is 1 for
        bounds that are numbers, and shared in halves with the bound for arrays.

    Example:
        >>> dlbd.ops.clip([-3.0, 0.5, 9.0], -1.0, 1.0).numpy()
        array([-1. ,  0.5,  1. ], dtype=float32)
    """
    if isinstance(x_min, (int, float)) and isinstance(x_max, (int, float)):
        x = _counted(x)
        if x.array.dtype.kind != "f" and (isinstance(x_min, float) or isinstance(x_max, float)):
            x = as_float(x)
        if float(x_min) == x_min and float(x_max) == x_max:  # a launch's scalars are doubles
            return unary("clip", x, float(x_min), float(x_max))
        if x.array.dtype.kind != "f":
            least, most = int(np.iinfo(x.array.dtype).min), int(np.iinfo(x.array.dtype).max)
            x_min, x_max = (min(max(int(limit), least), most) for limit in (x_min, x_max))
    return minimum(maximum(x, x_min), x_max)


def cast(x: Any, dtype: Any) -> Tensor:
    """``x`` in another dtype; differentiable between floats.

    Floats are truncated towards zero and limited to the range of an integer dtype, NaN becomes 0; integers wrap around;
    bool is whether a value is not zero.

    Args:
        x: any shape.
        dtype: float32, float64, int32, int64, uint8 or bool.

    Raises:
        TypeError: another dtype.

    Example:
        >>> dlbd.ops.cast([-1.75, 2.75, 300.0, np.nan], "uint8").numpy()
        array([  0,   2, 255,   0], dtype=uint8)
        >>> dlbd.ops.cast([0.0, 0.25], bool).numpy()
        array([False,  True])
    """
    wanted = np.dtype(dtype)
    if wanted not in backend.DTYPE:
        raise TypeError(f"[cast] dtype {wanted} is not supported; expected one of {', '.join(map(str, backend.DTYPE))}")
    return cast_to(as_tensor(x) if isinstance(x, Tensor) else as_tensor(x, _kept(x, wanted)), wanted)


def _kept(x: Any, wanted: np.dtype[Any]) -> np.dtype[Any] | None:
    """A float array on the host that is to be float64 does not pass through float32."""
    return wanted if wanted == backend.FLOAT64 and (x if lies_on_gpu(x) else np.asarray(x)).dtype.kind == "f" else None
