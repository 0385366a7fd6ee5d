"""Conv2D and Conv2DTranspose. Images are (batch, height, width, channels)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dlbd import activations, initializers, ops
from dlbd.layers.arguments import channels_last, one_of, positive, sizes
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor

_AXES = {
    1: "(batch, steps, channels)",
    2: "(batch, height, width, channels)",
    3: "(batch, depth, height, width, channels)",
}


def window_output(n: int | None, size: int, stride: int, padding: str, dilation: int = 1) -> int | None:
    """Output length of a window that slides along an axis of length ``n``."""
    if n is None:
        return None
    reach = (size - 1) * dilation + 1
    if padding == "same":
        return -(-n // stride)
    if n < reach:
        raise ValueError(
            f'a window of {reach} does not fit into an axis of length {n} with padding="valid"; '
            f'use a smaller window or padding="same"'
        )
    return (n - reach) // stride + 1


class _Conv(Layer):
    """What convolutions of every rank share."""

    regularizable = ("kernel", "bias")
    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        bias_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = positive(filters, "filters", self.name)
        self.kernel_size = sizes(kernel_size, self.rank, "kernel_size", self.name)
        self.strides = sizes(strides, self.rank, "strides", self.name)
        self.padding = one_of(padding, ("valid", "same"), "padding", self.name)
        self.data_format = channels_last(data_format, self.name)
        self.dilation_rate = sizes(dilation_rate, self.rank, "dilation_rate", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def _channels(self, input_shape: Shape) -> int:
        if len(input_shape) != self.rank + 2 or input_shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} takes {_AXES[self.rank]} with known channels; received shape {input_shape}"
            )
        return input_shape[-1]

    def _build(self, kernel_shape: tuple[int, ...], channels: int) -> None:
        self.kernel = self.add_weight(kernel_shape, self.kernel_initializer, name="kernel")
        self.bias = self.add_weight((self.filters,), self.bias_initializer, name="bias") if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={-1: channels}, what=_AXES[self.rank])

    def _convolution(self) -> Callable[..., Tensor]:
        """The operation, with what only one kind of layer has."""
        raise NotImplementedError

    def call(self, inputs: Tensor) -> Tensor:
        fused, rest = activations.split(self.activation)
        y = self._convolution()(
            inputs,
            self.kernel,
            self.strides,
            self.padding,
            dilation_rate=self.dilation_rate,
            bias=self.bias,
            activation=fused,
        )
        return rest(y) if rest else y


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
        NotImplementedError: a regularizer or constraint is given.

    Example:
        >>> layer = dlbd.layers.Conv2D(1, 2, kernel_initializer="ones")
        >>> image = np.arange(9.0).reshape(1, 3, 3, 1)
        >>> layer(image).numpy().reshape(2, 2).tolist()  # sums of 2x2
        [[8.0, 12.0], [20.0, 24.0]]
    """

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            kernel_initializer, bias_initializer, **kwargs,
        )  # fmt: skip
        self.groups = positive(groups, "groups", self.name)
        if self.filters % self.groups:
            raise ValueError(f"[{self.name}] filters ({filters}) must be divisible by groups ({groups})")

    def build(self, input_shape: Shape) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(f"the input's channels ({channels}) must be divisible by groups ({self.groups})")
        self._build((*self.kernel_size, channels // self.groups, self.filters), channels)

    def _convolution(self) -> Callable[..., Tensor]:
        return partial(ops.conv, groups=self.groups)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._channels(input_shape)
        axes = zip(input_shape[1:-1], self.kernel_size, self.strides, self.dilation_rate, strict=True)
        spatial = [window_output(n, k, s, self.padding, d) for n, k, s, d in axes]
        return (input_shape[0], *spatial, self.filters)


class Conv2DTranspose(_Conv):
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

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            kernel_initializer, bias_initializer, **kwargs,
        )  # fmt: skip
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = sizes(output_padding, self.rank, "output_padding", self.name, least=0)
            if any(p >= s for p, s in zip(self.output_padding, self.strides, strict=True)):
                raise ValueError(
                    f"[{self.name}] output_padding {output_padding} must be smaller than strides {self.strides}"
                )

    def build(self, input_shape: Shape) -> None:
        channels = self._channels(input_shape)
        self._build((*self.kernel_size, self.filters, channels), channels)

    def _convolution(self) -> Callable[..., Tensor]:
        return partial(ops.conv_transpose, output_padding=self.output_padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._channels(input_shape)
        spatial: list[int | None] = []
        for axis, n in enumerate(input_shape[1:-1]):
            k, s, d = self.kernel_size[axis], self.strides[axis], self.dilation_rate[axis]
            reach = (k - 1) * d + 1
            if n is None:
                spatial.append(None)
            elif self.output_padding is None:
                spatial.append(n * s if self.padding == "same" else (n - 1) * s + max(reach, s))
            else:
                pad = reach // 2 if self.padding == "same" else 0
                spatial.append((n - 1) * s + reach - 2 * pad + self.output_padding[axis])
        return (input_shape[0], *spatial, self.filters)
