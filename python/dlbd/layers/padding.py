"""Zeros around signals, images and volumes (ZeroPadding), and their margins cut off (Cropping)."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd import ops
from dlbd.layers.arguments import sizes
from dlbd.layers.spatial import Spatial
from dlbd.tensor import Tensor

Pair = tuple[int, int]


class _Margins(Spatial):
    """Margins are kept as Keras does: a pair (before, after) for each axis, of a single axis that pair itself."""

    def _margins(self, value: Any, argument: str) -> Any:
        """Checked margins from an integer, one integer per axis, or one pair per axis."""
        if self.rank == 1:
            return sizes(value, 2, argument, self.name, least=0)
        given = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,) * self.rank
        if len(given) != self.rank:
            raise ValueError(
                f"[{self.name}] {argument} must be an integer, {self.rank} of them or {self.rank} pairs of them; "
                f"received {value!r}"
            )
        return tuple(sizes(v, 2, argument, self.name, least=0) for v in given)

    def _pairs(self, margins: Any) -> tuple[Pair, ...]:
        return (margins,) if self.rank == 1 else margins


class _ZeroPadding(_Margins):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = self._margins(padding, "padding")

    def call(self, inputs: Tensor) -> Tensor:
        return ops.pad(inputs, ((0, 0), *self._pairs(self.padding), (0, 0)))

    def _length(self, n: int, axis: int) -> int:
        return n + sum(self._pairs(self.padding)[axis])


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after the steps: (batch, steps, channels), with more steps.

    Args:
        padding: how many on both sides, or a pair (before, after); 1 by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``padding`` is negative or of another form, or (at the call) the input has not three axes.

    Example:
        >>> dlbd.layers.ZeroPadding1D((1, 2))([[[5.0]]]).numpy().ravel()
        array([0., 5., 0., 0.], dtype=float32)
    """

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Rows and columns of zeros around images (batch, height, width, channels).

    Args:
        padding: how many on every side; two integers, for height and width; or two pairs,
            ((top, bottom), (left, right)). 1 by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``padding`` is negative or of another form, or (at the call) the input has not four axes.

    Example:
        >>> dlbd.layers.ZeroPadding2D(((1, 0), (0, 2)))(np.ones((1, 1, 1, 1))).numpy().reshape(2, 3).tolist()
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """

    rank = 2


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes (batch, depth, height, width, channels).

    Arguments and errors are those of :class:`ZeroPadding2D`, with three integers or pairs where it takes two.

    Example:
        >>> dlbd.layers.ZeroPadding3D((0, 1, 2))(np.ones((1, 4, 4, 4, 2))).shape
        (1, 4, 6, 8, 2)
    """

    rank = 3


class _Cropping(_Margins):
    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = self._margins(cropping, "cropping")

    def call(self, inputs: Tensor) -> Tensor:
        pairs = zip(self._pairs(self.cropping), self.compute_output_shape(inputs.shape)[1:-1], strict=True)
        return inputs[(slice(None), *(slice(before, before + n) for (before, _), n in pairs if n is not None))]

    def _length(self, n: int, axis: int) -> int:
        margin = self._pairs(self.cropping)[axis]
        if sum(margin) >= n:
            raise ValueError(f"cropping {margin} leaves nothing of an axis of length {n}")
        return n - sum(margin)


class Cropping1D(_Cropping):
    """Steps cut off at both ends: (batch, steps, channels), with fewer steps.

    Args:
        cropping: how many at both ends, or a pair (before, after); 1 by default.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``cropping`` is negative or of another form, or (at the call) nothing would be left.

    Example:
        >>> dlbd.layers.Cropping1D((1, 2))([[[1.0], [2.0], [3.0], [4.0]]]).numpy().tolist()
        [[[2.0]]]
    """

    rank = 1


class Cropping2D(_Cropping):
    """Rows and columns cut off images (batch, height, width, channels).

    Args:
        cropping: how many on every side; two integers, for height and width; or two pairs,
            ((top, bottom), (left, right)). None by default, which is what Keras does.
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``cropping`` is negative or of another form, or (at the call) nothing would be left.

    Example:
        >>> image = np.arange(9.0).reshape(1, 3, 3, 1)
        >>> dlbd.layers.Cropping2D(((1, 0), (0, 2)))(image).numpy().ravel()
        array([3., 6.], dtype=float32)
    """

    rank = 2

    def __init__(self, cropping: Any = 0, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Margins cut off volumes (batch, depth, height, width, channels).

    Arguments and errors are those of :class:`Cropping2D`, with three integers or pairs where it takes two; ``cropping``
    is 1 by default.

    Example:
        >>> dlbd.layers.Cropping3D((0, 1, (2, 0)))(np.ones((1, 4, 4, 4, 2))).shape
        (1, 4, 2, 2, 2)
    """

    rank = 3
