"""Resizing and CenterCrop: images of one size."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.arguments import one_of, positive
from dlbd.layers.base import Shape
from dlbd.layers.preprocessing.images import ImageLayer, sized_shape
from dlbd.ops.image import INTERPOLATIONS
from dlbd.tensor import Tensor


class Resizing(ImageLayer):
    """Images of another height and width, as floats; see :func:`dlbd.ops.image.resize`.

    Args:
        height, width: of the images that come out.
        interpolation: "bilinear" (the default), "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: first cut off what the new shape has no room for, instead of distorting the image.
        pad_to_aspect_ratio: first fill up what the new shape has more of, with ``fill_value``.
        fill_mode: must be "constant".
        fill_value: 0 by default.
        antialias: where an image shrinks, take the mean of as many more pixels; False by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: another interpolation, mode or layout, both crop and pad, or (at the call) no images.

    Example:
        >>> dlbd.layers.Resizing(14, 14)(np.zeros((2, 28, 28, 1))).shape
        (2, 14, 14, 1)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.height = positive(height, "height", self.name)
        self.width = positive(width, "width", self.name)
        self.interpolation = one_of(interpolation, INTERPOLATIONS, "interpolation", self.name)
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(f"[{self.name}] crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other")
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_mode = one_of(fill_mode, ("constant",), "fill_mode", self.name)
        self.fill_value = float(fill_value)
        self.antialias = bool(antialias)

    def _transformed(self, images: Tensor) -> Tensor:
        return ops.image.resize(
            images,
            (self.height, self.width),
            self.interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            fill_value=self.fill_value,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return sized_shape(input_shape, self.height, self.width)


class CenterCrop(ImageLayer):
    """The middle of each image, as floats. One that is too small is resized, cut off to the shape that is wanted.

    Args:
        height, width: of the images that come out.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: another layout, or (at the call) no images.

    Example:
        >>> dlbd.layers.CenterCrop(1, 2)(np.arange(12.0).reshape(1, 3, 4, 1)).numpy().ravel()
        array([5., 6.], dtype=float32)
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.height = positive(height, "height", self.name)
        self.width = positive(width, "width", self.name)

    def _transformed(self, images: Tensor) -> Tensor:
        top, left = (images.shape[1] - self.height) // 2, (images.shape[2] - self.width) // 2
        if top < 0 or left < 0:
            return ops.image.resize(images, (self.height, self.width), crop_to_aspect_ratio=True)
        return images[:, top : top + self.height, left : left + self.width]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return sized_shape(input_shape, self.height, self.width)
