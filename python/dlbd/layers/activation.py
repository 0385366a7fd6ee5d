"""Activations as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import activations, initializers, ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
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


class ELU(_Elementwise):
    """``x`` where it is positive, ``alpha (exp(x) - 1)`` elsewhere (Clevert et al., 2016).

    Args:
        alpha: minus the limit far below zero, 1 by default.
        kwargs: see :class:`Layer`.

    Example:
        >>> dlbd.layers.ELU(alpha=0.5)([-100.0, 2.0]).numpy().tolist()
        [-0.5, 2.0]
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.elu(inputs, self.alpha)


class PReLU(_Elementwise):
    """``x`` where it is positive, ``alpha x`` with a trained slope elsewhere (He et al., 2015).

    Args:
        alpha_initializer: of the slopes, "zeros" by default.
        shared_axes: axes, counted from 1, along which all share a slope: (1, 2) for images gives one for each channel.
            By default every element of a sample has its own.
        kwargs: see :class:`Layer`.

    Weights: alpha, the shape of a sample with 1 for the shared axes.

    Raises:
        ValueError: (at the call) a size that is not shared is unknown, or there is no such axis.

    Example:
        >>> layer = dlbd.layers.PReLU(alpha_initializer=dlbd.initializers.Constant(0.25), shared_axes=(1, 2))
        >>> float(layer(np.full((1, 4, 4, 3), -2.0))[0, 0, 0, 0]), layer.weights[0].shape
        (-0.5, (1, 1, 3))
    """

    regularizable = ("alpha",)

    def __init__(
        self, alpha_initializer: Any = "zeros", shared_axes: int | Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes or ()) or None

    def build(self, input_shape: Shape) -> None:
        shared = self.shared_axes or []
        if not all(1 <= a < len(input_shape) for a in shared):
            raise ValueError(f"shared_axes must lie between 1 and {len(input_shape) - 1}; received {shared}")
        shape = [1 if i in shared else n for i, n in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(shape, self.alpha_initializer, name="alpha")
        axes = {i: n for i, n in enumerate(input_shape) if i > 0 and i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, ops.relu(ops.negative(inputs))))


class Softmax(_Elementwise):
    """``exp(x) / sum(exp(x))`` along an axis; the shape stays as it is.

    Called with ``mask``, a bool array that broadcasts to the input, what is False takes no part and gets 0.

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
        # One that comes along with a sequence, (batch, time), speaks of time steps, not of what is summed over.
        if mask is None or ops.ndim(mask) != inputs.ndim:
            return ops.softmax(inputs, self.axis)
        y = ops.softmax(ops.where(mask, inputs, float(np.finfo(inputs.dtype).min)), self.axis)
        return ops.where(mask, y, 0.0)
