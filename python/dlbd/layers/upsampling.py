"""UpSampling1D, UpSampling2D and UpSampling3D: larger by whole factors, without weights."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.arguments import one_of, sizes
from dlbd.layers.spatial import Spatial
from dlbd.ops.image import INTERPOLATIONS
from dlbd.tensor import Tensor


class _UpSampling(Spatial):
    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.size = sizes(size, self.rank, "size", self.name)

    def call(self, inputs: Tensor) -> Tensor:
        for axis, factor in enumerate(self.size, 1):
            inputs = ops.repeat(inputs, factor, axis)
        return inputs

    def _length(self, n: int, axis: int) -> int:
        return n * self.size[axis]


class UpSampling1D(_UpSampling):
    """Every step several times in a row: (batch, steps, channels) to (batch, steps * size, channels).

    Args:
        size: how often; 2 by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``size`` is less than 1, or (at the call) the input has not three axes.

    Example:
        >>> dlbd.layers.UpSampling1D(2)([[[1.0], [2.0]]]).numpy().tolist()
        [[[1.0], [1.0], [2.0], [2.0]]]
    """

    rank = 1


class UpSampling2D(_UpSampling):
    """Images enlarged: (batch, height, width, channels) to (batch, height * size[0], width * size[1], channels).

    Args:
        size: factors of height and width, or one for both; 2 by default.
        data_format: "channels_last" or None, which is the same.
        interpolation: "nearest" (the default) repeats the pixels; "bilinear", "bicubic", "lanczos3" and "lanczos5" are
            those of :func:`dlbd.ops.image.resize`.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: an argument is out of place, or (at the call) the input has not four axes.

    Example:
        >>> row = np.array([1.0, 5.0]).reshape(1, 1, 2, 1)
        >>> dlbd.layers.UpSampling2D((1, 2))(row).numpy().ravel()
        array([1., 1., 5., 5.], dtype=float32)
        >>> dlbd.layers.UpSampling2D((1, 2), interpolation="bilinear")(row).numpy().ravel()
        array([1., 2., 4., 5.], dtype=float32)
    """

    rank = 2

    def __init__(
        self, size: Any = 2, data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        self.interpolation = one_of(interpolation, INTERPOLATIONS, "interpolation", self.name)

    def call(self, inputs: Tensor) -> Tensor:
        if self.interpolation == "nearest":
            return super().call(inputs)
        height, width = (n * factor for n, factor in zip(inputs.shape[1:-1], self.size, strict=True))
        return ops.image.resize(inputs, (height, width), self.interpolation)


class UpSampling3D(_UpSampling):
    """Volumes enlarged by repeating their elements: (batch, depth, height, width, channels), the middle three larger.

    Args:
        size: factors of depth, height and width, or one for all; 2 by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``size`` is out of place, or (at the call) the input has not five axes.

    Example:
        >>> dlbd.layers.UpSampling3D((1, 2, 3))(np.ones((1, 4, 4, 4, 2))).shape
        (1, 4, 8, 12, 2)
    """

    rank = 3
