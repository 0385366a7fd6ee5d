"""RandomFlip and RandomCrop: pixels in other places, none of them changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import INT32
from dlbd.layers.arguments import one_of, positive
from dlbd.layers.base import Shape
from dlbd.layers.preprocessing.images import RandomImageLayer, sized_shape
from dlbd.tensor import Tensor


class RandomFlip(RandomImageLayer):
    """While training, mirrors each image with probability 1/2; floats come out.

    Args:
        mode: "horizontal": left and right change places; "vertical": top and bottom; "horizontal_and_vertical" (the
            default): each of both with probability 1/2 (in Keras, both or neither).
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: another mode or layout, or (at the call) no images.

    Example:
        >>> layer, x = dlbd.layers.RandomFlip("horizontal", seed=3), np.tile([[[[1.0], [2.0]]]], (4, 1, 1, 1))
        >>> layer(x, training=True).numpy().reshape(4, 2).tolist()
        [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [2.0, 1.0]]
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.mode = one_of(mode, ("horizontal", "vertical", "horizontal_and_vertical"), "mode", self.name)

    def _transformed(self, images: Tensor) -> Tensor:
        for name, axis in (("horizontal", 2), ("vertical", 1)):
            if name in self.mode:
                turned = ops.less(self._drawn((images.shape[0], 1, 1, 1)), 0.5)
                images = ops.where(turned, ops.flip(images, axis), images)
        return images


class RandomCrop(RandomImageLayer):
    """While training, a window of each batch at a place of its own; floats come out.

    Otherwise, and where images are too small, they are resized, cut off to the shape that is wanted.

    Args:
        height, width: of the images that come out.
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: another layout, or (at the call) no images.

    Example:
        >>> layer = dlbd.layers.RandomCrop(2, 2, seed=1)
        >>> layer(np.arange(16.0).reshape(1, 4, 4, 1), training=True).numpy().reshape(2, 2).tolist()
        [[10.0, 11.0], [14.0, 15.0]]
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.height = positive(height, "height", self.name)
        self.width = positive(width, "width", self.name)

    def _transformed(self, images: Tensor) -> Tensor:
        rows, columns = images.shape[1] - self.height, images.shape[2] - self.width
        if rows < 0 or columns < 0:
            return self._at_rest(images)
        start = ops.cast(ops.floor(self._drawn((2, 1)) * np.array([[rows + 1], [columns + 1]])), INT32)
        window = ops.take(images, start[0] + np.arange(self.height, dtype=INT32), axis=1)
        return ops.take(window, start[1] + np.arange(self.width, dtype=INT32), axis=2)

    def _at_rest(self, images: Tensor) -> Tensor:
        return ops.image.resize(images, (self.height, self.width), crop_to_aspect_ratio=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return sized_shape(input_shape, self.height, self.width)
