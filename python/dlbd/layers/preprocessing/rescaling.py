"""Rescaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class Rescaling(Layer):
    """``inputs * scale + offset``, as floats; training or not. The shape stays as it is.

    Args:
        scale: a number, or numbers that broadcast with the inputs: ``1 / 255`` takes pixels of a byte to [0, 1].
        offset: likewise; 0 by default. ``Rescaling(1 / 127.5, -1)`` takes them to [-1, 1].
        kwargs: see :class:`Layer`.

    Example:
        >>> dlbd.layers.Rescaling(1 / 255)(np.array([[0, 51, 255]], np.uint8)).numpy().round(4)
        array([[0. , 0.2, 1. ]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = _plain(scale)
        self.offset = _plain(offset)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.add(ops.multiply(ops.cast(inputs, self.dtype), self.scale), self.offset)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def _plain(numbers: Any) -> Any:
    """A number or nested lists of numbers."""
    return np.asarray(numbers, np.float64).tolist()
