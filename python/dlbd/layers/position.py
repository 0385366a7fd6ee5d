"""Where in a sequence something stands: PositionEmbedding and SinePositionEncoding."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from dlbd import backend, initializers, ops
from dlbd.layers.arguments import positive
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor, as_tensor


class PositionEmbedding(Layer):
    """A trained vector for each position in a sequence, to be added to what stands there.

    Args:
        sequence_length: the longest sequence.
        initializer: of the vectors; "glorot_uniform" by default.
        kwargs: see :class:`Layer`.

    Input (batch, time, features). The output has its shape: the vectors of its positions, the same for each sample.
    Option of the call: ``start_index``, the position of the first time step, 0 by default.

    Weights: embeddings (sequence_length, features).

    Raises:
        ValueError: ``sequence_length`` is less than 1, or (at the call) the sequence goes beyond it.

    Example:
        >>> x = dlbd.Input((10, 4))
        >>> model = dlbd.Model(x, x + dlbd.layers.PositionEmbedding(10)(x))
        >>> model.count_params()
        40
    """

    supports_masking = True
    regularizable = ("embeddings",)

    def __init__(self, sequence_length: int, initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sequence_length = positive(sequence_length, "sequence_length", self.name)
        self.initializer = initializers.get(initializer)

    def build(self, input_shape: Shape) -> None:
        features = _features(input_shape)
        self.position_embeddings = self.add_weight(
            (self.sequence_length, features), self.initializer, name="embeddings"
        )
        self.input_spec = InputSpec(ndim=3, axes={-1: features}, what="(batch, time, features)")

    def call(self, inputs: Tensor, start_index: int = 0) -> Tensor:
        end = start_index + inputs.shape[1]
        if start_index < 0 or end > self.sequence_length:
            raise ValueError(
                f"positions {start_index} to {end - 1} do not lie within sequence_length={self.sequence_length}"
            )
        return ops.broadcast_to(self.position_embeddings[start_index:end], inputs.shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class SinePositionEncoding(Layer):
    """Sines and cosines of each position in a sequence, to be added to what stands there (Vaswani et al., 2017).

    Feature 2 i is ``sin(position / max_wavelength^(2 i / features))``, feature 2 i + 1 the cosine.

    Args:
        max_wavelength: 10000 by default.
        kwargs: see :class:`Layer`.

    Input (batch, time, features). The output has its shape: the same for each sample. Option of the call:
    ``start_index``, the position of the first time step, 0 by default.

    Raises:
        ValueError: (at the call) the input has not three axes.

    Example:
        >>> x = np.zeros((1, 2, 4))
        >>> (x + dlbd.layers.SinePositionEncoding()(x)).numpy().round(2).tolist()[0][0]
        [0.0, 1.0, 0.0, 1.0]
    """

    supports_masking = True

    def __init__(self, max_wavelength: float = 10000, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength

    def call(self, inputs: Tensor, start_index: int = 0) -> Tensor:
        features = _features(inputs.shape)
        table = _sines(start_index, inputs.shape[1], features, float(self.max_wavelength))
        return ops.broadcast_to(as_tensor(table, inputs.dtype, inputs.array), inputs.shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def _features(shape: Shape) -> int:
    if len(shape) != 3 or shape[-1] is None:
        raise ValueError(f"it takes (batch, time, features) with a known number of features; received shape {shape}")
    return shape[-1]


@lru_cache(maxsize=16)
def _sines(start: int, length: int, features: int, wavelength: float) -> backend.Array:
    position = np.arange(start, start + length)[:, None]
    column = np.arange(features)
    angle = position * wavelength ** -(2 * (column // 2) / features)
    return np.where(column % 2, np.cos(angle), np.sin(angle))
