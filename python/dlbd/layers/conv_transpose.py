"""Conv1DTranspose, Conv2DTranspose and Conv3DTranspose: the gradient of a convolution as a layer."""

from __future__ import annotations

from typing import Any

from dlbd import initializers, ops
from dlbd.layers.arguments import positive, sizes
from dlbd.layers.base import Shape
from dlbd.layers.base_conv import BaseConv
from dlbd.tensor import Tensor


class _ConvTranspose(BaseConv):
    regularizable = ("kernel", "bias")

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = sizes(output_padding, self.rank, "output_padding", self.name, least=0)
            if any(p >= s for p, s in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"[{self.name}] output_padding {output_padding} must be smaller than strides {self.strides}"
                )

    def build(self, input_shape: Shape) -> None:
        channels = self._known_channels(input_shape)
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = self.add_weight(shape, self.kernel_initializer, name="kernel")
        self._add_bias(self.filters)

    def _convolve(self, x: Tensor, activation: str | None) -> Tensor:
        return ops.conv_transpose(
            x,
            self.kernel,
            self.strides,
            self.padding,
            self.output_padding,
            dilation_rate=self.dilation_rate,
            bias=self.bias,
            activation=activation,
        )

    def _length(self, n: int, axis: int) -> int:
        stride, reach = self.strides[axis], (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
        if self.output_padding is None:
            return n * stride if self.padding == "same" else (n - 1) * stride + max(reach, stride)
        crop = reach // 2 if self.padding == "same" else 0
        return (n - 1) * stride + reach - 2 * crop + self.output_padding[axis]

    def _channels(self, channels: int | None) -> int:
        return self.filters


class Conv1DTranspose(_ConvTranspose):
    """Transposed 1-D convolution: :class:`Conv2DTranspose` over steps in time.

    Arguments and errors are those of :class:`Conv2DTranspose`, with one integer where it takes two.

    Input (batch, steps, channels), output (batch, new steps, filters).
    Weights: kernel (kernel_size, filters, channels), bias (filters,).

    Example:
        >>> layer = dlbd.layers.Conv1DTranspose(1, 3, strides=2, kernel_initializer="ones")
        >>> layer([[[1.0], [2.0]]]).numpy().ravel()
        array([1., 1., 3., 2., 2.], dtype=float32)
    """

    rank = 1


class Conv2DTranspose(_ConvTranspose):
    """Transposed 2-D convolution: the gradient of a convolution as a layer, it enlarges.

    Along an axis of n elements with kernel k, stride s and dilation d the output has, with r = (k - 1) d + 1,
    (n - 1) s + max(r, s) elements for "valid" and n s for "same". With ``output_padding`` o it has
    (n - 1) s + r + o, less 2 floor(r / 2) for "same".

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, or one integer for both.
        strides: by how much it enlarges, 1 by default; one integer or two.
        padding: "valid" (the default) or "same".
        output_padding: see above, less than ``strides``; None (the default) for Keras's sizes.
        data_format: "channels_last" or None, which is the same.
        dilation_rate: spacing of the window's elements, 1 by default; one integer or two.
        activation: name or function; None (the default) for none.
        use_bias: whether a bias is added; True by default.
        kernel_initializer: "glorot_uniform" by default.
        bias_initializer: "zeros" by default.
        kwargs: see :class:`Layer`.

    Input (batch, height, width, channels), output (batch, new height, new width, filters).
    Weights: kernel (height, width, filters, channels), bias (filters,).

    Raises:
        ValueError: an argument is out of place, or (at the call) the number of axes or channels is.

    Example:
        >>> layer = dlbd.layers.Conv2DTranspose(1, 2, strides=2, kernel_initializer="ones")
        >>> layer([[[[1.0], [2.0]]]]).numpy().reshape(2, 4).tolist()  # a row of two pixels
        [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    """

    rank = 2


class Conv3DTranspose(_ConvTranspose):
    """Transposed 3-D convolution: :class:`Conv2DTranspose` over volumes.

    Arguments and errors are those of :class:`Conv2DTranspose`, with three integers where it takes two.

    Input (batch, depth, height, width, channels), output (batch, new depth, new height, new width, filters).
    Weights: kernel (depth, height, width, filters, channels), bias (filters,).

    Example:
        >>> dlbd.layers.Conv3DTranspose(4, 3, strides=2, padding="same")(np.ones((2, 2, 3, 3, 1))).shape
        (2, 4, 6, 6, 4)
    """

    rank = 3
