"""Random noise while training: GaussianNoise, GaussianDropout and AlphaDropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dlbd import ops, random
from dlbd.layers.arguments import fraction
from dlbd.layers.base import Layer, Shape
from dlbd.layers.dropout import concrete_noise_shape
from dlbd.tensor import Tensor


class _Noise(Layer):
    """Gives its input unless it is training."""

    supports_masking = True

    def __init__(self, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        return self._noisy(inputs) if training else inputs

    def _noisy(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class GaussianNoise(_Noise):
    """While training, adds normal noise of mean 0; otherwise gives its input.

    Args:
        stddev: standard deviation of the noise, in [0, 1] as in Keras.
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``stddev`` lies outside [0, 1].

    Example:
        >>> y = dlbd.layers.GaussianNoise(0.5, seed=1)(np.zeros((100, 100)), training=True).numpy()
        >>> bool(abs(y.mean()) < 0.05), bool(abs(y.std() - 0.5) < 0.05)
        (True, True)
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = fraction(stddev, "stddev", self.name)

    def _noisy(self, x: Tensor) -> Tensor:
        if self.stddev == 0:
            return x
        return ops.add(x, ops.random_normal(x.shape, self.seed_generator.state, 0.0, self.stddev, x.dtype))


class GaussianDropout(_Noise):
    """While training, multiplies by normal noise of mean 1 and the variance of dropout, ``rate / (1 - rate)``.

    Otherwise it gives its input (Srivastava et al., 2014).

    Args:
        rate: as of :class:`Dropout`, in [0, 1).
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``rate`` lies outside [0, 1).

    Example:
        >>> y = dlbd.layers.GaussianDropout(0.2, seed=1)(np.ones((100, 100)), training=True).numpy()
        >>> bool(abs(y.mean() - 1) < 0.05), bool(abs(y.std() - 0.5) < 0.05)
        (True, True)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _less_than_one(rate, self.name)

    def _noisy(self, x: Tensor) -> Tensor:
        if self.rate == 0:
            return x
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return ops.multiply(x, ops.random_normal(x.shape, self.seed_generator.state, 1.0, stddev, x.dtype))


class AlphaDropout(_Noise):
    """Dropout for networks of ``selu``: what is dropped gets the value that ``selu`` has far below zero.

    A linear map of the result then keeps mean 0 and variance 1 (Klambauer et al., 2017). Otherwise it gives its input.

    Args:
        rate: the fraction dropped while training, in [0, 1).
        noise_shape: as of :class:`Dropout`.
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``rate`` lies outside [0, 1), or (at the call) ``noise_shape`` does not fit.

    Example:
        >>> x = np.random.default_rng(0).standard_normal((100, 100))
        >>> y = dlbd.layers.AlphaDropout(0.2, seed=1)(x, training=True).numpy()
        >>> bool(abs(y.mean()) < 0.05), bool(abs(y.std() - 1) < 0.05)
        (True, True)
    """

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _less_than_one(rate, self.name)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def _noisy(self, x: Tensor) -> Tensor:
        if self.rate == 0:
            return x
        numbers = ops.random_uniform(
            concrete_noise_shape(self.noise_shape, x), self.seed_generator.state, dtype=x.dtype
        )
        dropped = ops.where(ops.greater_equal(numbers, self.rate), x, _SELU_LIMIT)
        scale = ((1.0 - self.rate) * (1.0 + self.rate * _SELU_LIMIT**2)) ** -0.5
        return ops.add(ops.multiply(dropped, scale), -scale * _SELU_LIMIT * self.rate)


_SELU_LIMIT = -1.6732632423543772 * 1.0507009873554805


def _less_than_one(rate: Any, layer: str) -> float:
    if fraction(rate, "rate", layer) == 1:
        raise ValueError(f"[{layer}] rate must lie in [0, 1); received {rate!r}")
    return float(rate)
