"""Masking: time steps that are padding."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class Masking(Layer):
    """Tells the layers that follow to skip the time steps in which all features have one value.

    Such steps come out as zeros.

    Args:
        mask_value: that value, 0 by default.
        kwargs: see :class:`Layer`.

    Input and output (batch, time, features); the output's mask is (batch, time).

    Example:
        >>> y = dlbd.layers.Masking(mask_value=-1.0)([[[1.0, -1.0], [-1.0, -1.0]]])
        >>> y.numpy().tolist(), y.mask.numpy().tolist()
        ([[[1.0, -1.0], [0.0, 0.0]]], [[True, False]])
    """

    supports_masking = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs: Tensor) -> Tensor:
        seen = self.compute_mask(inputs)
        y = ops.where(ops.expand_dims(seen, -1), inputs, 0)
        y.mask = seen
        return y

    def compute_mask(self, inputs: Tensor, previous_mask: Any = None) -> Tensor:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
