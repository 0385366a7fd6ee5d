"""RandomRotation, RandomZoom and RandomTranslation: images sampled at transformed places."""

from __future__ import annotations

from math import pi
from typing import Any

from dlbd import ops
from dlbd.layers.arguments import one_of
from dlbd.layers.preprocessing.images import RandomImageLayer, factor_range
from dlbd.ops.affine import FILL_MODES, INTERPOLATIONS
from dlbd.tensor import Tensor


class _RandomAffine(RandomImageLayer):
    """A subclass defines ``_coefficients``: a0, a1, a2, b0, b1, b2 of :func:`dlbd.ops.image.affine_transform`.

    Each is a number or a tensor (batch, 1).
    """

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.fill_mode = one_of(fill_mode, FILL_MODES, "fill_mode", self.name)
        self.interpolation = one_of(interpolation, INTERPOLATIONS, "interpolation", self.name)
        self.fill_value = float(fill_value)

    def _coefficients(self, batch: int, height: int, width: int) -> tuple[Any, ...]:
        raise NotImplementedError

    def _transformed(self, images: Tensor) -> Tensor:
        batch, height, width, _ = images.shape
        columns = [
            c if isinstance(c, Tensor) else ops.full((batch, 1), c, images.dtype)
            for c in (*self._coefficients(batch, height, width), 0.0, 0.0)
        ]
        transform = ops.concatenate(columns, axis=1)
        return ops.image.affine_transform(images, transform, self.interpolation, self.fill_mode, self.fill_value)


class RandomRotation(_RandomAffine):
    """While training, turns each image around its middle; floats come out. Gradients stop here.

    Args:
        factor: the angle is drawn from [-factor, factor], as a fraction of a whole turn; or from [a, b] of two
            numbers. Positive angles turn counter-clockwise. All in [-1, 1].
        fill_mode: what comes in from outside of an image (a b c d): "reflect" (the default: b a | a b c d | d c),
            "wrap" (c d | a b c d | a b), "nearest" (a a | a b c d | d d) or "constant", ``fill_value``.
        interpolation: "bilinear" (the default) or "nearest".
        seed: makes this layer repeat by itself; otherwise ``dlbd.utils.set_random_seed`` rules it.
        fill_value: 0 by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: a factor outside [-1, 1], another mode or layout, or (at the call) no images.

    Example:
        >>> quarter = dlbd.layers.RandomRotation((0.25, 0.25))
        >>> quarter(np.array([[1.0, 2.0], [3.0, 4.0]])[..., None], training=True).numpy().reshape(2, 2).round(4)
        array([[2., 4.],
               [1., 3.]], dtype=float32)
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self.name)

    def _coefficients(self, batch: int, height: int, width: int) -> tuple[Any, ...]:
        lower, upper = self.factor
        angle = self._drawn((batch, 1), lower * 2 * pi, upper * 2 * pi)
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        return cos, -sin, x - (x * cos - y * sin), sin, cos, y - (x * sin + y * cos)


class RandomZoom(_RandomAffine):
    """While training, makes each image larger or smaller around its middle; floats come out. Gradients stop here.

    Args:
        height_factor: how much more of the height is seen is drawn from [-height_factor, height_factor], or from [a, b]
            of two numbers: 0.3 shrinks the image to 1 / 1.3, -0.3 enlarges it to 1 / 0.7. All in (-1, 1].
        width_factor: likewise; None (the default): the same as of the height, so that shapes stay.
        fill_mode, interpolation, seed, fill_value, data_format: see :class:`RandomRotation`.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: a factor outside (-1, 1], another mode or layout, or (at the call) no images.

    Example:
        >>> half = dlbd.layers.RandomZoom((1.0, 1.0), fill_mode="constant")
        >>> half(np.ones((4, 4, 1)), training=True).numpy().reshape(4, 4)
        array([[0., 0., 0., 0.],
               [0., 1., 1., 0.],
               [0., 1., 1., 0.],
               [0., 0., 0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = self._above_minus_one(height_factor, "height_factor")
        self.width_factor = None if width_factor is None else self._above_minus_one(width_factor, "width_factor")

    def _above_minus_one(self, factor: Any, argument: str) -> tuple[float, float]:
        lower, upper = factor_range(factor, argument, self.name)
        if lower == -1:
            raise ValueError(f"[{self.name}] {argument} must be greater than -1; received {factor!r}")
        return lower, upper

    def _coefficients(self, batch: int, height: int, width: int) -> tuple[Any, ...]:
        lower, upper = self.height_factor
        down = self._drawn((batch, 1), 1.0 + lower, 1.0 + upper)
        across = down
        if self.width_factor is not None:
            lower, upper = self.width_factor
            across = self._drawn((batch, 1), 1.0 + lower, 1.0 + upper)
        x, y = (width - 1) / 2, (height - 1) / 2
        return across, 0.0, x - x * across, 0.0, down, y - y * down


class RandomTranslation(_RandomAffine):
    """While training, shifts each image; floats come out. Gradients stop here.

    Args:
        height_factor: how far down is drawn from [-height_factor, height_factor], as a fraction of the height; or from
            [a, b] of two numbers. All in [-1, 1].
        width_factor: likewise how far to the right, as a fraction of the width.
        fill_mode, interpolation, seed, fill_value, data_format: see :class:`RandomRotation`.
        kwargs: see :class:`Layer`.

    Inputs are (batch, height, width, channels), or one image.

    Raises:
        ValueError: a factor outside [-1, 1], another mode or layout, or (at the call) no images.

    Example:
        >>> right = dlbd.layers.RandomTranslation(0.0, (0.25, 0.25), fill_mode="wrap")
        >>> right(np.arange(4.0).reshape(1, 4, 1), training=True).numpy().ravel()
        array([3., 0., 1., 2.], dtype=float32)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = factor_range(height_factor, "height_factor", self.name)
        self.width_factor = factor_range(width_factor, "width_factor", self.name)

    def _coefficients(self, batch: int, height: int, width: int) -> tuple[Any, ...]:
        down, right = (
            self._drawn((batch, 1), lower * size, upper * size)
            for (lower, upper), size in ((self.height_factor, height), (self.width_factor, width))
        )
        return 1.0, 0.0, -right, 0.0, 1.0, -down
