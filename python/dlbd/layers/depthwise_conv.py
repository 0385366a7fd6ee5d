"""DepthwiseConv1D and DepthwiseConv2D: every channel is convolved by itself."""

from __future__ import annotations

from typing import Any

from dlbd import initializers, ops
from dlbd.layers.arguments import positive
from dlbd.layers.base import Shape
from dlbd.layers.base_conv import BaseConv
from dlbd.tensor import Tensor


class _DepthwiseConv(BaseConv):
    regularizable = ("depthwise", "bias")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer, **kwargs
        )
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier", self.name)
        self.depthwise_initializer = initializers.get(depthwise_initializer)

    def build(self, input_shape: Shape) -> None:
        channels = self._known_channels(input_shape)
        self.kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            name="kernel",
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self._add_bias(channels * self.depth_multiplier)

    def _convolve(self, x: Tensor, activation: str | None) -> Tensor:
        return ops.depthwise_conv(
            x,
            self.kernel,
            self.strides,
            self.padding,
            dilation_rate=self.dilation_rate,
            bias=self.bias,
            activation=activation,
        )

    def _channels(self, channels: int | None) -> int | None:
        return None if channels is None else channels * self.depth_multiplier


class DepthwiseConv1D(_DepthwiseConv):
    """1-D depthwise convolution: :class:`DepthwiseConv2D` over steps in time.

    Arguments and errors are those of :class:`DepthwiseConv2D`, with one integer where it takes two.

    Input (batch, steps, channels), output (batch, new steps, channels * depth_multiplier).
    Weights: kernel (kernel_size, channels, depth_multiplier), bias (channels * depth_multiplier,).

    Example:
        >>> layer = dlbd.layers.DepthwiseConv1D(2, depthwise_initializer="ones")
        >>> layer([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]]).numpy().tolist()
        [[[3.0, 30.0], [5.0, 50.0]]]
    """

    rank = 1


class DepthwiseConv2D(_DepthwiseConv):
    """2-D depthwise convolution: ``depth_multiplier`` filters for every channel, which see that channel only.

    The sizes of the output are those of :class:`Conv2D`. Its channels lie in the order of the input's, those made of
    the same one side by side.

    Args:
        kernel_size: height and width of the window, or one integer for both.
        strides: step of the window, 1 by default; one integer or two.
        padding: "valid" (none, the default) or "same".
        depth_multiplier: how many output channels each input channel gives; 1 by default.
        data_format: "channels_last" or None, which is the same.
        dilation_rate: spacing of the window's elements, 1 by default; one integer or two.
        activation: name or function; None (the default) for none.
        use_bias: whether a bias is added; True by default.
        depthwise_initializer: of the kernel; "glorot_uniform" by default.
        bias_initializer: "zeros" by default.
        kwargs: see :class:`Layer`.

    Input (batch, height, width, channels), output (batch, new height, new width, channels * depth_multiplier).
    Weights: kernel (height, width, channels, depth_multiplier), bias (channels * depth_multiplier,).

    Raises:
        ValueError: an argument is out of place, or (at the call) the number of axes or channels is, or the window does
            not fit.

    Example:
        >>> dlbd.layers.DepthwiseConv2D(3, depth_multiplier=2)(np.ones((1, 5, 6, 4))).shape
        (1, 3, 4, 8)
    """

    rank = 2
