"""Losses: each is one launch that gives the sum over the samples and how many they are.

The gradient is that of the sum: whoever wants the mean divides by the count, and the optimizer does so in its own
launch. Labels that are out of range are reported through the status word and never read past an array's end.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import BOOL, Array
from dlbd.tensor import Tensor, as_float, as_tensor

# Functions of |y_true - y_pred|: the gradient with respect to y_true is that of the swapped operands.
_SYMMETRIC = frozenset(("squared", "absolute", "huber", "log_cosh"))
_OVER_CLASSES = frozenset(("softmax_cross_entropy", "categorical_cross_entropy"))


Signature = tuple[tuple[int, ...], np.dtype[Any]]


class Rows(NamedTuple):
    rows: int
    columns: int
    values: tuple[int, ...]  # the shape of the losses, one per row


class _Plan(NamedTuple):
    shape: Any  # the kernels' LossShape
    layout: Rows


def softmax_cross_entropy(
    labels: Any, logits: Any, *, sparse: bool, label_smoothing: float = 0.0, sample_weight: Any = None
) -> tuple[Tensor, Tensor]:
    """Sum and count of ``-log softmax(logits)[label]`` over the samples.

    Args:
        labels: class numbers (...) if ``sparse``, else weights of the classes (..., C).
        logits: (..., C), float.
        sparse: which of the two ``labels`` are.
        label_smoothing: dense labels become ``labels * (1 - s) + s / C`` (Szegedy et al. 2016).
        sample_weight: factors of the losses; (...) or leading dimensions of it. They do not change the count.

    Returns:
        Two scalars in the dtype of ``logits``: the sum and how many samples there are. The gradient is that of the sum.

    Raises:
        ValueError: a label is not a whole number in [0, C), or shapes do not fit.

    Example:
        >>> total, count = dlbd.ops.softmax_cross_entropy([0, 1], [[0.0, 0.0], [0.0, 0.0]], sparse=True)
        >>> round(float(total / count), 4)
        0.6931
    """
    return sum_and_count(
        "softmax_cross_entropy", labels, logits, sparse=sparse, smoothing=label_smoothing, sample_weight=sample_weight
    )


def categorical_cross_entropy(
    labels: Any, probabilities: Any, *, sparse: bool, label_smoothing: float = 0.0, sample_weight: Any = None
) -> tuple[Tensor, Tensor]:
    """As :func:`softmax_cross_entropy`, from probabilities.

    They are divided by their sum over the classes and clipped to [1e-7, 1 - 1e-7], as in Keras; beyond, the gradient is
    zero.

    Args:
        labels, sparse, label_smoothing, sample_weight: as there.
        probabilities: (..., C), float.

    Example:
        >>> total, count = dlbd.ops.categorical_cross_entropy([1], [[0.75, 0.25]], sparse=True)
        >>> round(float(total), 4), float(count)
        (1.3863, 1.0)
    """
    return sum_and_count(
        "categorical_cross_entropy",
        labels,
        probabilities,
        sparse=sparse,
        smoothing=label_smoothing,
        sample_weight=sample_weight,
    )


def sigmoid_cross_entropy(
    labels: Any, logits: Any, *, label_smoothing: float = 0.0, sample_weight: Any = None
) -> tuple[Tensor, Tensor]:
    """Sum and count of the mean over the last axis of ``-t log sigmoid(x) - (1 - t) log(1 - sigmoid(x))``.

    Args:
        labels: t, from 0 to 1; the shape of ``logits``, last dimensions of 1 aside.
        logits: x, (..., n), float; each element is a sample if there is one dimension only.
        label_smoothing: labels become ``labels * (1 - s) + s / 2``.
        sample_weight: factors of the losses; (...) or leading dimensions of it. They do not change the count.

    Returns:
        Two scalars in the dtype of ``logits``: the sum and how many samples there are. The gradient is that of the sum.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> total, count = dlbd.ops.sigmoid_cross_entropy([[1.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [50.0, 50.0]])
        >>> round(float(total), 4), float(count)
        (0.6931, 2.0)
    """
    return sum_and_count(
        "sigmoid_cross_entropy", labels, logits, smoothing=label_smoothing, sample_weight=sample_weight
    )


def binary_cross_entropy(
    labels: Any, probabilities: Any, *, label_smoothing: float = 0.0, sample_weight: Any = None
) -> tuple[Tensor, Tensor]:
    """As :func:`sigmoid_cross_entropy`, from probabilities, which are clipped to [1e-7, 1 - 1e-7] as in Keras.

    Where they are clipped the gradient is zero.

    Example:
        >>> total, count = dlbd.ops.binary_cross_entropy([[1.0], [0.0]], [[0.5], [0.75]])
        >>> round(float(total), 4), float(count)
        (2.0794, 2.0)
    """
    return sum_and_count(
        "binary_cross_entropy", labels, probabilities, smoothing=label_smoothing, sample_weight=sample_weight
    )


def squared_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> tuple[Tensor, Tensor]:
    """Sum and count of the mean over the last axis of ``(y_pred - y_true)^2``.

    Args:
        y_true: the shape of ``y_pred``, last dimensions of 1 aside.
        y_pred: (..., n), float; each element is a sample if there is one dimension only.
        sample_weight: factors of the losses; (...) or leading dimensions of it. They do not change the count.

    Returns:
        Two scalars in the dtype of ``y_pred``: the sum and how many samples there are. The gradient is that of the sum,
        with respect to both.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> total, count = dlbd.ops.squared_error([[0.0, 2.0], [1.0, 1.0]], [[1.0, 4.0], [1.0, 1.0]])
        >>> float(total), float(count)
        (2.5, 2.0)
    """
    return sum_and_count("squared", y_true, y_pred, sample_weight=sample_weight)


def absolute_error(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> tuple[Tensor, Tensor]:
    """Sum and count of the mean over the last axis of ``|y_pred - y_true|``; the gradient is zero where they are equal.

    Arguments, result and errors are those of :func:`squared_error`.

    Example:
        >>> total, count = dlbd.ops.absolute_error([[0.0, 2.0]], [[1.0, 4.0]], sample_weight=[2.0])
        >>> float(total), float(count)
        (3.0, 1.0)
    """
    return sum_and_count("absolute", y_true, y_pred, sample_weight=sample_weight)


def sum_and_count(
    kind: str,
    y_true: Any,
    y_pred: Any,
    *,
    counting: str = "rows",
    sample_weight: Any = None,
    mask: Any = None,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """The weighted sum of a loss over the samples, and what it is to be divided by. Both are scalars.

    Args:
        kind: a name of ``LossKind`` (csrc/shapes/losses.h).
        y_true, y_pred: labels and predictions; see the functions above.
        counting: "rows": how many samples the mask keeps; "one"; or "weights": the sum of their weights.
        sample_weight, mask: one for each sample or for each run of them.
        options: ``sparse``, ``smoothing``, ``delta``, ``ignore_class``.
    """
    total, count = launch(kind, y_true, y_pred, "sum", counting, sample_weight, mask, options)
    return total, Tensor(count)


def mean(
    kind: str,
    y_true: Any,
    y_pred: Any,
    *,
    counting: str = "rows",
    sample_weight: Any = None,
    mask: Any = None,
    **options: Any,
) -> Tensor:
    """The loss as one scalar: the sum over the count, 0 where nothing counts. Its gradient is that of the mean."""
    return launch(kind, y_true, y_pred, "mean", counting, sample_weight, mask, options)[0]


def each(kind: str, y_true: Any, y_pred: Any, *, sample_weight: Any = None, mask: Any = None, **options: Any) -> Tensor:
    """The loss of every sample, weighted; as in Keras, predictions of one dimension without weights are one sample."""
    whole = sample_weight is None
    return launch(kind, y_true, y_pred, "vector" if whole else "none", "rows", sample_weight, mask, options)[0]


# What errors call the kinds whose names say too little.
_SHOWN = {
    "identity": "loss",
    "squared": "squared_error",
    "absolute": "absolute_error",
    "equal": "accuracy",
    "percentage": "absolute_percentage_error",
    "logarithmic": "squared_logarithmic_error",
}


def launch(
    kind: str,
    y_true: Any,
    y_pred: Any,
    result: str,
    counting: str,
    sample_weight: Any,
    mask: Any,
    options: dict[str, Any],
) -> tuple[Tensor, Array]:
    """The ``result`` and the count.

    Results: "sum", "mean", "none": every sample's; or "vector": the same, but a vector of predictions is one sample.
    """
    per_row = result in ("none", "vector")
    pred = as_float(y_pred)
    predictions = pred.array
    labels = None if y_true is None else as_tensor(y_true, like=predictions).array
    weights = None if sample_weight is None else as_tensor(sample_weight, like=predictions).array
    masks = None if mask is None else as_tensor(mask, BOOL, predictions).array
    shape, layout = _plan(
        kind,
        counting,
        result == "vector",
        (predictions.shape, predictions.dtype),
        None if labels is None else (labels.shape, labels.dtype),
        None if weights is None else (weights.shape, weights.dtype),
        None if masks is None else masks.shape,
        **options,
    )
    if layout.rows == 0:
        weights = masks = None
    dtype, twin = predictions.dtype, backend.twin(predictions)
    statistics = twin.empty((layout.rows, 3), dtype)
    count = twin.empty((), dtype)
    y = twin.empty(layout.values if per_row else (), dtype)
    twin.loss_forward(
        shape,
        labels,
        predictions,
        weights,
        masks,
        statistics,
        y if per_row else None,
        y if result == "sum" else None,
        y if result == "mean" else None,
        count,
    )
    loss = Tensor(y)
    if autograd.recording():
        launched = shape, labels, predictions, weights, masks, statistics, result, count
        swap = kind in _SYMMETRIC and isinstance(y_true, Tensor) and y_true.dtype == dtype
        source = y_true if swap else None
        inputs = (pred,) if source is None else (pred, source)
        autograd.note(inputs, (loss,), lambda grads: _loss_gradient(grads, launched, pred, source, loss))
    return loss, count


@lru_cache(maxsize=4096)
def _plan(
    kind: str,
    counting: str,
    vector: bool,
    pred: Signature,
    true: Signature | None,
    weight: Signature | None,
    mask: tuple[int, ...] | None,
    *,
    sparse: bool = False,
    smoothing: float = 0.0,
    delta: float = 1.0,
    ignore_class: int | None = None,
) -> _Plan:
    if true is None:
        layout = Rows(math.prod(pred[0]), 1, pred[0])
    else:
        layout = rows_of(kind, true[0], pred[0], classes=kind in _OVER_CLASSES, sparse=sparse, vector=vector)
    dtype = backend.DTYPE[pred[1]]
    shape = _cpu.LossShape(
        kind,
        counting,
        layout.rows,
        layout.columns,
        dtype,
        dtype if true is None else backend.DTYPE[true[1]],
        dtype if weight is None or not layout.rows else backend.DTYPE[weight[1]],
        sparse,
        0 if weight is None else per_sample(kind, "sample_weight", weight[0], layout),
        0 if mask is None else per_sample(kind, "mask", mask, layout),
        smoothing,
        delta,
        ignore_class is not None,
        ignore_class or 0,
    )
    return _Plan(shape, layout)


def _loss_gradient(grads: Gradients, launched: Any, pred: Tensor, true: Tensor | None, y: Tensor) -> None:
    shape, labels, predictions, weights, masks, statistics, result, count = launched
    dy = grads.of(y)
    assert dy is not None
    twin = backend.twin(predictions)
    per_row, divisor = result in ("none", "vector"), count if result == "mean" else None
    dx, accumulate = grads.into(pred)
    if dx is not None:
        twin.loss_backward(shape, labels, predictions, weights, masks, statistics, dy, per_row, divisor, dx, accumulate)
    if true is None:
        return
    dx, accumulate = grads.into(true)
    if dx is not None:
        twin.loss_backward(shape, predictions, labels, weights, masks, statistics, dy, per_row, divisor, dx, accumulate)


def rows_of(
    kind: str, true: tuple[int, ...], shape: tuple[int, ...], *, classes: bool, sparse: bool, vector: bool
) -> Rows:
    """How predictions fall into rows, after checking that the labels fit; last dimensions of 1 are forgiven.

    ``vector``: predictions of one dimension are one row, as in Keras; as samples they can also be weighted.
    """
    op = _SHOWN.get(kind, kind)
    if classes:
        if not shape:
            raise ValueError(f"[{op}] y_pred must be (..., classes); received a scalar")
        if not shape[-1]:
            raise ValueError(f"[{op}] y_pred must have at least one class; received shape {shape}")
        wanted = shape[:-1] if sparse else shape
        if true != wanted and not (sparse and true == (*wanted, 1)):
            hint = ""
            if sparse and true == shape:
                hint = "; one-hot labels belong to categorical_crossentropy"
            elif not sparse and true in (shape[:-1], (*shape[:-1], 1)):
                hint = "; class numbers belong to sparse_categorical_crossentropy"
            raise ValueError(
                f"[{op}] y_true must have shape {wanted} for y_pred of shape {shape}; received {true}{hint}"
            )
    elif true != shape:
        if shape[-1:] == (1,) and true == shape[:-1]:
            pass
        elif true[-1:] == (1,) and shape == true[:-1]:
            shape = true
        else:
            raise ValueError(f"[{op}] y_true and y_pred must have the same shape; received {true} and {shape}")
    if len(shape) < 2 and not classes and not (kind == "cosine_similarity" and shape):
        count: int = math.prod(shape)
        return Rows(1, count, ()) if vector and count else Rows(count, 1, shape)
    rows: int = math.prod(shape[:-1])
    if rows and not shape[-1]:
        raise ValueError(f"[{op}] y_pred must have at least one element per sample; received shape {shape}")
    return Rows(rows, max(shape[-1], 1), shape[:-1])


def per_sample(kind: str, name: str, shape: tuple[int, ...], layout: Rows) -> int:
    """How many values an array of this shape has, each for a run of consecutive losses; 0 where there are none."""
    given = shape
    while shape and shape != layout.values[: len(shape)] and shape[-1] == 1:
        shape = shape[:-1]
    if shape != layout.values[: len(shape)]:
        op = _SHOWN.get(kind, kind)
        raise ValueError(
            f"[{op}] {name} must have the shape of the losses, {layout.values}, or of its first dimensions; "
            f"received {given}"
        )
    return math.prod(given) if layout.rows else 0
