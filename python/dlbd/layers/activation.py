"""Activations as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import activations, ops
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class _Elementwise(Layer):
    supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class Activation(_Elementwise):
    """An activation as a layer; the shape stays as it is.

    Args:
        activation: a name of :mod:`dlbd.activations`, or a function of a tensor; None for the identity.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: no activation has that name.

    Example:
        >>> dlbd.layers.Activation("relu")([[-1.0, 2.0]]).numpy().tolist()
        [[0.0, 2.0]]
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs)  # type: ignore[no-any-return]


class ReLU(_Elementwise):
    """``max(x, 0)``, with Keras's three options: x where x > threshold, negative_slope (x - threshold) elsewhere.

    Args:
        max_value: upper limit; None (the default) for none.
        negative_slope: factor of what lies below the threshold; 0 by default.
        threshold: 0 by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: one of the three is negative.

    Example:
        >>> dlbd.layers.ReLU(max_value=2.0, negative_slope=0.5)([-1.0, 1.0, 3.0]).numpy().tolist()
        [-0.5, 1.0, 2.0]
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError(f"[{self.name}] max_value must not be negative; received {max_value}")
        if negative_slope is None or negative_slope < 0:
            raise ValueError(f"[{self.name}] negative_slope must not be negative; received {negative_slope}")
        if threshold is None or threshold < 0:
            raise ValueError(f"[{self.name}] threshold must not be negative; received {threshold}")
        self.max_value = max_value
        self.negative_slope = float(negative_slope)
        self.threshold = float(threshold)

    def call(self, inputs: Tensor) -> Tensor:
        if self.threshold:
            below = ops.multiply(self.negative_slope, ops.subtract(inputs, self.threshold))
            y = ops.where(ops.greater(inputs, self.threshold), inputs, below)
        elif self.negative_slope:
            y = ops.leaky_relu(inputs, self.negative_slope)
        else:
            y = ops.relu(inputs)
        return y if self.max_value is None else ops.minimum(y, float(self.max_value))


class LeakyReLU(_Elementwise):
    """``x`` where it is positive, ``negative_slope * x`` elsewhere (Maas et al., 2013).

    Args:
        negative_slope: slope below zero, 0.3 by default; ``alpha`` is its old name.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``negative_slope`` is negative.

    Example:
        >>> dlbd.layers.LeakyReLU(negative_slope=0.25)([-2.0, 2.0]).numpy().tolist()
        [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(f"[{self.name}] negative_slope must not be negative; received {negative_slope}")
        self.negative_slope = float(negative_slope)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.leaky_relu(inputs, self.negative_slope)


class Softmax(_Elementwise):
    """``exp(x) / sum(exp(x))`` along an axis; the shape stays as it is.

    Called with ``mask``, a bool array of the input's shape, what is False takes no part and gets 0.

    Args:
        axis: the axis that sums to one, or several that do together; the last one by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) there is no such axis.

    Example:
        >>> dlbd.layers.Softmax()([[3.0, 3.0]]).numpy().tolist()
        [[0.5, 0.5]]
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        if mask is not None:  # an explicit mask of the input's shape: False does not take part
            mask = ops.convert_to_tensor(mask)
            if mask.shape == inputs.shape:
                inputs = ops.where(mask, inputs, -3.4028234663852886e38)
        return ops.softmax(inputs, self.axis)
