"""Batch, layer and root-mean-square normalization."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.ops import reduce
from dlbd.ops.compare import where
from dlbd.ops.elementwise import add, cast, divide, multiply, rsqrt, square, subtract
from dlbd.ops.join import broadcast_to
from dlbd.ops.reduce import mean as mean_of
from dlbd.ops.shape import expand_dims, reshape, transpose
from dlbd.tensor import Tensor, as_float, as_tensor


@lru_cache(maxsize=4096)
def _batch_norm_shape(*key: Any) -> Any:
    return _cpu.BatchNormShape(*key)


@lru_cache(maxsize=4096)
def _layer_norm_shape(*key: Any) -> Any:
    return _cpu.LayerNormShape(*key)


def batch_normalization(
    x: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Tensor,
    moving_variance: Tensor,
    *,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    training: bool = False,
    mask: Any = None,
) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, channel by channel (Ioffe and Szegedy 2015).

    In training the mean and the (biased) variance are those of the batch, and the moving ones are updated in place:
    ``moving = moving * momentum + batch * (1 - momentum)``; an empty batch leaves them as they are. In inference the
    moving ones normalize.

    Args:
        x: at least one dimension; integers are taken as float32.
        gamma: one factor per channel, or None for ones.
        beta: one offset per channel, or None for zeros.
        moving_mean: one value per channel.
        moving_variance: one value per channel.
        axis: the axis of the channels.
        momentum: how much of the moving averages stays in each training step.
        epsilon: added to the variance.
        training: whether the batch normalizes, or the moving averages.
        mask: in training, what counts for the batch's mean and variance; the shape of ``x`` without its last axis.

    Returns:
        The shape of ``x``. In training the gradient passes through the batch's mean and variance.

    Raises:
        ValueError: a parameter without exactly one value per channel, a mask of another shape, or no such axis.
        TypeError: a parameter of another dtype than ``x``.

    Example:
        >>> mean, variance = dlbd.Variable([0.0]), dlbd.Variable([1.0])
        >>> x = [[1.0], [5.0]]
        >>> dlbd.ops.batch_normalization(x, None, None, mean, variance, training=True, momentum=0.5).numpy().round(2)
        array([[-1.],
               [ 1.]], dtype=float32)
        >>> mean.numpy(), variance.numpy()
        (array([1.5], dtype=float32), array([2.5], dtype=float32))
    """
    x = as_float(x)
    sizes = x.shape
    if not sizes or not -len(sizes) <= axis < len(sizes):
        raise ValueError(f"[batch_normalization] axis {axis} does not exist in x of shape {sizes}")
    axis %= len(sizes)
    channels = sizes[axis]
    gamma, beta = _parameters("batch_normalization", x, (channels,), gamma=gamma, beta=beta)
    _parameters("batch_normalization", x, (channels,), moving_mean=moving_mean, moving_variance=moving_variance)
    if training and mask is not None:
        batch_mean, variance = _masked_moments(x, axis, as_tensor(mask))
        for moving, new in ((moving_mean, batch_mean), (moving_variance, variance)):
            after = add(multiply(moving, momentum), multiply(reshape(new, (channels,)), 1.0 - momentum))
            backend.twin(x.array).assign(after.array, moving.array)
        normal = multiply(subtract(x, batch_mean), rsqrt(add(variance, epsilon)))
        scaled = normal if gamma is None else multiply(normal, reshape(gamma, variance.shape))
        return scaled if beta is None else add(scaled, reshape(beta, variance.shape))
    shape = _batch_norm_shape(
        prod(sizes[:axis]),
        channels,
        prod(sizes[axis + 1 :]),
        backend.DTYPE[x.dtype],
        backend.path.get("batch_norm", "auto"),
    )
    y = Tensor(backend.empty(sizes, x.dtype, x.array))
    noting = autograd.recording()
    mean = backend.empty((channels,), x.dtype, x.array) if noting else None
    rstd = backend.empty((channels,), x.dtype, x.array) if noting else None
    backend.twin(x.array).batch_norm_forward(
        shape,
        x.array,
        None if gamma is None else gamma.array,
        None if beta is None else beta.array,
        moving_mean.array,
        moving_variance.array,
        y.array,
        mean,
        rstd,
        momentum,
        epsilon,
        training,
    )
    if noting:
        inputs = tuple(t for t in (x, gamma, beta) if t is not None)
        autograd.note(
            inputs,
            (y,),
            lambda grads: _batch_normalization_gradient(grads, shape, x, gamma, beta, y, mean, rstd, training),
        )
    return y


def _masked_moments(x: Tensor, axis: int, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over what the mask lets count, with the axes of ``x``."""
    if mask.shape != x.shape[:-1]:
        raise ValueError(
            f"[batch_normalization] mask must have the shape of x without its last axis; received mask {mask.shape}, "
            f"x {x.shape}"
        )
    counts = broadcast_to(expand_dims(cast(mask, "bool"), -1), x.shape)
    axes = tuple(a for a in range(x.ndim) if a != axis)
    count = add(reduce.sum(cast(counts, x.dtype), axes, keepdims=True), 1e-7)
    mean = divide(reduce.sum(where(counts, x, 0.0), axes, keepdims=True), count)
    variance = divide(reduce.sum(square(where(counts, subtract(x, mean), 0.0)), axes, keepdims=True), count)
    return mean, variance


def _batch_normalization_gradient(
    grads: Gradients,
    shape: Any,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    y: Tensor,
    mean: Any,
    rstd: Any,
    training: bool,
) -> None:
    """dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)); the means drop out in inference."""
    dy = grads.of(y)
    assert dy is not None
    outputs = (*grads.into(x), *_into(grads, gamma), *_into(grads, beta))
    g = None if gamma is None else gamma.array
    backend.twin(dy).batch_norm_backward(shape, x.array, g, mean, rstd, dy, *outputs, training)


def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float = 1e-7) -> Tensor:
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, mean and variance over ``axis`` (Ba et al. 2016).

    Args:
        x: at least one dimension; integers are taken as float32.
        gamma: factors with the sizes of ``axis`` in ascending order, or None for ones.
        beta: offsets of that shape, or None for zeros.
        axis: an axis or several.
        epsilon: added to the (biased) variance; 1e-7 as in ``keras.ops``, whereas the layer takes 1e-3.

    Returns:
        The shape of ``x``.

    Raises:
        ValueError: a parameter of another shape, or axes that do not exist or are given twice.
        TypeError: a parameter of another dtype than ``x``.

    Example:
        >>> dlbd.ops.layer_normalization([[1.0, 3.0], [0.0, 100.0]]).numpy().round(2)
        array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)
    """
    x = as_float(x)
    sizes = x.shape
    axes = _ascending(axis, sizes)
    first = len(sizes) - len(axes)
    if axes[0] != first:  # not the last ones: they are moved there and back
        order = tuple(i for i in range(len(sizes)) if i not in axes) + axes
        y = layer_normalization(transpose(x, order), gamma, beta, tuple(range(first, len(sizes))), epsilon)
        return transpose(y, tuple(order.index(i) for i in range(len(sizes))))
    gamma, beta = _parameters("layer_normalization", x, sizes[first:], gamma=gamma, beta=beta)
    shape = _layer_norm_shape(prod(sizes[:first]), prod(sizes[first:]), backend.DTYPE[x.dtype])
    y = Tensor(backend.empty(sizes, x.dtype, x.array))
    noting = autograd.recording()
    mean = backend.empty(sizes[:first], x.dtype, x.array) if noting else None
    rstd = backend.empty(sizes[:first], x.dtype, x.array) if noting else None
    backend.twin(x.array).layer_norm_forward(
        shape,
        x.array,
        None if gamma is None else gamma.array,
        None if beta is None else beta.array,
        y.array,
        mean,
        rstd,
        epsilon,
    )
    if noting:
        inputs = tuple(t for t in (x, gamma, beta) if t is not None)
        autograd.note(
            inputs, (y,), lambda grads: _layer_normalization_gradient(grads, shape, x, gamma, beta, y, mean, rstd)
        )
    return y


def _layer_normalization_gradient(
    grads: Gradients,
    shape: Any,
    x: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    y: Tensor,
    mean: Any,
    rstd: Any,
) -> None:
    """dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy gamma; dgamma = sum dy xhat, dbeta = sum dy."""
    dy = grads.of(y)
    assert dy is not None
    outputs = (*grads.into(x), *_into(grads, gamma), *_into(grads, beta))
    g = None if gamma is None else gamma.array
    backend.twin(dy).layer_norm_backward(shape, x.array, g, mean, rstd, dy, *outputs)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Tensor:
    """``scale x / sqrt(mean(x^2) + epsilon)``, the mean over ``axis`` (Zhang and Sennrich 2019).

    Args:
        x: at least one dimension; integers are taken as float32.
        scale: factors that broadcast with ``x``; None for ones.
        axis: an axis or several.
        epsilon: 1e-7 by default.

    Raises:
        ValueError: no such axis, or factors that do not broadcast.

    Example:
        >>> dlbd.ops.rms_normalization([[1.0, 7.0]], epsilon=0.0).numpy().round(4)
        array([[0.2, 1.4]], dtype=float32)
    """
    x = as_float(x)
    squares = mean_of(square(x), axis, keepdims=True)
    y = multiply(x, rsqrt(add(squares, 1e-7 if epsilon is None else epsilon)))
    return y if scale is None else multiply(y, scale)


def _ascending(axis: Any, sizes: tuple[int, ...]) -> tuple[int, ...]:
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = {a % len(sizes) for a in given if -len(sizes) <= a < len(sizes)}
    if not given or len(axes) != len(given):
        raise ValueError(f"[layer_normalization] axis must name axes of x, each once; received {axis} for x {sizes}")
    return tuple(sorted(axes))


def _into(grads: Gradients, x: Tensor | None) -> tuple[Any, bool]:
    return (None, False) if x is None else grads.into(x)


def _parameters(op: str, x: Tensor, sizes: tuple[int, ...], **given: Any) -> list[Tensor | None]:
    """The given parameters as tensors, checked to have the dtype of ``x`` and the shape ``sizes``."""
    checked = []
    for name, value in given.items():
        parameter = None if value is None else as_tensor(value)
        if parameter is not None and parameter.shape != sizes:
            raise ValueError(
                f"[{op}] {name} must have shape {sizes} to fit x of shape {x.shape}; received {parameter.shape}"
            )
        if parameter is not None and parameter.dtype != x.dtype:
            raise TypeError(f"[{op}] {name} must be {x.dtype} like x; received {parameter.dtype}")
        checked.append(parameter)
    return checked
