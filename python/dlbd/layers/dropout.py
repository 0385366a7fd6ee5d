"""Dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops, random
from dlbd.layers.arguments import fraction
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class Dropout(Layer):
    """While training, sets a fraction of the inputs to zero and scales the others by ``1 / (1 - rate)``.

    Otherwise it gives its input (Srivastava et al., 2014). The shape stays as it is.

    Args:
        rate: the fraction, in [0, 1].
        noise_shape: shape of the random mask, broadcast to the input; None in it stands for the input's size. By
            default every element is drawn by itself.
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``rate`` lies outside [0, 1], or (at the call) ``noise_shape`` does not fit.

    Example:
        >>> layer = dlbd.layers.Dropout(0.5, seed=1)
        >>> np.unique(layer(np.ones((8, 8)), training=True)).tolist(), np.unique(layer(np.ones((8, 8)))).tolist()
        ([0.0, 2.0], [1.0])
    """

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Sequence[int | None] | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(rate, "rate", self.name)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        noise_shape = self.noise_shape
        if noise_shape is not None:
            if len(noise_shape) != inputs.ndim:
                raise ValueError(f"noise_shape {noise_shape} must have one size per input axis; input {inputs.shape}")
            noise_shape = tuple(m if n is None else n for n, m in zip(noise_shape, inputs.shape, strict=True))
        return ops.dropout(inputs, self.rate, self.seed_generator.state, noise_shape=noise_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
