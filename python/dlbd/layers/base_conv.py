"""What every convolution layer is made of: a window, a bias, an activation."""

from __future__ import annotations

from typing import Any, ClassVar

from dlbd import activations, initializers
from dlbd.layers.arguments import one_of, sizes
from dlbd.layers.base import Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.spatial import AXES, Spatial, window_output
from dlbd.tensor import Tensor


class BaseConv(Spatial):
    """A subclass makes its kernels in ``build`` and applies them in ``_convolve``."""

    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.kernel_size = sizes(kernel_size, self.rank, "kernel_size", self.name)
        self.strides = sizes(strides, self.rank, "strides", self.name)
        self.padding = one_of(padding, self.paddings, "padding", self.name)
        self.dilation_rate = sizes(dilation_rate, self.rank, "dilation_rate", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.bias_initializer = initializers.get(bias_initializer)

    def _known_channels(self, input_shape: Shape) -> int:
        """Those of the input, which a kernel is built for. From now on the input must have as many."""
        channels = input_shape[-1]
        if len(input_shape) != self.rank + 2 or channels is None:
            missing = len(input_shape) == self.rank + 1
            raise ValueError(
                f"{type(self).__name__} takes {AXES[self.rank]} with known channels; received shape {input_shape}"
                + (". Is the axis of the channels missing? Pass x[..., None]" if missing else "")
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={-1: channels}, what=AXES[self.rank])
        return channels

    def _add_bias(self, filters: int) -> None:
        self.bias = self.add_weight((filters,), self.bias_initializer, name="bias") if self.use_bias else None

    def call(self, inputs: Tensor) -> Tensor:
        fused, rest = activations.split(self.activation)
        y = self._convolve(inputs, fused)
        return rest(y) if rest else y

    def _convolve(self, x: Tensor, activation: str | None) -> Tensor:
        """The operation, with the bias and this activation in the same pass."""
        raise NotImplementedError

    def _length(self, n: int, axis: int) -> int:
        return window_output(n, self.kernel_size[axis], self.strides[axis], self.padding, self.dilation_rate[axis])
