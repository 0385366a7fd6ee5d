"""CategoryEncoding, and the output modes that it shares with lookups, hashes and bins."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd import ops
from dlbd.layers.arguments import one_of, positive
from dlbd.layers.base import Layer, Shape
from dlbd.ops.encoding import check_class_numbers, class_counts
from dlbd.tensor import Tensor


def mode_named(value: Any, choices: tuple[str, ...], layer: str) -> str:
    """One of the modes, also by its old name."""
    return one_of({"binary": "multi_hot", "tf-idf": "tf_idf"}.get(value, value), choices, "output_mode", layer)


def no_sparse(value: Any, layer: str) -> bool:
    if value:
        raise ValueError(f"[{layer}] there are no sparse tensors: sparse must be False; received {value!r}")
    return False


def encoded(index: Tensor, mode: str, depth: int, dtype: np.dtype[Any], weights: Any = None) -> Tensor:
    """Indices in an output mode; a negative one counts for nothing.

    "one_hot": a vector for each index, in place of a last axis of size 1; "multi_hot": which indices there are along
    the last axis; "count": how often.
    """
    if mode == "one_hot":
        return ops.one_hot(_without_last(index) if _has_one(index.shape) else index, depth, dtype=dtype)
    counts = ops.reshape(index, (1,)) if index.ndim == 0 else index
    if mode == "multi_hot":
        return ops.multi_hot(counts, depth, dtype=dtype)
    return class_counts(counts, depth, weights, dtype)


def encoded_shape(input_shape: Shape, mode: str, depth: int | None) -> Shape:
    """The shape that :func:`encoded` gives."""
    if mode == "one_hot" and not _has_one(input_shape):
        return (*input_shape, depth)
    return (*input_shape[:-1], depth)


def _has_one(shape: Shape) -> bool:
    return len(shape) > 1 and shape[-1] == 1


def _without_last(x: Tensor) -> Tensor:
    return ops.reshape(x, x.shape[:-1])


class CategoryEncoding(Layer):
    """Class numbers as vectors of ``num_tokens`` numbers.

    Args:
        num_tokens: how many classes there are.
        output_mode: "multi_hot" (the default): 1 for each class that is named along the last axis, (..., n) to
            (..., num_tokens); "count": how often it is named; "one_hot": a vector for each number, (...) to
            (..., num_tokens), where a last axis of size 1 goes.
        sparse: must be False.
        kwargs: see :class:`Layer`.

    Called with ``(inputs, count_weights=None)``: with "count", a weight for each number, of the shape of ``inputs``.

    Raises:
        ValueError: another mode, ``num_tokens`` below 1, or (at the call) a number outside of [0, num_tokens).
        TypeError: (at the call) ``num_tokens`` or the numbers are no integers.

    Example:
        >>> dlbd.layers.CategoryEncoding(3, "count")([[0, 2, 2]]).numpy()
        array([[1., 0., 2.]], dtype=float32)
        >>> dlbd.layers.CategoryEncoding(3, "one_hot")([[1], [2]]).numpy()
        array([[0., 1., 0.],
               [0., 0., 1.]], dtype=float32)
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_tokens is None:
            raise ValueError(
                f"[{self.name}] num_tokens must be given; where it is not known, IntegerLookup finds it out"
            )
        self.num_tokens = positive(num_tokens, "num_tokens", self.name)
        self.output_mode = mode_named(output_mode, ("one_hot", "multi_hot", "count"), self.name)
        self.sparse = no_sparse(sparse, self.name)

    def call(self, inputs: Tensor, count_weights: Any = None) -> Tensor:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(f'count_weights are for output_mode="count"; this layer has {self.output_mode!r}')
        index = inputs if inputs.dtype.kind in "iu" else ops.cast(inputs, np.int32)
        check_class_numbers(index, self.num_tokens)
        return encoded(index, self.output_mode, self.num_tokens, self.dtype, count_weights)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)
