"""Max and average pooling over windows of one to three axes."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.arguments import one_of, sizes
from dlbd.layers.spatial import Spatial, window_output
from dlbd.tensor import Tensor


class _Pooling(Spatial):
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.pool_size = sizes(pool_size, self.rank, "pool_size", self.name)
        self.strides = self.pool_size if strides is None else sizes(strides, self.rank, "strides", self.name)
        self.padding = one_of(padding, ("valid", "same"), "padding", self.name)

    def _length(self, n: int, axis: int) -> int:
        return window_output(n, self.pool_size[axis], self.strides[axis], self.padding)


class _MaxPooling(_Pooling):
    def call(self, inputs: Tensor) -> Tensor:
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding)


class MaxPooling1D(_MaxPooling):
    """The largest value of each window of steps: :class:`MaxPooling2D` over (batch, steps, channels).

    Arguments and errors are those of :class:`MaxPooling2D`, with one integer where it takes two.

    Example:
        >>> dlbd.layers.MaxPooling1D(3, strides=1)([[[1.0], [3.0], [2.0], [0.0]]]).numpy().tolist()
        [[[3.0], [3.0]]]
    """

    rank = 1


class MaxPooling2D(_MaxPooling):
    """The largest value of each window; the first one if several are equal, and NaN wins.

    Args:
        pool_size: height and width of the window, or one integer for both; 2 by default.
        strides: step of the window; ``pool_size`` by default.
        padding: "valid" (none, the default) or "same" (with -inf).
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Input (batch, height, width, channels), output (batch, new height, new width, channels): per axis of n elements,
    with window k and stride s, floor((n - k) / s) + 1 for "valid" and ceil(n / s) for "same".

    Raises:
        ValueError: an argument is out of place, or (at the call) the input has not four axes or the window does not
            fit.

    Example:
        >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> dlbd.layers.MaxPooling2D(2)(image).numpy().reshape(2, 2).tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """

    rank = 2


class MaxPooling3D(_MaxPooling):
    """The largest value of each window of a volume: :class:`MaxPooling2D` over (batch, depth, height, width, channels).

    Arguments and errors are those of :class:`MaxPooling2D`, with three integers where it takes two.

    Example:
        >>> volume = np.arange(16.0).reshape(1, 2, 2, 4, 1)
        >>> dlbd.layers.MaxPooling3D(2)(volume).numpy().ravel()
        array([13., 15.], dtype=float32)
    """

    rank = 3


class _AveragePooling(_Pooling):
    def call(self, inputs: Tensor) -> Tensor:
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding)


class AveragePooling1D(_AveragePooling):
    """The mean of each window of steps: :class:`AveragePooling2D` over (batch, steps, channels).

    Arguments and errors are those of :class:`AveragePooling2D`, with one integer where it takes two.

    Example:
        >>> dlbd.layers.AveragePooling1D(2, padding="same")([[[1.0], [3.0], [5.0]]]).numpy().tolist()
        [[[2.0], [5.0]]]
    """

    rank = 1


class AveragePooling2D(_AveragePooling):
    """The mean of each window; padding does not count.

    Args:
        pool_size: height and width of the window, or one integer for both; 2 by default.
        strides: step of the window; ``pool_size`` by default.
        padding: "valid" (none, the default) or "same".
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Input (batch, height, width, channels), output (batch, new height, new width, channels): per axis of n elements,
    with window k and stride s, floor((n - k) / s) + 1 for "valid" and ceil(n / s) for "same".

    Raises:
        ValueError: an argument is out of place, or (at the call) the input has not four axes or the window does not
            fit.

    Example:
        >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> dlbd.layers.AveragePooling2D(2)(image).numpy().reshape(2, 2).tolist()
        [[2.5, 4.5], [10.5, 12.5]]
    """

    rank = 2


class AveragePooling3D(_AveragePooling):
    """The mean of each window of a volume: :class:`AveragePooling2D` over (batch, depth, height, width, channels).

    Arguments and errors are those of :class:`AveragePooling2D`, with three integers where it takes two.

    Example:
        >>> volume = np.arange(16.0).reshape(1, 2, 2, 4, 1)
        >>> dlbd.layers.AveragePooling3D(2)(volume).numpy().ravel()
        array([6.5, 8.5], dtype=float32)
    """

    rank = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
