"""Random numbers drawn inside a step: a counter in an array says where their stream stands."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, prod
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import FLOAT32, INT64
from dlbd.ops.elementwise import add, cos, log, multiply, sin, sqrt, subtract
from dlbd.ops.join import concatenate
from dlbd.ops.shape import reshape
from dlbd.tensor import Tensor


def require_counter(op: str, counter: Any) -> None:
    if not isinstance(counter, Tensor) or counter.dtype != INT64 or counter.shape != (2,):
        raise TypeError(f"[{op}] counter must be an int64 tensor of shape (2,): seed and position")


def random_uniform(
    shape: Sequence[int], counter: Tensor, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None
) -> Tensor:
    """Numbers drawn evenly from [``minval``, ``maxval``), by Philox 4x32-10 (Salmon et al. 2011).

    Args:
        shape: the sizes.
        counter: int64 (2,): a seed and where its stream stands; advanced by each call, so that a repeated or replayed
            call draws other numbers.
        minval, maxval: the bounds, 0 and 1 by default. Rounding may give ``maxval`` itself for other bounds.
        dtype: float32 (24 random bits) unless given, or float64 (32).

    Returns:
        ``shape``, on the device of ``counter``. The same bits on a CPU and a GPU.

    Raises:
        TypeError: a counter of another kind, or another dtype.

    Example:
        >>> counter = dlbd.random.SeedGenerator(7).state
        >>> y = dlbd.ops.random_uniform((1000,), counter).numpy()
        >>> y.shape, bool(y.min() >= 0), bool(y.max() < 1), bool(0.45 < y.mean() < 0.55)
        ((1000,), True, True, True)
    """
    require_counter("random_uniform", counter)
    kind = FLOAT32 if dtype is None else np.dtype(dtype)
    if kind.kind != "f":
        raise TypeError(f"[random_uniform] dtype must be float32 or float64; received {kind}")
    y = Tensor(backend.empty(tuple(shape), kind, counter.array))
    backend.twin(y.array).random_uniform(counter.array, y.array)
    if (minval, maxval) == (0.0, 1.0):
        return y
    return add(multiply(y, float(maxval) - float(minval)), float(minval))


def random_normal(
    shape: Sequence[int], counter: Tensor, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None
) -> Tensor:
    """Numbers of a normal distribution, by the method of Box and Muller (1958).

    Args:
        shape, counter, dtype: as for :func:`random_uniform`.
        mean, stddev: of the distribution, 0 and 1 by default.

    Returns:
        ``shape``, on the device of ``counter``. In float32 none lies more than 5.8 deviations from the mean.

    Raises:
        TypeError: as for :func:`random_uniform`.

    Example:
        >>> counter = dlbd.random.SeedGenerator(7).state
        >>> y = dlbd.ops.random_normal((1000,), counter, mean=5.0).numpy()
        >>> bool(4.9 < y.mean() < 5.1), bool(0.9 < y.std() < 1.1)
        (True, True)
    """
    sizes = tuple(shape)
    count = prod(sizes)
    half = (count + 1) // 2
    pairs = random_uniform((2, half), counter, dtype=dtype).array
    # 1 - u, since u may be 0
    radius = multiply(sqrt(multiply(log(subtract(1.0, Tensor(pairs[0]))), -2.0)), float(stddev))
    angle = multiply(Tensor(pairs[1]), 2.0 * pi)
    y = concatenate([multiply(radius, cos(angle)), multiply(radius, sin(angle))])
    if count < 2 * half:
        y = Tensor(y.array[:count])
    y = reshape(y, sizes)
    return y if mean == 0 else add(y, float(mean))
