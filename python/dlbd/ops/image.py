"""Images, channels last: ``dlbd.ops.image``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from dlbd.ops.affine import affine_transform as affine_transform
from dlbd.ops.conv import check_layout
from dlbd.ops.elementwise import multiply, round
from dlbd.ops.indexing import getitem, take
from dlbd.ops.join import pad
from dlbd.ops.promotion import cast_to
from dlbd.ops.reduce import sum
from dlbd.tensor import Tensor, as_float, as_tensor

Weights = np.ndarray[Any, Any]


def _triangle(d: Weights) -> Weights:
    return 1.0 - d


def _cubic(d: Weights) -> Weights:
    """Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -1/2."""
    return np.where(d < 1.0, (1.5 * d - 2.5) * d * d + 1.0, ((2.5 - 0.5 * d) * d - 4.0) * d + 2.0)


def _lanczos(radius: int) -> Callable[[Weights], Weights]:
    return lambda d: np.sinc(d) * np.sinc(d / radius)


# How much an input counts for an output by their distance, and up to which distance it counts at all.
_KERNELS: dict[str, tuple[int, Callable[[Weights], Weights]]] = {
    "bilinear": (1, _triangle),
    "bicubic": (2, _cubic),
    "lanczos3": (3, _lanczos(3)),
    "lanczos5": (5, _lanczos(5)),
}
INTERPOLATIONS = ("nearest", *_KERNELS)


def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Images of another height and width.

    Pixels are squares: output i of m lies over (i + 1/2) n / m - 1/2 in an input of n pixels. Its value is a weighted
    mean of the pixels around; what would lie outside of the image is left out.

    Args:
        images: (batch, height, width, channels) or (height, width, channels), any dtype, which stays; integers are
            rounded.
        size: the new height and width.
        interpolation: "bilinear"; "nearest", the pixel that the place lies in; "bicubic" (Keys, a = -1/2); "lanczos3"
            or "lanczos5".
        antialias: where an image shrinks, widen the mean by as much; not for "nearest".
        crop_to_aspect_ratio: first cut off what the new shape has no room for, instead of distorting the image.
        pad_to_aspect_ratio: first fill up what the new shape has more of.
        fill_mode: "constant".
        fill_value: what it is filled up with, 0 by default.
        data_format: None or "channels_last".

    Raises:
        ValueError: no images, an empty one, no such size, another interpolation, mode or layout, or both crop and pad.

    Example:
        >>> image = np.array([0.0, 4.0, 8.0]).reshape(1, 3, 1)
        >>> dlbd.ops.image.resize(image, (1, 6)).numpy().ravel()
        array([0., 1., 3., 5., 7., 8.], dtype=float32)
        >>> dlbd.ops.image.resize(image, (1, 2), "nearest").numpy().ravel()
        array([0., 8.], dtype=float32)
    """
    check_layout("resize", "valid", data_format)
    x = as_tensor(images)
    height, width = _checked_size(x, size)
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"[resize] interpolation must be one of {INTERPOLATIONS}; received {interpolation!r}")
    if fill_mode != "constant":
        raise ValueError(f'[resize] fill_mode must be "constant"; received {fill_mode!r}')
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("[resize] crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other")
    if crop_to_aspect_ratio:
        x = _cropped(x, height, width)
    elif pad_to_aspect_ratio:
        x = _padded(x, height, width, fill_value)
    dtype = x.dtype
    for axis, m in ((-3, height), (-2, width)):
        n = x.shape[axis]
        if n == m:
            continue
        if interpolation == "nearest":
            x = take(x, (2 * np.arange(m) + 1) * n // (2 * m), axis)
        else:
            x = _weighted(as_float(x), axis, *taps(n, m, interpolation, antialias))
    return x if x.dtype == dtype else cast_to(round(x), dtype)


def _checked_size(x: Tensor, size: Sequence[int]) -> tuple[int, int]:
    if x.ndim not in (3, 4) or 0 in x.shape[-3:-1]:
        raise ValueError(
            "[resize] images must be (batch, height, width, channels) or (height, width, channels) and not empty; "
            f"received {x.shape}"
        )
    wanted = [int(n) for n in size]
    if len(wanted) != 2 or min(wanted) < 1:
        raise ValueError(f"[resize] size must be (height, width), both at least 1; received {size}")
    return wanted[0], wanted[1]


def _cropped(x: Tensor, height: int, width: int) -> Tensor:
    """The largest window in the middle of the same shape as height x width."""
    h, w = x.shape[-3:-1]
    high, wide = max(min(h, w * height // width), 1), max(min(w, h * width // height), 1)
    top, left = (h - high) // 2, (w - wide) // 2
    return getitem(x, (..., slice(top, top + high), slice(left, left + wide), slice(None)))


def _padded(x: Tensor, height: int, width: int, value: float) -> Tensor:
    """The same margin at both ends of the axis that is too short for the shape of height x width."""
    h, w = x.shape[-3:-1]
    rows, columns = max(w * height // width - h, 0) // 2, max(h * width // height - w, 0) // 2
    margins = ((0, 0),) * (x.ndim - 3) + ((rows, rows), (columns, columns), (0, 0))
    return pad(x, margins, constant_values=value)


@lru_cache(maxsize=256)
def taps(n: int, m: int, interpolation: str, antialias: bool) -> tuple[Weights, Weights]:
    """Positions among n inputs that each of m outputs is made of, and their weights: both (m, taps)."""
    radius, kernel = _KERNELS[interpolation]
    stretch = max(n / m, 1.0) if antialias else 1.0
    reach = radius * stretch
    center = ((np.arange(m) + 0.5) * n / m - 0.5)[:, None]
    position = np.floor(center - reach) + 1 + np.arange(math.ceil(2 * reach))
    distance = np.abs(position - center) / stretch
    counts = (distance < radius) & (position >= 0) & (position < n)
    weight = np.where(counts, kernel(distance), 0.0)
    return np.clip(position, 0, n - 1).astype(np.int32), weight / weight.sum(axis=1, keepdims=True)


def _weighted(x: Tensor, axis: int, position: Weights, weight: Weights) -> Tensor:
    """Sums of ``weight`` times the elements at ``position`` along the axis, counted from the end."""
    taps = take(x, position, axis)
    return sum(multiply(taps, weight.astype(x.dtype).reshape(*weight.shape, *(1,) * (-axis - 1))), axis)


__all__ = ["affine_transform", "resize"]
