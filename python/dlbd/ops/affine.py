"""Images sampled at transformed places."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dlbd import _cpu, backend
from dlbd.ops.conv import check_layout
from dlbd.ops.join import broadcast_to
from dlbd.ops.promotion import floats
from dlbd.ops.shape import reshape
from dlbd.tensor import Tensor, as_float

INTERPOLATIONS = ("nearest", "bilinear")
FILL_MODES = ("constant", "nearest", "reflect", "wrap")


@lru_cache(maxsize=1024)
def _image_shape(*key: Any) -> Any:
    return _cpu.ImageShape(*key)


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Images rotated, zoomed, sheared, shifted: the pixel at column x and row y comes from (x', y').

    ``x' = (a0 x + a1 y + a2) / k``, ``y' = (b0 x + b1 y + b2) / k``, ``k = c0 x + c1 y + 1``. There is no gradient: it
    stops here.

    Args:
        images: (batch, height, width, channels) or (height, width, channels); integers are taken as float32.
        transform: a0, a1, a2, b0, b1, b2, c0, c1: (8,), or (batch, 8) with other ones for each image.
        interpolation: "bilinear", between the four pixels around; or "nearest".
        fill_mode: what lies outside of an image (a b c d): "constant" ``fill_value``; "nearest" (a a | a b c d | d d);
            "reflect" (b a | a b c d | d c); "wrap" (c d | a b c d | a b).
        fill_value: 0 by default.
        data_format: None or "channels_last".

    Returns:
        The shape of ``images``.

    Raises:
        ValueError: shapes that do not fit, another interpolation, mode or layout.

    Example:
        >>> image = np.array([[1.0, 2.0, 3.0]])[..., None]
        >>> half_a_pixel = [1, 0, 0.5, 0, 1, 0, 0, 0]
        >>> dlbd.ops.image.affine_transform(image, half_a_pixel, fill_mode="nearest").numpy().ravel()
        array([1.5, 2.5, 3. ], dtype=float32)
    """
    check_layout("affine_transform", "valid", data_format)
    x, m = floats(as_float(images), transform)
    if x.ndim not in (3, 4):
        raise ValueError(
            "[affine_transform] images must be (batch, height, width, channels) or (height, width, channels); "
            f"received {x.shape}"
        )
    batch = x.shape[0] if x.ndim == 4 else 1
    if m.shape not in ((8,), (batch, 8)):
        raise ValueError(f"[affine_transform] transform must be (8,) or ({batch}, 8); received {m.shape}")
    if interpolation not in INTERPOLATIONS or fill_mode not in FILL_MODES:
        raise ValueError(
            f"[affine_transform] interpolation must be one of {INTERPOLATIONS} and fill_mode one of {FILL_MODES}; "
            f"received {interpolation!r} and {fill_mode!r}"
        )
    m = reshape(m, (1, 8)) if m.ndim == 1 else m
    m = m if m.shape[0] == batch else broadcast_to(m, (batch, 8))
    a = x.array
    shape = _image_shape(batch, *a.shape[-3:], backend.DTYPE[a.dtype])
    y = backend.empty(a.shape, a.dtype, a)
    backend.twin(a).affine_sample(shape, interpolation, fill_mode, float(fill_value), a, m.array, y)
    return Tensor(y)
