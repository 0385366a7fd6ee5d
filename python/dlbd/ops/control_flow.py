"""Loops and choices over functions, run by Python as they are called.

Everything is eager, so these read like the loops that they are. Where the course depends on a tensor (``cond``,
``switch``, ``while_loop``) the tensor is read on the host: a training step with one is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dlbd import autograd
from dlbd.autograd import Gradients
from dlbd.ops.indexing import getitem
from dlbd.ops.join import concatenate, stack
from dlbd.ops.numeric import stop_gradient
from dlbd.ops.shape import flip
from dlbd.structure import flatten, map_structure
from dlbd.tensor import Tensor, as_tensor


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """``true_fn()`` if ``pred`` is true, else ``false_fn()``. See :func:`where` for a choice element by element.

    Example:
        >>> float(dlbd.ops.cond(True, lambda: 1.0, lambda: 2.0))
        1.0
    """
    return true_fn() if bool(pred) else false_fn()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``; an index out of range takes the nearest branch.

    Example:
        >>> dlbd.ops.switch(1, [lambda x: x + 1, lambda x: x * 10], 5)
        50
    """
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """``loop_vars = body(*loop_vars)`` while ``cond(*loop_vars)``.

    Args:
        cond: whether to go on.
        body: gives the next values, in the same structure.
        loop_vars: the first values: a list or a tuple, or a single one.
        maximum_iterations: how often at most.

    Returns:
        The last values.

    Example:
        >>> dlbd.ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, 1.0))
        (3, 8.0)
    """
    single = not isinstance(loop_vars, (list, tuple))
    values = (loop_vars,) if single else loop_vars
    rounds = 0
    while (maximum_iterations is None or rounds < maximum_iterations) and bool(cond(*values)):
        values = body(*values)
        values = (values,) if not isinstance(values, (list, tuple)) else values
        rounds += 1
    return values[0] if single else type(loop_vars)(values)


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """``value = body_fun(i, value)`` for i from ``lower`` to ``upper - 1``.

    Example:
        >>> dlbd.ops.fori_loop(0, 4, lambda i, total: total + i, 0)
        6
    """
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """``carry, y = f(carry, x)`` for each x along the first axis.

    Args:
        f: a step.
        init: the first carry.
        xs: a tensor or a nest of tensors with the same first size; None for steps without input.
        length: how many steps; needed without ``xs``.
        reverse: from the last to the first.
        unroll: taken for Keras's sake.

    Returns:
        The last carry, and the ys stacked along a new first axis (None where ``f`` gives None).

    Raises:
        ValueError: neither ``xs`` nor ``length``, or sizes that differ.

    Example:
        >>> total, sums = dlbd.ops.scan(lambda c, x: (c + x, c + x), 0.0, np.array([1.0, 2.0, 3.0]))
        >>> float(total), sums.numpy().tolist()
        (6.0, [1.0, 3.0, 6.0])
    """
    count = _length("scan", xs, length)
    carry, found = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, _part(xs, i))
        found.append(y)
    return carry, _stacked(found[::-1] if reverse else found)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """``f`` of each part along the first axis, stacked.

    Args:
        f: takes what ``xs`` holds without the first axis.
        xs: a tensor or a nest of tensors with the same first size.

    Raises:
        ValueError: sizes that differ.

    Example:
        >>> dlbd.ops.map(lambda row: dlbd.ops.max(row), np.array([[1.0, 3.0], [4.0, 2.0]])).numpy()
        array([3., 4.], dtype=float32)
    """
    return _stacked([f(_part(xs, i)) for i in range(_length("map", xs, None))])


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """:func:`map`: one part after the other.

    Example:
        >>> dlbd.ops.vectorized_map(lambda row: row * 2, np.array([[1.0], [2.0]])).numpy().tolist()
        [[2.0], [4.0]]
    """
    return map(function, elements)


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """``y[0] = x[0]``, ``y[i] = f(y[i - 1], x[i])`` along an axis, for an associative ``f`` of whole arrays.

    It is called with parts of ``elems`` that have the same size along the axis, about log2(n) times (Hillis and Steele:
    Data parallel algorithms, 1986).

    Args:
        f: joins two nests of tensors like ``elems``, position by position.
        elems: a tensor or a nest of tensors.
        reverse: from the last to the first.
        axis: along which.

    Raises:
        ValueError: sizes that differ along the axis.

    Example:
        >>> dlbd.ops.associative_scan(dlbd.ops.maximum, np.array([1, 3, 2, 5])).numpy()
        array([1, 3, 3, 5])
    """

    def part(y: Any, begin: int, end: int) -> Any:
        return map_structure(lambda t: getitem(t, (slice(None),) * (axis % t.ndim) + (slice(begin, end),)), y)

    def joined(first: Any, second: Any) -> Any:
        others = iter(flatten(second))
        return map_structure(lambda t: concatenate([t, next(others)], axis), first)

    y = map_structure(lambda t: flip(as_tensor(t), axis) if reverse else as_tensor(t), elems)
    sizes = {t.shape[axis] for t in flatten(y)}
    if len(sizes) != 1:
        raise ValueError(f"[associative_scan] expected one size along axis {axis}; received {sorted(sizes)}")
    n, step = sizes.pop(), 1
    while step < n:
        y = joined(part(y, 0, step), f(part(y, 0, n - step), part(y, step, n)))
        step *= 2
    return map_structure(lambda t: flip(t, axis), y) if reverse else y


def _length(op: str, xs: Any, length: int | None) -> int:
    sizes = {as_tensor(x).shape[0] for x in flatten(xs) if x is not None}
    if length is not None:
        sizes.add(int(length))
    if len(sizes) != 1:
        raise ValueError(f"[{op}] expected one first size; received {sorted(sizes) or 'neither xs nor length'}")
    return sizes.pop()


def _part(xs: Any, i: int) -> Any:
    return map_structure(lambda x: None if x is None else getitem(as_tensor(x), i), xs)


def _stacked(found: list[Any]) -> Any:
    if not found:
        raise ValueError("[scan] there is nothing to run over: the first size is 0")
    columns = zip(*(flatten(y) for y in found), strict=True)
    joined = iter([None if column[0] is None else stack(column) for column in columns])
    return map_structure(lambda _: next(joined), found[0])


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of its own.

    Args:
        f: gives its result, a tensor, and a function of that result's gradient (``upstream``), which gives the gradient
            of each argument, or of the only one.

    Returns:
        A function of the same arguments that gives the result alone. Tapes differentiate it as ``f`` says.

    Example:
        >>> @dlbd.ops.custom_gradient
        ... def clipped(x):
        ...     return x, lambda upstream: dlbd.ops.clip(upstream, -1.0, 1.0)
        >>> x = dlbd.Variable([2.0])
        >>> with dlbd.GradientTape() as tape:
        ...     y = 5.0 * clipped(x)
        >>> tape.gradient(y, x).numpy()
        array([1.], dtype=float32)
    """

    def wrapped(*args: Any) -> Any:
        inputs = [as_tensor(x) for x in args]
        result, gradient = f(*(stop_gradient(x) for x in inputs))
        y = stop_gradient(result)
        if autograd.recording():
            autograd.note(inputs, (y,), lambda grads: _own_gradient(grads, gradient, inputs, y))
        return y

    return wrapped


def _own_gradient(grads: Gradients, gradient: Callable[..., Any], inputs: list[Tensor], y: Tensor) -> None:
    dy = grads.of(y)
    assert dy is not None
    found = gradient(Tensor(dy))
    for x, dx in zip(inputs, found if isinstance(found, (list, tuple)) else [found], strict=True):
        if dx is not None and grads.wants(x):
            given = as_tensor(dx, x.dtype).array
            if given.shape != x.shape:
                raise ValueError(f"[custom_gradient] an argument has shape {x.shape}, its gradient {given.shape}")
            grads.give(x, given)
