"""Cross-entropies under Keras's names, one loss per element or per position."""

from __future__ import annotations

from typing import Any

from dlbd.ops.losses import each
from dlbd.ops.shape import axis_of, expand_dims, moveaxis
from dlbd.tensor import Tensor, as_float, as_tensor


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """``-t log(p) - (1 - t) log(1 - p)``, element by element.

    Args:
        target: t, from 0 to 1.
        output: probabilities p of the shape of ``target``, clipped to [1e-7, 1 - 1e-7]; what :func:`sigmoid` gave
            brings its input along and is computed from that, exactly.
        from_logits: ``output`` is what a sigmoid would make probabilities of.

    Returns:
        The shape of ``output``.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> dlbd.ops.binary_crossentropy([0.0, 1.0], [0.5, 0.25]).numpy().round(4)
        array([0.6931, 1.3863], dtype=float32)
    """
    t, p = as_tensor(target), as_float(output)
    if t.shape != p.shape:
        raise ValueError(f"[binary_crossentropy] target {t.shape} and output {p.shape} must have the same shape")
    logits = p if from_logits else None if p.logits_over_classes else p.logits
    if logits is not None:
        return each("sigmoid_cross_entropy", expand_dims(t, -1), expand_dims(logits, -1))
    return each("binary_cross_entropy", expand_dims(t, -1), expand_dims(p, -1))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """``-sum(t log(p))`` over the classes.

    Args:
        target: t, weights of the classes, of the shape of ``output``.
        output: probabilities p; divided by their sum and clipped to [1e-7, 1 - 1e-7]. What :func:`softmax` gave along
            the last axis brings its input along and is computed from that, exactly.
        from_logits: ``output`` is what a softmax would make probabilities of.
        axis: that of the classes.

    Returns:
        The shape of ``output`` without the axis.

    Raises:
        ValueError: the shapes differ, or there is no such axis.

    Example:
        >>> dlbd.ops.categorical_crossentropy([[0.0, 1.0]], [[0.75, 0.25]]).numpy().round(4)
        array([1.3863], dtype=float32)
    """
    kind, p = _classes("categorical_crossentropy", output, from_logits, axis)
    t = as_tensor(target)
    if t.ndim != p.ndim:
        raise ValueError(f"[categorical_crossentropy] target {t.shape} and output must have the same shape")
    return each(kind, moveaxis(t, axis, -1), p, sparse=False)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """``-log(p[t])`` for class numbers t: the shape of ``output`` without the axis. Other arguments as
    :func:`categorical_crossentropy`.

    Raises:
        ValueError: a class number out of range, or shapes that do not fit.

    Example:
        >>> dlbd.ops.sparse_categorical_crossentropy([1], [[0.75, 0.25]]).numpy().round(4)
        array([1.3863], dtype=float32)
    """
    kind, p = _classes("sparse_categorical_crossentropy", output, from_logits, axis)
    return each(kind, as_tensor(target), p, sparse=True)


def _classes(op: str, output: Any, from_logits: bool, axis: int) -> tuple[str, Tensor]:
    """Which kernel, and what it takes, the classes last."""
    p = as_float(output)
    last = axis_of(op, axis, p.ndim, p.shape) == p.ndim - 1
    if from_logits:
        return "softmax_cross_entropy", moveaxis(p, axis, -1)
    if p.logits is not None and p.logits_over_classes and last:
        return "softmax_cross_entropy", p.logits
    return "categorical_cross_entropy", moveaxis(p, axis, -1)
