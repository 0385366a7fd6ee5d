"""GroupNormalization."""

from __future__ import annotations

import operator
from math import prod
from typing import Any

from dlbd import initializers, ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.normalization import known_sizes
from dlbd.tensor import Tensor


class GroupNormalization(Layer):
    """Normalizes each sample's groups of channels by their own mean and variance (Wu and He, 2018).

    ``gamma (x - mean) / sqrt(variance + epsilon) + beta``, mean and variance (the biased one) over the channels of a
    group and all places. The shape stays as it is. One group is like LayerNormalization over the whole sample, as many
    as channels is instance normalization.

    Args:
        groups: how many, 32 by default; -1 for as many as channels.
        axis: the axis of the channels; the last one by default.
        epsilon: 1e-3 by default.
        center: whether there is a beta; True by default.
        scale: whether there is a gamma; True by default.
        beta_initializer, gamma_initializer: "zeros" and "ones" by default.
        kwargs: see :class:`Layer`.

    Weights: gamma, beta, each (channels,).

    Raises:
        ValueError: ``groups`` is neither -1 nor at least 1, or (at the call) does not divide the channels, or there is
            no such axis.

    Example:
        >>> dlbd.layers.GroupNormalization(groups=2, epsilon=0.0)([[1.0, 3.0, 40.0, 20.0]]).numpy().tolist()
        [[-1.0, 1.0, 1.0, -1.0]]
    """

    supports_masking = True
    regularizable = ("beta", "gamma")

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = operator.index(groups)
        if self.groups < 1 and self.groups != -1:
            raise ValueError(f"[{self.name}] groups must be at least 1, or -1 for one a channel; received {groups}")
        self.axis = operator.index(axis)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)

    def build(self, input_shape: Shape) -> None:
        (channels,) = known_sizes(input_shape, [self.axis])
        if self.groups != -1 and channels % self.groups:
            raise ValueError(f"groups={self.groups} must divide the {channels} channels of axis {self.axis}")
        self.gamma = self.add_weight((channels,), self.gamma_initializer, name="gamma") if self.scale else None
        self.beta = self.add_weight((channels,), self.beta_initializer, name="beta") if self.center else None
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Tensor) -> Tensor:
        last = self.axis % inputs.ndim == inputs.ndim - 1
        x = inputs if last else ops.moveaxis(inputs, self.axis, -1)
        batch, channels, places = x.shape[0], x.shape[-1], prod(x.shape[1:-1])
        groups = channels if self.groups == -1 else self.groups
        # (batch, places, groups, channels of a group) with the groups in front: rows of layer normalization
        rows = ops.transpose(ops.reshape(x, (batch, places, groups, channels // groups)), (0, 2, 1, 3))
        normal = ops.layer_normalization(rows, axis=(-2, -1), epsilon=self.epsilon)
        y = ops.reshape(ops.transpose(normal, (0, 2, 1, 3)), x.shape)
        if self.gamma is not None:
            y = ops.multiply(y, self.gamma)
        if self.beta is not None:
            y = ops.add(y, self.beta)
        return y if last else ops.moveaxis(y, -1, self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        known_sizes(input_shape, [self.axis])
        return input_shape
