"""What layers of images have in common: their layout, the sizes they give, and where their random numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops, random
from dlbd.layers.arguments import channels_last
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class ImageLayer(Layer):
    """The base of layers of images: (batch, height, width, channels), or one without the batch; floats come out.

    A subclass defines ``_transformed``, what becomes of a batch of floats, and may define ``_at_rest``: what becomes of
    it without training, if that is anything else.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = channels_last(data_format, self.name)

    def _transformed(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def _at_rest(self, images: Tensor) -> Tensor:
        return self._transformed(images)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if inputs.ndim not in (3, 4):
            raise ValueError(
                "images must be (batch, height, width, channels) or (height, width, channels); "
                f"received shape {inputs.shape}"
            )
        x = ops.cast(inputs, self.dtype)
        x = x if x.ndim == 4 else ops.expand_dims(x, 0)
        y = self._transformed(x) if training else self._at_rest(x)
        return y if inputs.ndim == 4 else ops.squeeze(y, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class RandomImageLayer(ImageLayer):
    """The base of those that change images at random while training, each in its own way, and not at all otherwise."""

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def _at_rest(self, images: Tensor) -> Tensor:
        return images

    def _drawn(self, shape: Sequence[int], lower: float = 0.0, upper: float = 1.0) -> Tensor:
        """Numbers from [lower, upper), others in each step."""
        return ops.random_uniform(shape, self.seed_generator.state, lower, upper, self.dtype)


def sized_shape(input_shape: Shape, height: int, width: int) -> Shape:
    """The shape of images that have become ``height`` x ``width``."""
    return (*input_shape[:-3], height, width, input_shape[-1])


def factor_range(factor: Any, argument: str, layer: str, least: float = -1.0, most: float = 1.0) -> tuple[float, float]:
    """(lower, upper) of a number f, which stands for (-f, f), or of two numbers."""
    given = tuple(factor) if isinstance(factor, (tuple, list)) else (-abs(factor), abs(factor))
    if len(given) != 2:
        raise ValueError(f"[{layer}] {argument} must be a number or two of them; received {factor!r}")
    lower, upper = sorted(float(f) for f in given)
    if not least <= lower <= upper <= most:
        raise ValueError(f"[{layer}] {argument} must lie in [{least:g}, {most:g}]; received {factor!r}")
    return lower, upper
