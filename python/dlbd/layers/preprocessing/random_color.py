"""RandomContrast and RandomBrightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.preprocessing.images import RandomImageLayer, factor_range
from dlbd.tensor import Tensor


class _RandomColor(RandomImageLayer):
    """Values in another place within ``value_range``."""

    def __init__(self, value_range: Sequence[float], seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        given = tuple(sorted(float(v) for v in value_range))
        if len(given) != 2:
            raise ValueError(f"[{self.name}] value_range must be two numbers; received {value_range!r}")
        self.value_range = given

    def _limited(self, images: Tensor) -> Tensor:
        return ops.clip(images, *self.value_range)


class RandomContrast(_RandomColor):
    """While training, brings the values of each image nearer to their mean or away from it; floats come out.

    ``(x - mean) * f + mean``, with the mean of each channel and one f for each image, limited to ``value_range``.

    Args:
        factor: f is drawn from [1 - factor, 1 + factor]; two numbers (a, b) stand for [1 - a, 1 + b]. All in [0, 1].
        value_range: the least and greatest value, (0, 255) by default.
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: a factor outside [0, 1], no range, or (at the call) no images.

    Example:
        >>> layer, image = dlbd.layers.RandomContrast(0.5, seed=1), np.array([100.0, 120.0]).reshape(1, 2, 1)
        >>> y = layer(image, training=True)
        >>> bool(0.5 <= np.ptp(y) / 20 <= 1.5), round(float(np.mean(y)), 3)
        (True, 110.0)
    """

    def __init__(
        self, factor: Any, value_range: Sequence[float] = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        lower, upper = factor if isinstance(factor, (tuple, list)) and len(factor) == 2 else (factor, factor)
        for part in (lower, upper):
            factor_range((part, part), "factor", self.name, least=0.0)
        self.factor = (float(lower), float(upper))

    def _transformed(self, images: Tensor) -> Tensor:
        lower, upper = self.factor
        scale = self._drawn((images.shape[0], 1, 1, 1), 1.0 - lower, 1.0 + upper)
        mean = ops.mean(images, axis=(1, 2), keepdims=True)
        return self._limited((images - mean) * scale + mean)


class RandomBrightness(_RandomColor):
    """While training, adds a number to all values of each image, and limits them to ``value_range``; floats come out.

    Args:
        factor: what is added is drawn from [-factor, factor], as a fraction of the range; or from [a, b] of two
            numbers. All in [-1, 1].
        value_range: the least and greatest value, (0, 255) by default.
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: a factor outside [-1, 1], no range, or (at the call) no images.

    Example:
        >>> layer = dlbd.layers.RandomBrightness((0.1, 0.1), value_range=(0, 1))
        >>> layer(np.array([0.2, 0.95]).reshape(1, 2, 1), training=True).numpy().ravel()
        array([0.3, 1. ], dtype=float32)
    """

    def __init__(
        self, factor: Any, value_range: Sequence[float] = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, seed, **kwargs)
        self.factor = factor_range(factor, "factor", self.name)

    def _transformed(self, images: Tensor) -> Tensor:
        least, most = self.value_range
        lower, upper = (f * (most - least) for f in self.factor)
        return self._limited(images + self._drawn((images.shape[0], 1, 1, 1), lower, upper))
