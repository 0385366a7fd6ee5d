"""Sums of products along named or numbered axes: einsum, tensordot and their special cases, all by matmul."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from dlbd.ops.elementwise import multiply
from dlbd.ops.matmul import matmul
from dlbd.ops.reduce import sum
from dlbd.ops.shape import reshape, transpose
from dlbd.tensor import Tensor, as_float, as_tensor


def tensordot(x1: Any, x2: Any, axes: int | Sequence[Any] = 2) -> Tensor:
    """The sum of products along some axes of each operand.

    Args:
        x1, x2: float; integers are taken as float32.
        axes: the last so many axes of ``x1`` with the first of ``x2``, or the axes of each: two numbers or two lists.

    Returns:
        The axes of ``x1`` that are left, then those of ``x2``.

    Raises:
        ValueError: the axes differ in number or in size.

    Example:
        >>> dlbd.ops.tensordot(np.ones((2, 3, 4)), np.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
        (2, 5)
    """
    a, b = as_float(x1), as_float(x2)
    if isinstance(axes, int):
        first, second = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        first, second = ([axis] if isinstance(axis, int) else list(axis) for axis in axes)
    first, second = _counted(first, a), _counted(second, b)
    sizes = [a.shape[i] for i in first]
    if sizes != [b.shape[i] for i in second]:
        raise ValueError(f"[tensordot] axes {axes} of {a.shape} and {b.shape} do not have the same sizes")
    rest_a = [i for i in range(a.ndim) if i not in first]
    rest_b = [i for i in range(b.ndim) if i not in second]
    shape = tuple(a.shape[i] for i in rest_a) + tuple(b.shape[i] for i in rest_b)
    k = prod(sizes)
    left = reshape(transpose(a, (*rest_a, *first)), (prod(a.shape[i] for i in rest_a), k))
    right = reshape(transpose(b, (*second, *rest_b)), (k, prod(b.shape[i] for i in rest_b)))
    return reshape(matmul(left, right), shape)


def _counted(axes: Sequence[int], x: Tensor) -> list[int]:
    """From the front."""
    for axis in axes:
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"[tensordot] axis {axis} does not exist in an operand of shape {x.shape}")
    return [axis % x.ndim for axis in axes]


def dot(x1: Any, x2: Any) -> Tensor:
    """NumPy's dot: the product of scalars, else the sum over the last axis of ``x1`` and the last but one of ``x2``.

    Example:
        >>> float(dlbd.ops.dot([1.0, 2.0], [3.0, 4.0]))
        11.0
    """
    a, b = as_float(x1), as_float(x2)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    return tensordot(a, b, ([a.ndim - 1], [max(b.ndim - 2, 0)]))


def vdot(x1: Any, x2: Any) -> Tensor:
    """The sum of the products of all elements.

    Example:
        >>> float(dlbd.ops.vdot([[1.0, 2.0]], [[3.0], [4.0]]))
        11.0
    """
    return dot(reshape(as_float(x1), (-1,)), reshape(as_float(x2), (-1,)))


def inner(x1: Any, x2: Any) -> Tensor:
    """The sum of products over the last axis of both.

    Example:
        >>> dlbd.ops.inner([[1.0, 2.0], [0.0, 1.0]], [3.0, 4.0]).numpy()
        array([11.,  4.], dtype=float32)
    """
    a, b = as_float(x1), as_float(x2)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    return tensordot(a, b, ([a.ndim - 1], [b.ndim - 1]))


def outer(x1: Any, x2: Any) -> Tensor:
    """The products of each element of ``x1`` with each of ``x2``: (elements of x1, elements of x2).

    Example:
        >>> dlbd.ops.outer([1, 2], [3, 4]).numpy().tolist()
        [[3, 4], [6, 8]]
    """
    return multiply(reshape(as_tensor(x1), (-1, 1)), reshape(as_tensor(x2), (1, -1)))


_SUBSCRIPTS = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Einstein's sum: products along axes that are named by letters, "ij,jk->ik" for a matrix product.

    Operands are joined from left to right, each pair by one matrix product. An axis that stands in both and in the
    result is one of a batch; one that is not in the result is summed over.

    Args:
        subscripts: the axes of each operand, with commas between them, then "->" and those of the result; without it
            the result has the letters that occur once, in alphabetical order. "..." stands for axes in front that
            broadcast together.
        operands: float; integers are taken as float32.

    Raises:
        ValueError: the letters do not fit the operands, or one occurs twice in an operand.

    Example:
        >>> dlbd.ops.einsum("bij,bj->bi", np.ones((2, 3, 4)), np.ones((2, 4))).shape
        (2, 3)
    """
    given, names, result = _parsed(subscripts, len(operands))
    tensors = [as_float(x) for x in operands]
    sizes: dict[str, int] = {}
    rank = 0
    for own, x in zip(given, tensors, strict=True):
        letters = own.replace("...", "")
        extra = x.ndim - len(letters)
        if extra < 0 or (extra and "..." not in own):
            raise ValueError(f"[einsum] {own!r} of {subscripts!r} does not fit an operand of shape {x.shape}")
        rank = max(rank, extra)
    # Dots become digits, "..." in front of an operand with fewer axes the last of them.
    digits = "".join(chr(0xE000 + i) for i in range(rank))
    for i, (own, x) in enumerate(zip(given, tensors, strict=True)):
        extra = x.ndim - len(own.replace("...", ""))
        names[i] = own.replace("...", digits[rank - extra :])
        for letter, n in zip(names[i], x.shape, strict=True):
            if sizes.get(letter, n) not in (n, 1) and n != 1:
                raise ValueError(f"[einsum] axis {letter!r} of {subscripts!r} has sizes {sizes[letter]} and {n}")
            sizes[letter] = max(sizes.get(letter, 1), n)
    result = result.replace("...", digits) if result is not None else _usual_result(names, digits)
    if len(set(result)) != len(result) or not set(result) <= set(sizes):
        raise ValueError(f"[einsum] the result of {subscripts!r} names an axis twice, or one that no operand has")
    whole, axes = tensors[0], names[0]
    for i in range(1, len(tensors)):
        later = set(result).union(*names[i + 1 :])
        whole, axes = _joined(whole, axes, tensors[i], names[i], later)
    gone = [i for i, letter in enumerate(axes) if letter not in result]
    if gone:
        whole, axes = sum(whole, axis=gone), "".join(letter for letter in axes if letter in result)
    return transpose(whole, [axes.index(letter) for letter in result]) if axes != result else whole


def _parsed(subscripts: str, count: int) -> tuple[list[str], list[str], str | None]:
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    given = left.split(",")
    for part in [*given, *([right] if arrow else [])]:
        if not _SUBSCRIPTS.fullmatch(part):
            raise ValueError(f"[einsum] {subscripts!r} is not made of letters, commas, '...' and one '->'")
        letters = part.replace("...", "")
        if len(set(letters)) != len(letters):
            raise ValueError(f"[einsum] a letter stands twice in {part!r} of {subscripts!r}")
    if len(given) != count:
        raise ValueError(f"[einsum] {subscripts!r} is for {len(given)} operands; received {count}")
    return given, list(given), right if arrow else None


def _usual_result(names: Sequence[str], dots: str) -> str:
    every = "".join(names)
    return dots + "".join(sorted(c for c in set(every) - set(dots) if every.count(c) == 1))


def _joined(a: Tensor, axes_a: str, b: Tensor, axes_b: str, later: set[str]) -> tuple[Tensor, str]:
    """The product of two operands, summed over the axes that nobody asks for later."""
    a, axes_a = _summed(a, axes_a, later | set(axes_b))
    b, axes_b = _summed(b, axes_b, later | set(axes_a))
    common = [c for c in axes_a if c in axes_b]
    batch = [c for c in common if c in later]
    if any(a.shape[axes_a.index(c)] != b.shape[axes_b.index(c)] for c in common):  # one of them is 1
        every = [*axes_a, *(c for c in axes_b if c not in axes_a)]
        whole = multiply(_spread(a, axes_a, every), _spread(b, axes_b, every))
        return _summed(whole, "".join(every), later)
    inner_axes = [c for c in common if c not in later]
    rows, columns = [c for c in axes_a if c not in common], [c for c in axes_b if c not in common]
    n = {c: size for axes, x in ((axes_a, a), (axes_b, b)) for c, size in zip(axes, x.shape, strict=True)}

    def packed(x: Tensor, axes: str, *groups: Sequence[str]) -> Tensor:
        order = [axes.index(c) for group in groups for c in group]
        return reshape(transpose(x, order), [prod(n[c] for c in group) for group in groups])

    y = matmul(packed(a, axes_a, batch, rows, inner_axes), packed(b, axes_b, batch, inner_axes, columns))
    kept = [*batch, *rows, *columns]
    return reshape(y, [n[c] for c in kept]), "".join(kept)


def _summed(x: Tensor, axes: str, kept: set[str]) -> tuple[Tensor, str]:
    gone = [i for i, c in enumerate(axes) if c not in kept]
    return (sum(x, axis=gone), "".join(c for c in axes if c in kept)) if gone else (x, axes)


def _spread(x: Tensor, axes: str, every: Sequence[str]) -> Tensor:
    ordered = transpose(x, [axes.index(c) for c in every if c in axes])
    return reshape(ordered, [x.shape[axes.index(c)] if c in axes else 1 for c in every])
