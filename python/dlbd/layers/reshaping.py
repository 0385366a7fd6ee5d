"""Flatten, Reshape, Permute and RepeatVector: the same numbers in another shape."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.arguments import channels_last, positive
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor


class Flatten(Layer):
    """(batch, ...) to (batch, everything else), without a copy. A batch of numbers (batch,) becomes (batch, 1).

    Args:
        data_format: "channels_last" or None, which is the same.
        kwargs: see :class:`Layer`.

    Example:
        >>> dlbd.layers.Flatten()(np.ones((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = channels_last(data_format, self.name)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else math.prod(n for n in rest if n is not None))


class Reshape(Layer):
    """(batch, ...) to (batch, *target_shape), without a copy.

    Args:
        target_shape: shape of one sample; one size may be -1 and is computed.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``target_shape`` is no shape, or (at the call) the samples have another number of elements.

    Example:
        >>> dlbd.layers.Reshape((2, -1))(np.ones((5, 3, 4))).shape
        (5, 2, 6)
    """

    def __init__(self, target_shape: Sequence[int] | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        given = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        self.target_shape = tuple(operator.index(n) for n in given)
        if self.target_shape.count(-1) > 1 or any(n < -1 for n in self.target_shape):
            raise ValueError(f"[{self.name}] target_shape may hold one -1 and otherwise sizes; received {target_shape}")

    def call(self, inputs: Tensor) -> Tensor:
        target = self._target(inputs.shape)
        return ops.reshape(inputs, (inputs.shape[0], *(n for n in target if n is not None)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._target(input_shape))

    def _target(self, input_shape: Shape) -> Shape:
        rest = input_shape[1:]
        if None in rest:
            return tuple(None if n == -1 else n for n in self.target_shape)
        size = math.prod(n for n in rest if n is not None)
        known = math.prod(n for n in self.target_shape if n != -1)
        fits = known == size if -1 not in self.target_shape else known > 0 and size % known == 0
        if not fits:
            raise ValueError(f"samples of shape {rest} ({size} numbers) cannot be reshaped to {self.target_shape}")
        return tuple(size // known if n == -1 else n for n in self.target_shape)


class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: for each axis of the output, that of the input it comes from, counted from 1: the batch stays first.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``dims`` does not name the axes from 1 on, each once, or (at the call) the input has another number.

    Example:
        >>> dlbd.layers.Permute((2, 1))(np.ones((5, 3, 4))).shape
        (5, 4, 3)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(operator.index(n) for n in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"[{self.name}] dims must order the axes 1 to {len(self.dims)}; received {dims}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        assert self.input_spec is not None
        self.input_spec.check_shape(input_shape, self)
        return tuple(input_shape[i] for i in (0, *self.dims))


class RepeatVector(Layer):
    """(batch, features) n times: (batch, n, features).

    Args:
        n: how often, at least 1.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``n`` is less than 1, or (at the call) the input has not two axes.

    Example:
        >>> dlbd.layers.RepeatVector(2)([[1.0, 2.0]]).numpy().tolist()
        [[[1.0, 2.0], [1.0, 2.0]]]
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive(n, "n", self.name)
        self.input_spec = InputSpec(ndim=2, what="(batch, features)")

    def call(self, inputs: Tensor) -> Tensor:
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        assert self.input_spec is not None
        self.input_spec.check_shape(input_shape, self)
        return (input_shape[0], self.n, input_shape[1])
