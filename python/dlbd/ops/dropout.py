"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import INT64, Array
from dlbd.ops.random_numbers import require_counter
from dlbd.tensor import Tensor, as_float


@lru_cache(maxsize=4096)
def _dropout_shape(*key: Any) -> Any:
    return _cpu.DropoutShape(*key)


def dropout(x: Any, rate: float, counter: Tensor, noise_shape: Sequence[int | None] | None = None) -> Tensor:
    """Set elements to 0 at random and scale the others by ``1 / (1 - rate)`` (Srivastava et al. 2014).

    Args:
        x: float; integers are taken as float32.
        rate: the probability that an element is dropped, from 0 to 1.
        counter: int64 (2,): a seed and where its stream of random numbers (Philox 4x32-10) stands; advanced by each
            call, so that a repeated or replayed call draws another mask.
        noise_shape: x's shape, with 1 where one random decision serves a whole dimension; None means x's size.

    Returns:
        The shape of ``x``. The gradient passes the same mask.

    Raises:
        ValueError: a rate outside of [0, 1], or a ``noise_shape`` that does not fit.
        TypeError: a counter of another kind.

    Example:
        >>> counter = dlbd.Variable([7, 0], dtype="int64", trainable=False)
        >>> y = dlbd.ops.dropout(np.ones(1000), 0.2, counter).numpy()
        >>> np.unique(y), bool(0.7 < np.mean(y > 0) < 0.9)
        (array([0.  , 1.25], dtype=float32), True)
    """
    x = as_float(x)
    if not 0 <= rate <= 1:
        raise ValueError(f"[dropout] rate must lie between 0 and 1; received {rate}")
    require_counter("dropout", counter)
    noise = x.shape if noise_shape is None else tuple(noise_shape)
    if len(noise) != x.ndim or any(n not in (None, 1, size) for n, size in zip(noise, x.shape, strict=True)):
        raise ValueError(f"[dropout] noise_shape must be x's shape {x.shape} with 1 for some sizes; received {noise}")
    sizes = tuple(size if n is None else n for n, size in zip(noise, x.shape, strict=True))
    shape = _dropout_shape(x.shape, sizes, backend.DTYPE[x.dtype])
    y = Tensor(backend.empty(x.shape, x.dtype, x.array))
    used = backend.empty((2,), INT64, x.array)
    backend.twin(x.array).dropout_forward(shape, rate, counter.array, used, x.array, y.array)
    if autograd.recording():
        autograd.note((x,), (y,), lambda grads: _dropout_gradient(grads, shape, rate, used, x, y))
    return y


def _dropout_gradient(grads: Gradients, shape: Any, rate: float, used: Array, x: Tensor, y: Tensor) -> None:
    """The same mask and scale, drawn again."""
    dy = grads.of(y)
    assert dy is not None
    dx, accumulate = grads.into(x)
    if dx is not None:
        backend.twin(dy).dropout_backward(shape, rate, used, dy, dx, accumulate)
