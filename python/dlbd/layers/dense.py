"""Dense: a fully connected layer."""

from __future__ import annotations

from typing import Any

from dlbd import activations, initializers, ops
from dlbd.layers.arguments import positive
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor


class Dense(Layer):
    """``activation(inputs @ kernel + bias)``.

    Args:
        units: size of the last output axis, at least 1.
        activation: name or function; None (the default) for none.
        use_bias: whether a bias is added; True by default.
        kernel_initializer: "glorot_uniform" by default.
        bias_initializer: "zeros" by default.
        kwargs: see :class:`Layer`.

    Input (batch, ..., features), output (batch, ..., units). Weights: kernel (features, units), bias (units,).

    Raises:
        ValueError: ``units`` is less than 1, or (at the call) the input has less than two axes or another number of
            features than before.

    Example:
        >>> dlbd.layers.Dense(3)(np.ones((2, 5))).shape
        (2, 3)
    """

    supports_masking = True
    regularizable = ("kernel", "bias")

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive(units, "units", self.name)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(
                f"Dense takes (batch, ..., features) with a known number of features; received shape {input_shape}"
            )
        features = input_shape[-1]
        self.kernel = self.add_weight((features, self.units), self.kernel_initializer, name="kernel")
        self.bias = self.add_weight((self.units,), self.bias_initializer, name="bias") if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features}, what="(batch, ..., features)")

    def call(self, inputs: Tensor) -> Tensor:
        fused, rest = activations.split(self.activation)
        y = ops.dense(inputs, self.kernel, self.bias, activation=fused)
        return rest(y) if rest else y

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)
