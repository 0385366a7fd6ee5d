"""Dropout, of single elements and of whole feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops, random
from dlbd.layers.arguments import channels_last, fraction
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
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
        noise_shape = concrete_noise_shape(self.noise_shape, inputs)
        return ops.dropout(inputs, self.rate, self.seed_generator.state, noise_shape=noise_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def concrete_noise_shape(given: Sequence[int | None] | None, x: Tensor) -> tuple[int, ...]:
    """With the sizes of ``x`` for None."""
    if given is None:
        return x.shape
    if len(given) != x.ndim:
        raise ValueError(f"noise_shape {given} must have one size per input axis; input {x.shape}")
    return tuple(m if n is None else n for n, m in zip(given, x.shape, strict=True))


class _SpatialDropout(Layer):
    supports_masking = True
    axes = 1

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(rate, "rate", self.name)
        self.data_format = channels_last(data_format, self.name)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)
        self.input_spec = InputSpec(ndim=self.axes + 2)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        noise_shape = (inputs.shape[0], *(1,) * self.axes, inputs.shape[-1])
        return ops.dropout(inputs, self.rate, self.seed_generator.state, noise_shape=noise_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class SpatialDropout1D(_SpatialDropout):
    """Dropout that drops a feature of a sequence at all time steps at once (Tompson et al., 2015).

    Neighbours in a sequence, or in an image, are alike: dropping them one by one takes little away.

    Args:
        rate: the fraction of features dropped while training, in [0, 1]; the others are scaled by ``1 / (1 - rate)``.
        seed: as of :class:`Dropout`.
        kwargs: see :class:`Layer`.

    Input and output (batch, time, features).

    Raises:
        ValueError: ``rate`` lies outside [0, 1], or (at the call) the input has another number of axes.

    Example:
        >>> y = dlbd.layers.SpatialDropout1D(0.5, seed=1)(np.ones((8, 5, 4)), training=True).numpy()
        >>> bool((y == y[:, :1]).all()), np.unique(y).tolist()
        (True, [0.0, 2.0])
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)


class SpatialDropout2D(_SpatialDropout):
    """Dropout that drops a channel of an image, (batch, height, width, channels), at all places at once.

    Args:
        rate, seed, kwargs: as of :class:`SpatialDropout1D`.
        data_format: "channels_last" or None, which is the same.

    Example:
        >>> y = dlbd.layers.SpatialDropout2D(0.5, seed=1)(np.ones((8, 5, 6, 4)), training=True).numpy()
        >>> bool((y == y[:, :1, :1]).all()), np.unique(y).tolist()
        (True, [0.0, 2.0])
    """

    axes = 2


class SpatialDropout3D(_SpatialDropout):
    """Dropout that drops a channel of a volume, (batch, depth, height, width, channels), at all places at once.

    Args:
        rate, seed, kwargs: as of :class:`SpatialDropout1D`.
        data_format: "channels_last" or None, which is the same.

    Example:
        >>> dlbd.layers.SpatialDropout3D(0.5)(np.ones((2, 3, 4, 5, 6)), training=True).shape
        (2, 3, 4, 5, 6)
    """

    axes = 3
