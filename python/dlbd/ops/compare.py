"""Comparisons, logic, tests for NaN and infinity, and choosing by a condition."""

from __future__ import annotations

from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL
from dlbd.ops.elementwise import broadcast
from dlbd.ops.promotion import cast_to, constant, operands
from dlbd.ops.reduce import sum_to
from dlbd.tensor import Tensor, as_tensor

_COMPARE: dict[str, int] = _cpu.COMPARE
_PREDICATE: dict[str, int] = _cpu.PREDICATE


def _compare(op: str, x1: Any, x2: Any) -> Tensor:
    a, b = operands(x1, x2)
    left, right = a.array, b.array
    shape, sizes = broadcast(op, left.shape, right.shape)
    y = backend.empty(sizes, BOOL, left)
    backend.twin(left).compare_forward(shape, _COMPARE[op], left, right, y)
    return Tensor(y)


def equal(x1: Any, x2: Any) -> Tensor:
    """``x1 == x2``, element by element with broadcasting, as bool; NaN equals nothing.

    Example:
        >>> dlbd.ops.equal([1.0, 2.0, np.nan], [1.0, 0.0, np.nan]).numpy()
        array([ True, False, False])
    """
    return _compare("equal", x1, x2)


def not_equal(x1: Any, x2: Any) -> Tensor:
    """``x1 != x2``, element by element with broadcasting, as bool; NaN differs from everything.

    Example:
        >>> dlbd.ops.not_equal([1.0, 2.0, np.nan], [1.0, 0.0, np.nan]).numpy()
        array([False,  True,  True])
    """
    return _compare("not_equal", x1, x2)


def less(x1: Any, x2: Any) -> Tensor:
    """``x1 < x2``, element by element with broadcasting, as bool; False for NaN.

    Example:
        >>> dlbd.ops.less([1, 2, 3], 2).numpy()
        array([ True, False, False])
    """
    return _compare("less", x1, x2)


def less_equal(x1: Any, x2: Any) -> Tensor:
    """``x1 <= x2``, element by element with broadcasting, as bool; False for NaN.

    Example:
        >>> dlbd.ops.less_equal([1, 2, 3], 2).numpy()
        array([ True,  True, False])
    """
    return _compare("less_equal", x1, x2)


def greater(x1: Any, x2: Any) -> Tensor:
    """``x1 > x2``, element by element with broadcasting, as bool; False for NaN.

    Example:
        >>> dlbd.ops.greater([[1], [3]], [2, 0]).numpy()
        array([[False,  True],
               [ True,  True]])
    """
    return _compare("greater", x1, x2)


def greater_equal(x1: Any, x2: Any) -> Tensor:
    """``x1 >= x2``, element by element with broadcasting, as bool; False for NaN.

    Example:
        >>> dlbd.ops.greater_equal([1, 2, 3], 2).numpy()
        array([False,  True,  True])
    """
    return _compare("greater_equal", x1, x2)


def logical_and(x1: Any, x2: Any) -> Tensor:
    """Whether both are not zero, as bool, with broadcasting; NaN is not zero.

    Example:
        >>> dlbd.ops.logical_and([True, True, False], [1.0, 0.0, 1.0]).numpy()
        array([ True, False, False])
    """
    return _compare("logical_and", x1, x2)


def logical_or(x1: Any, x2: Any) -> Tensor:
    """Whether at least one of both is not zero, as bool, with broadcasting; NaN is not zero.

    Example:
        >>> dlbd.ops.logical_or([True, False, False], [1.0, -0.5, 0.0]).numpy()
        array([ True,  True, False])
    """
    return _compare("logical_or", x1, x2)


def logical_xor(x1: Any, x2: Any) -> Tensor:
    """Whether exactly one of both is not zero, as bool, with broadcasting; NaN is not zero.

    Example:
        >>> dlbd.ops.logical_xor([True, True, False], [True, False, False]).numpy()
        array([False,  True, False])
    """
    return _compare("logical_xor", x1, x2)


def _predicate(op: str, x: Any) -> Tensor:
    a = as_tensor(x).array
    y = backend.empty(a.shape, BOOL, a)
    backend.twin(a).predicate_forward(_PREDICATE[op], a, y)
    return Tensor(y)


def logical_not(x: Any) -> Tensor:
    """Whether ``x`` is zero, as bool; NaN is not.

    Example:
        >>> dlbd.ops.logical_not([0.0, 2.0, np.nan]).numpy()
        array([ True, False, False])
    """
    return _predicate("logical_not", x)


def isnan(x: Any) -> Tensor:
    """Whether ``x`` is NaN, as bool; False for integers.

    Example:
        >>> dlbd.ops.isnan([1.0, np.inf, np.nan]).numpy()
        array([False, False,  True])
    """
    return _predicate("isnan", x)


def isinf(x: Any) -> Tensor:
    """Whether ``x`` is infinite, of either sign, as bool; False for integers.

    Example:
        >>> dlbd.ops.isinf([1.0, -np.inf, np.nan]).numpy()
        array([False,  True, False])
    """
    return _predicate("isinf", x)


def isfinite(x: Any) -> Tensor:
    """Whether ``x`` is neither infinite nor NaN, as bool; True for integers.

    Example:
        >>> dlbd.ops.isfinite([1.0, -np.inf, np.nan]).numpy()
        array([ True, False, False])
    """
    return _predicate("isfinite", x)


def where(condition: Any, x1: Any, x2: Any) -> Tensor:
    """``x1`` where ``condition`` is not zero, ``x2`` elsewhere.

    Args:
        condition: bool, or numbers compared with zero.
        x1, x2: numbers; they meet in the wider dtype. All three are broadcast together.

    Returns:
        The shape of all three together. The gradient goes to the side that was chosen; the other one gets zero,
        whatever its value.

    Raises:
        ValueError: the shapes do not broadcast together.

    Example:
        >>> dlbd.ops.where([[True], [False]], [1.0, 2.0], -1.0).numpy()
        array([[ 1.,  2.],
               [-1., -1.]], dtype=float32)
    """
    c = cast_to(as_tensor(condition), BOOL)
    a, b = operands(x1, x2)
    mask, left, right = c.array, a.array, b.array
    shape, sizes = broadcast("where", mask.shape, left.shape, right.shape)
    y = Tensor(backend.empty(sizes, left.dtype, left))
    backend.twin(left).select_forward(shape, mask, left, right, y.array)
    if autograd.recording() and left.dtype.kind == "f":
        autograd.note((a, b), (y,), lambda grads: _where_gradient(grads, c, a, b, y))
    return y


def _where_gradient(grads: Gradients, c: Tensor, a: Tensor, b: Tensor, y: Tensor) -> None:
    """dy flows to the side that was chosen."""
    dy = grads.of(y)
    assert dy is not None
    zero = constant(0.0, dy).array
    twin = backend.twin(dy)
    for chosen, x in ((True, a), (False, b)):
        if not grads.wants(x):
            continue
        pair = (dy, zero) if chosen else (zero, dy)
        shape, _ = broadcast("where", c.array.shape, pair[0].shape, pair[1].shape)
        if x.array.shape == dy.shape:
            dx, accumulate = grads.into(x)
            twin.select_forward(shape, c.array, *pair, dx, accumulate)
        else:
            whole = backend.empty(dy.shape, dy.dtype, dy)
            twin.select_forward(shape, c.array, *pair, whole, False)
            sum_to(grads, x, whole)
