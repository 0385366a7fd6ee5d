"""SeparableConv1D and SeparableConv2D: a depthwise convolution, then one that mixes the channels of each position."""

from __future__ import annotations

from typing import Any

from dlbd import initializers, ops
from dlbd.layers.arguments import positive
from dlbd.layers.base import Shape
from dlbd.layers.base_conv import BaseConv
from dlbd.tensor import Tensor


class _SeparableConv(BaseConv):
    regularizable = ("depthwise", "pointwise", "bias")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer, **kwargs
        )
        self.filters = positive(filters, "filters", self.name)
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier", self.name)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)

    def build(self, input_shape: Shape) -> None:
        channels = self._known_channels(input_shape)
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        pointwise = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.add_weight(depthwise, self.depthwise_initializer, name="depthwise_kernel")
        self.pointwise_kernel = self.add_weight(pointwise, self.pointwise_initializer, name="pointwise_kernel")
        self._add_bias(self.filters)

    def _convolve(self, x: Tensor, activation: str | None) -> Tensor:
        return ops.separable_conv(
            x,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.strides,
            self.padding,
            dilation_rate=self.dilation_rate,
            bias=self.bias,
            activation=activation,
        )

    def _channels(self, channels: int | None) -> int:
        return self.filters


class SeparableConv1D(_SeparableConv):
    """1-D separable convolution: :class:`SeparableConv2D` over steps in time.

    Arguments and errors are those of :class:`SeparableConv2D`, with one integer where it takes two.

    Input (batch, steps, channels), output (batch, new steps, filters).
    Weights: depthwise_kernel (kernel_size, channels, depth_multiplier), pointwise_kernel
    (1, channels * depth_multiplier, filters), bias (filters,).

    Example:
        >>> dlbd.layers.SeparableConv1D(8, 3, strides=2)(np.ones((2, 9, 4))).shape
        (2, 4, 8)
    """

    rank = 1


class SeparableConv2D(_SeparableConv):
    """2-D separable convolution: every channel is convolved by itself, then each pixel's channels are mixed.

    The sizes of the output are those of :class:`Conv2D`, which it comes close to with far fewer weights (Chollet,
    2017). There is no bias and no activation between the two steps.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one integer for both.
        strides: step of the window, 1 by default; one integer or two.
        padding: "valid" (none, the default) or "same".
        data_format: "channels_last" or None, which is the same.
        dilation_rate: spacing of the window's elements, 1 by default; one integer or two.
        depth_multiplier: how many channels the first step makes of each input channel; 1 by default.
        activation: name or function; None (the default) for none.
        use_bias: whether a bias is added; True by default.
        depthwise_initializer: of the first step's kernel; "glorot_uniform" by default.
        pointwise_initializer: of the second step's kernel; "glorot_uniform" by default.
        bias_initializer: "zeros" by default.
        kwargs: see :class:`Layer`.

    Input (batch, height, width, channels), output (batch, new height, new width, filters).
    Weights: depthwise_kernel (height, width, channels, depth_multiplier), pointwise_kernel
    (1, 1, channels * depth_multiplier, filters), bias (filters,).

    Raises:
        ValueError: an argument is out of place, or (at the call) the number of axes or channels is, or the window does
            not fit.

    Example:
        >>> layer = dlbd.layers.SeparableConv2D(16, 3)
        >>> layer(np.ones((1, 5, 6, 8))).shape, layer.count_params()  # Conv2D has 1,168
        ((1, 3, 4, 16), 216)
    """

    rank = 2
