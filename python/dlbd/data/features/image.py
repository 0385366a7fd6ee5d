"""Image: encoded images as arrays of their pixels."""

from __future__ import annotations

import io
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa
from dlbd.data.errors import missing
from dlbd.data.features.column import Column, RowError
from dlbd.layers.arguments import positive

_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Image(Column):
    """An encoded image (PNG, JPEG and whatever else Pillow reads) as (height, width, channels) float32.

    For images augmented on the fly let the model begin with layers such as :class:`dlbd.layers.RandomFlip`, which work
    in training only. Needs the extra ``images``.

    Args:
        name: of the column: the bytes of image files.
        size: (height, width) that all images are resized to, bilinearly.
        channels: 3 (the default) for colours, 1 for shades of grey; images are converted.
        scale: what the pixels, 0 to 255, are multiplied by; 1/255 by default.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: wrong arguments; later: there is no image, or bytes that are none.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Image("photo", size=(28, 28), channels=1)])
        >>> features.input_shape
        (28, 28, 1)
    """

    _: KW_ONLY
    size: tuple[int, int]
    channels: int = 3
    scale: float = 1 / 255

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        if len(self.size) != 2:
            raise ValueError(f"[{self.name}] size is (height, width); received {self.size}")
        for side in self.size:
            positive(side, "size", self.name)
        if self.channels not in _MODES:
            raise ValueError(f"[{self.name}] channels must be 1 or 3; received {self.channels}")

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.size, self.channels)

    def transform(self, column: pa.Array) -> Array:
        y = np.empty((len(column), *self.shape), np.float32)
        for row, encoded in enumerate(as_bytes(column, self.name)):
            if not encoded.is_valid:
                raise RowError(row, f"column {self.name!r} has no image; rows=[DropMissing()] leaves such rows out")
            try:
                y[row] = self._pixels(encoded.as_buffer())
            except Exception as error:  # whatever a decoder raises for bytes that are no image
                if isinstance(error, ImportError):
                    raise
                why = "of no known format" if isinstance(error, _pillow().UnidentifiedImageError) else error
                raise RowError(row, f"column {self.name!r} holds bytes that are no whole image: {why}") from None
        y *= np.float32(self.scale)
        return y

    def files(self, y: Array) -> pa.Array:
        """PNG files of (rows, height, width, channels) numbers, what :meth:`transform` makes of them."""
        pixels = np.clip(np.rint(y / self.scale), 0, 255).astype(np.uint8)
        return pa.array([_png(image.squeeze(-1) if self.channels == 1 else image) for image in pixels], pa.binary())

    def _pixels(self, encoded: Any) -> Array:
        height, width = self.size
        with _pillow().open(io.BytesIO(encoded)) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"its pixels have more than 8 bits ({image.mode})")
            if isinstance(image.info.get("transparency"), bytes):
                image = image.convert("RGBA")  # the short way has Pillow warn
            pixels = image.convert(_MODES[self.channels])
            if pixels.size != (width, height):
                pixels = pixels.resize((width, height), _pillow().Resampling.BILINEAR)
            return np.asarray(pixels).reshape(self.shape)


def as_bytes(column: pa.Array, name: str) -> pa.Array:
    """The column, if it holds bytes.

    Raises:
        ValueError: it does not.
    """
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column
    raise ValueError(f"column {name!r} should hold the bytes of images; received values of type {column.type}")


def looks_like_image(data: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) of an encoded image; None if the bytes are none."""
    try:
        with _pillow().open(io.BytesIO(data)) as image:
            return image.height, image.width, 1 if image.mode in ("1", "L") else 3
    except OSError:
        return None


def _png(pixels: Array) -> bytes:
    file = io.BytesIO()
    _pillow().fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _pillow() -> Any:
    try:
        from PIL import Image as pillow
    except ImportError as error:
        raise missing("images", error) from error
    return pillow
