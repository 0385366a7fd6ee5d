"""TimeDistributed: a layer on every time step."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape, map_shapes
from dlbd.structure import map_structure
from dlbd.tensor import Tensor, as_tensor


class TimeDistributed(Layer):
    """Applies a layer to every time step by itself, with the same weights.

    All steps are one call of the layer, in which they are part of the batch: BatchNormalization inside takes its mean
    and variance over the batch and all time steps.

    Args:
        layer: any layer.
        kwargs: see :class:`Layer`.

    Input (batch, time, ...), output (batch, time, and what the layer gives for one step). A mask (batch, time) goes on
    as it is. One with more axes, (batch, time, inner time), is for the layer inside; if that gives no mask, a step is
    masked where all of it was. Weights: those of the layer.

    Raises:
        TypeError: ``layer`` is no layer.
        ValueError: (at the call) the input has less than three axes, or the mask does not fit.

    Example:
        >>> dlbd.layers.TimeDistributed(dlbd.layers.Dense(4))(np.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    supports_masking = True

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"TimeDistributed takes a layer; received {layer!r}")
        super().__init__(**({"dtype": layer.dtype} | kwargs))
        self.layer = layer

    def build(self, input_shape: Shape) -> None:
        if not self.layer.built:
            self.layer._build_for(self._inner_shape(input_shape))

    @staticmethod
    def _inner_shape(shape: Shape) -> Shape:
        if len(shape) < 3:
            raise ValueError(f"TimeDistributed takes (batch, time, ...) with at least three axes; received {shape}")
        return (None, *shape[2:])

    def call(self, inputs: Tensor, training: bool = False, mask: Any = None) -> Any:
        self._inner_shape(inputs.shape)
        lead = inputs.shape[:2]
        if mask is not None and as_tensor(mask).shape[:2] != lead:
            raise ValueError(f"the mask must begin with (batch, time) = {lead}; received {as_tensor(mask).shape}")
        inner = as_tensor(mask) if mask is not None and as_tensor(mask).ndim == inputs.ndim - 1 else None
        outputs = self.layer(_folded(inputs), training=training, mask=None if inner is None else _folded(inner))
        return map_structure(lambda y: _unfolded(y, lead), outputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """For what the layer inside has left without a mask: a step counts if anything in it did."""
        if previous_mask is None or previous_mask.ndim == 2:
            return previous_mask
        return ops.any(previous_mask, tuple(range(2, previous_mask.ndim)))

    def compute_output_shape(self, input_shape: Shape) -> Any:
        inner = self.layer.compute_output_shape(self._inner_shape(input_shape))
        return map_shapes(lambda shape: (*input_shape[:2], *shape[1:]), inner)


def _folded(x: Tensor) -> Tensor:
    """(batch, time, ...) as (batch times time, ...)."""
    return ops.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _unfolded(y: Tensor, lead: tuple[int, ...]) -> Tensor:
    """The way back, with the mask that the layer inside has given."""
    out = ops.reshape(y, (*lead, *y.shape[1:]))
    if y.mask is not None:
        out.mask = ops.reshape(y.mask, (*lead, *y.mask.shape[1:]))
    return out
