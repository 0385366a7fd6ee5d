"""Conv1D, Conv2D and Conv3D: one convolution over one, two or three spatial axes."""

from __future__ import annotations

from typing import Any

from dlbd import initializers, ops
from dlbd.layers.arguments import positive
from dlbd.layers.base import Shape
from dlbd.layers.base_conv import BaseConv
from dlbd.tensor import Tensor


class _Conv(BaseConv):
    regularizable = ("kernel", "bias")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_initializer, **kwargs
        )
        self.filters = positive(filters, "filters", self.name)
        self.groups = positive(groups, "groups", self.name)
        self.kernel_initializer = initializers.get(kernel_initializer)
        if self.filters % self.groups:
            raise ValueError(f"[{self.name}] filters ({filters}) must be divisible by groups ({groups})")

    def build(self, input_shape: Shape) -> None:
        channels = self._known_channels(input_shape)
        if channels % self.groups:
            raise ValueError(f"the input's channels ({channels}) must be divisible by groups ({self.groups})")
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight(shape, self.kernel_initializer, name="kernel")
        self._add_bias(self.filters)

    def _convolve(self, x: Tensor, activation: str | None) -> Tensor:
        padding = self.padding
        if padding == "causal":
            x, padding = ops.pad(x, ((0, 0), ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0), (0, 0))), "valid"
        return ops.conv(
            x,
            self.kernel,
            self.strides,
            padding,
            dilation_rate=self.dilation_rate,
            groups=self.groups,
            bias=self.bias,
            activation=activation,
        )

    def _channels(self, channels: int | None) -> int:
        return self.filters


class Conv1D(_Conv):
    """1-D convolution: :class:`Conv2D` over steps in time.

    Arguments and errors are those of :class:`Conv2D`, with one integer where it takes two. ``padding`` may also be
    "causal": all zeros in front, (kernel_size - 1) * dilation_rate of them, so that no output depends on a later input.

    Input (batch, steps, channels), output (batch, new steps, filters), ceil(steps / strides) of them for "causal".
    Weights: kernel (kernel_size, channels / groups, filters), bias (filters,).

    Example:
        >>> layer = dlbd.layers.Conv1D(1, 3, padding="causal", kernel_initializer="ones")
        >>> layer([[[1.0], [2.0], [3.0], [4.0]]]).numpy().ravel()  # sums of the last three
        array([1., 3., 6., 9.], dtype=float32)
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(_Conv):
    """2-D convolution (cross-correlation, as in Keras): a window's weighted sum, with a bias and an activation.

    Along an axis of n elements with kernel k, stride s and dilation d the output has, with r = (k - 1) d + 1,
    floor((n - r) / s) + 1 elements for "valid" and ceil(n / s) for "same", which pads p = max((out - 1) s + r - n, 0)
    zeros, floor(p / 2) of them in front.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one integer for both.
        strides: step of the window, 1 by default; one integer or two.
        padding: "valid" (none, the default) or "same".
        data_format: "channels_last" or None, which is the same.
        dilation_rate: spacing of the window's elements, 1 by default; one integer or two.
        groups: channels are split into this many groups that do not see each other; 1 by default.
        activation: name or function; None (the default) for none.
        use_bias: whether a bias is added; True by default.
        kernel_initializer: "glorot_uniform" by default.
        bias_initializer: "zeros" by default.
        kwargs: see :class:`Layer`.

    Input (batch, height, width, channels), output (batch, new height, new width, filters).
    Weights: kernel (height, width, channels / groups, filters), bias (filters,).

    Raises:
        ValueError: an argument or the number of channels is out of place, or (at the call) the window does not fit.

    Example:
        >>> layer = dlbd.layers.Conv2D(1, 2, kernel_initializer="ones")
        >>> image = np.arange(9.0).reshape(1, 3, 3, 1)
        >>> layer(image).numpy().reshape(2, 2).tolist()  # sums of 2x2
        [[8.0, 12.0], [20.0, 24.0]]
    """

    rank = 2


class Conv3D(_Conv):
    """3-D convolution: :class:`Conv2D` over volumes.

    Arguments and errors are those of :class:`Conv2D`, with three integers where it takes two.

    Input (batch, depth, height, width, channels), output (batch, new depth, new height, new width, filters).
    Weights: kernel (depth, height, width, channels / groups, filters), bias (filters,).

    Example:
        >>> dlbd.layers.Conv3D(4, 3, strides=(1, 2, 2))(np.ones((2, 5, 9, 9, 1))).shape
        (2, 3, 4, 4, 4)
    """

    rank = 3
