"""UnitNormalization and RMSNormalization: by the length of vectors, without a mean."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.normalization import known_sizes
from dlbd.tensor import Tensor


def unit(x: Tensor, axis: int | Sequence[int]) -> Tensor:
    """``x`` divided by its length along the axes. A vector of zeros stays zeros, with gradient zero."""
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    inverse = ops.rsqrt(ops.maximum(squares, _SMALLEST))
    return ops.multiply(x, ops.where(ops.greater(squares, _SMALLEST), inverse, 0.0))


_SMALLEST = 1e-24  # squared lengths below it count as zero: Keras's epsilon, 1e-12, squared


class UnitNormalization(Layer):
    """Divides by the length: ``x / sqrt(sum(x^2))`` along an axis. Zeros stay zeros; the shape stays as it is.

    Args:
        axis: the axis or axes that get the length 1; the last one by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) there is no such axis.

    Example:
        >>> dlbd.layers.UnitNormalization()([[3.0, 4.0], [0.0, 0.0]]).numpy().round(4).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = axis if isinstance(axis, int) else [operator.index(a) for a in axis]

    def call(self, inputs: Tensor) -> Tensor:
        return unit(inputs, self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        for axis in [self.axis] if isinstance(self.axis, int) else self.axis:
            if not -len(input_shape) <= axis < len(input_shape):
                raise ValueError(f"axis {axis} does not exist in inputs of shape {input_shape}")
        return input_shape


class RMSNormalization(Layer):
    """``scale x / sqrt(mean(x^2) + epsilon)`` along an axis (Zhang and Sennrich, 2019). The shape stays as it is.

    Args:
        axis: the axis or axes of the mean; the last one by default.
        epsilon: 1e-6 by default.
        kwargs: see :class:`Layer`.

    Weights: scale, with the sizes of ``axis``, ones at first.

    Raises:
        ValueError: (at the call) there is no such axis.

    Example:
        >>> dlbd.layers.RMSNormalization(epsilon=0.0)([[1.0, 7.0]]).numpy().round(4).tolist()
        [[0.20000000298023224, 1.399999976158142]]
    """

    supports_masking = True

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = axis if isinstance(axis, int) else sorted(operator.index(a) for a in axis)
        self.epsilon = float(epsilon)

    def build(self, input_shape: Shape) -> None:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        sizes = known_sizes(input_shape, axes)
        self.scale = self.add_weight(sizes, "ones", name="scale")
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(axes, sizes, strict=True)))
        by_axis = {axis % len(input_shape): n for axis, n in zip(axes, sizes, strict=True)}
        self._broadcast = tuple(by_axis.get(i, 1) for i in range(len(input_shape)))

    def call(self, inputs: Tensor) -> Tensor:
        mean = ops.mean(ops.square(inputs), self.axis, keepdims=True)
        scaled = ops.multiply(inputs, ops.rsqrt(ops.add(mean, self.epsilon)))
        return ops.multiply(scaled, ops.reshape(self.scale, self._broadcast))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        known_sizes(input_shape, [self.axis] if isinstance(self.axis, int) else self.axis)
        return input_shape
