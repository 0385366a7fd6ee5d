"""Embedding: a table of vectors, looked up by index."""

from __future__ import annotations

from typing import Any

from dlbd import initializers, ops
from dlbd.layers.arguments import positive
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class Embedding(Layer):
    """Row ``i`` of a trained table for every index ``i``.

    Args:
        input_dim: number of rows.
        output_dim: length of a row.
        embeddings_initializer: "uniform" by default: within +-0.05.
        mask_zero: index 0 is padding, and the layers that follow are told so by the output's mask; False by default.
        weights: the table to start from.
        kwargs: see :class:`Layer`.

    Input (...) of integers in [0, input_dim), or floats, which are cut off to integers; output (..., output_dim).
    Weights: embeddings (input_dim, output_dim).

    Raises:
        ValueError: a size is less than 1, or (at the call) an index is out of range.

    Example:
        >>> layer = dlbd.layers.Embedding(3, 2, weights=np.array([[0, 1], [2, 3], [4, 5]]))
        >>> layer([[2, 0]]).numpy().tolist()
        [[[4.0, 5.0], [0.0, 1.0]]]
    """

    regularizable = ("embeddings",)

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        mask_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)  # of old programs: the length is read from the data
        weights = kwargs.pop("weights", None)
        super().__init__(**kwargs)
        self.input_dim = positive(input_dim, "input_dim", self.name)
        self.output_dim = positive(output_dim, "output_dim", self.name)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        if weights is not None:
            self.build()
            self.set_weights([weights] if getattr(weights, "ndim", 0) == 2 else weights)

    def build(self, input_shape: Shape | None = None) -> None:
        shape = self.input_dim, self.output_dim
        self.embeddings = self.add_weight(shape, self.embeddings_initializer, name="embeddings")

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.dtype.kind == "f":  # Keras takes whole numbers in floats, and programs rely on it
            inputs = ops.cast(inputs, "int32")
        return ops.embedding(inputs, self.embeddings)

    def compute_mask(self, inputs: Tensor, previous_mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)
