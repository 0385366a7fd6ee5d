"""Pooling over windows and over whole images. Images are (batch, height, width, channels)."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.arguments import channels_last, one_of, sizes
from dlbd.layers.base import Layer, Shape
from dlbd.layers.conv import window_output
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor

_IMAGES = InputSpec(ndim=4, what="(batch, height, width, channels)")


class _Pooling2D(Layer):
    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = sizes(pool_size, 2, "pool_size", self.name)
        self.strides = self.pool_size if strides is None else sizes(strides, 2, "strides", self.name)
        self.padding = one_of(padding, ("valid", "same"), "padding", self.name)
        self.data_format = channels_last(data_format, self.name)
        self.input_spec = _IMAGES

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        _IMAGES.check_shape(input_shape, self)
        axes = zip(input_shape[1:-1], self.pool_size, self.strides, strict=True)
        return (input_shape[0], *(window_output(n, k, s, self.padding) for n, k, s in axes), input_shape[-1])


class MaxPooling2D(_Pooling2D):
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

    def call(self, inputs: Tensor) -> Tensor:
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pooling2D):
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

    def call(self, inputs: Tensor) -> Tensor:
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding)


class _GlobalPooling2D(Layer):
    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = channels_last(data_format, self.name)
        self.keepdims = keepdims
        self.input_spec = _IMAGES

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        _IMAGES.check_shape(input_shape, self)
        return (input_shape[0], *((1, 1) if self.keepdims else ()), input_shape[-1])


class GlobalAveragePooling2D(_GlobalPooling2D):
    """The mean over height and width: (batch, height, width, channels) to (batch, channels).

    Args:
        data_format: "channels_last" or None, which is the same.
        keepdims: keep height and width as axes of length 1; False by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) the input has not four axes.

    Example:
        >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> dlbd.layers.GlobalAveragePooling2D()(image).numpy().tolist()
        [[7.5]]
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.mean(inputs, axis=(1, 2), keepdims=self.keepdims)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """The largest value over height and width: (batch, height, width, channels) to (batch, channels).

    Args:
        data_format: "channels_last" or None, which is the same.
        keepdims: keep height and width as axes of length 1; False by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) the input has not four axes.

    Example:
        >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> dlbd.layers.GlobalMaxPooling2D(keepdims=True)(image).numpy().tolist()
        [[[[15.0]]]]
    """

    def call(self, inputs: Tensor) -> Tensor:
        return ops.max(inputs, axis=(1, 2), keepdims=self.keepdims)


MaxPool2D, AvgPool2D = MaxPooling2D, AveragePooling2D
GlobalAvgPool2D, GlobalMaxPool2D = GlobalAveragePooling2D, GlobalMaxPooling2D
