"""Layers that give their input: Identity, and ActivityRegularization, which looks at it."""

from __future__ import annotations

from typing import Any

from dlbd import regularizers
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class Identity(Layer):
    """Gives its input.

    Args:
        kwargs: see :class:`Layer`.

    Example:
        >>> dlbd.layers.Identity()([[1.0, 2.0]]).numpy().tolist()
        [[1.0, 2.0]]
    """

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class ActivityRegularization(Layer):
    """Gives its input, and adds ``l1 sum(|x|) + l2 sum(x^2)`` of a sample, on average, to the loss.

    Args:
        l1, l2: the factors, 0 by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: a factor is negative.

    Example:
        >>> layer = dlbd.layers.ActivityRegularization(l1=0.5, l2=0.25)
        >>> y = layer([[1.0, -2.0]])
        >>> [float(loss) for loss in layer.losses]
        [2.75]
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if l1 < 0 or l2 < 0:
            raise ValueError(f"[{self.name}] l1 and l2 must not be negative; received {l1} and {l2}")
        self.l1, self.l2 = float(l1), float(l2)
        self._penalty = regularizers.L1L2(self.l1, self.l2)

    def call(self, inputs: Tensor) -> Tensor:
        self.add_loss(self._penalty(inputs) / (inputs.shape[0] or 1))
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
