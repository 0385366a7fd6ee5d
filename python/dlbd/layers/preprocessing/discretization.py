"""Discretization: numbers put into bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import INT32, Array
from dlbd.layers.base import Layer, Shape
from dlbd.layers.preprocessing.encoding import encoded, encoded_shape, mode_named, no_sparse
from dlbd.layers.preprocessing.reading import numbers_of
from dlbd.tensor import Tensor


class Discretization(Layer):
    """The number of the bin that each input lies in; NaN lies in the last one.

    Args:
        bin_boundaries: ascending; ``[0, 1]`` makes the bins (-inf, 0), [0, 1) and [1, inf).
        num_bins: how many bins :meth:`adapt` shall find, equally full ones; instead of ``bin_boundaries``.
        epsilon: how far from equally full they may be, as a fraction of the data; 0.01 by default.
        output_mode: "int" (the default): the bin, int32; "one_hot", "multi_hot", "count": vectors with a number per
            bin, see :class:`CategoryEncoding`.
        sparse: must be False.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: both or neither of ``bin_boundaries`` and ``num_bins`` are given, the boundaries do not ascend,
            another mode, or (at the call) there are no boundaries yet.

    Example:
        >>> dlbd.layers.Discretization([0.0, 1.0])([[-0.5, 0.0, 3.0]]).numpy()
        array([[0, 1, 2]], dtype=int32)
        >>> layer = dlbd.layers.Discretization(num_bins=2)
        >>> layer.adapt([1.0, 2.0, 3.0, 4.0])
        >>> layer.bin_boundaries
        [2.0]
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                f"[{self.name}] either bin_boundaries or num_bins must be given; received "
                f"bin_boundaries={bin_boundaries} and num_bins={num_bins}"
            )
        if num_bins is not None and num_bins < 1:
            raise ValueError(f"[{self.name}] num_bins must be at least 1; received {num_bins}")
        self.num_bins = num_bins
        self.epsilon = float(epsilon)
        if not 0 < self.epsilon < 1:
            raise ValueError(f"[{self.name}] epsilon must lie between 0 and 1; received {epsilon}")
        self.output_mode = mode_named(output_mode, ("int", "one_hot", "multi_hot", "count"), self.name)
        self.sparse = no_sparse(sparse, self.name)
        self.bin_boundaries = None if bin_boundaries is None else self._ascending(bin_boundaries)

    def _ascending(self, boundaries: Sequence[float]) -> list[float]:
        numbers = np.asarray(boundaries, np.float64)
        if numbers.ndim != 1 or not np.all(numbers[1:] >= numbers[:-1]):
            raise ValueError(f"[{self.name}] bin_boundaries must ascend; received {boundaries}")
        return numbers.tolist()  # type: ignore[no-any-return]

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries between ``num_bins`` equally full bins, as far as ``epsilon`` wants it, in one pass.

        Args:
            data: an array, or an iterable of batches, of any size: all its numbers count alike.
            steps: at most so many batches of an iterable.

        Raises:
            ValueError: there is no data, it has NaN or infinity in it, or the layer was given boundaries.
        """
        if self.num_bins is None:
            raise ValueError(f"[{self.name}] adapt() needs num_bins; this layer was given bin_boundaries")
        sample = _Sample()
        for batch in numbers_of(data, self.name, steps):
            sample.add(batch)
        self.bin_boundaries = sample.boundaries(self.num_bins, self.epsilon)

    @property
    def output_dtype(self) -> np.dtype[Any]:
        return INT32 if self.output_mode == "int" else self.dtype

    @property
    def _depth(self) -> int | None:
        return self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    def call(self, inputs: Tensor) -> Tensor:
        if self.bin_boundaries is None:
            raise ValueError("there are no bin boundaries yet: call adapt() with data first")
        boundaries = np.asarray(self.bin_boundaries, self.dtype)
        x = ops.cast(inputs, self.dtype)
        passed = ops.logical_not(ops.less(ops.expand_dims(x, -1), boundaries))
        index = ops.cast(ops.sum(passed, axis=-1), INT32)
        return index if self.output_mode == "int" else encoded(index, self.output_mode, self._depth or 1, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape if self.output_mode == "int" else encoded_shape(input_shape, self.output_mode, self._depth)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        boundaries = config["bin_boundaries"] if config["num_bins"] is not None else None
        layer = cls(**config | {"bin_boundaries": None} if boundaries is not None else config)
        if boundaries is not None:
            layer.bin_boundaries = boundaries  # what adapt() had found
        return layer


# Values that are kept as they are; of more, samples of so many: each doubling moves a rank by 1 / (2 * 65536) at most.
_KEPT = 1 << 16


class _Sample:
    """A sorted sample of any number of values, in one pass.

    Values are kept until there are ``_KEPT``; then they go to level 0. Two such arrays on one level become one on the
    next, of every other value of both (Munro and Paterson: "Selection and sorting with limited storage", 1980).
    """

    def __init__(self) -> None:
        self._pending: Array = np.empty(0)
        self._levels: list[Array | None] = []
        self._turn = 0  # which of two neighbours is kept: by turns

    def add(self, batch: Array) -> None:
        values = np.concatenate([self._pending, batch.reshape(-1).astype(np.float64)])
        while values.size >= _KEPT:
            self._carry(np.sort(values[:_KEPT]))
            values = values[_KEPT:]
        self._pending = values

    def _carry(self, values: Array) -> None:
        level = 0
        while level < len(self._levels) and (other := self._levels[level]) is not None:
            values = np.sort(np.concatenate([values, other]))[self._turn :: 2]
            self._levels[level] = None
            self._turn = 1 - self._turn
            level += 1
        self._levels += [None] * (level + 1 - len(self._levels))
        self._levels[level] = values

    def boundaries(self, bins: int, epsilon: float) -> list[float]:
        """Values between equally full bins; found as Keras does where no value is missing from the sample."""
        parts = [(self._pending, 1.0), *((v, 2.0**i) for i, v in enumerate(self._levels) if v is not None)]
        values = np.concatenate([v for v, _ in parts])
        weights = np.concatenate([np.full(v.size, w) for v, w in parts])
        order = np.argsort(values, kind="stable")
        values, weights = values[order], weights[order]
        if not self._levels:
            step = max(values.size * epsilon, 1.0)
            values = values[int(step - 1) :: int(step)]
            values, weights = _compressed(values, np.full(values.size, step), epsilon)
        return _compressed(values, weights, 1.0 / bins)[0][:-1].tolist()  # type: ignore[no-any-return]


def _compressed(values: Array, weights: Array, epsilon: float) -> tuple[Array, Array]:
    """Values at every ``epsilon``-th part of the weights, by interpolation, and what they stand for."""
    if values.size * epsilon < 1:
        return values, weights
    sums = weights.cumsum()
    parts = epsilon + np.arange(0.0, 1.0, epsilon)
    at = np.interp(parts, sums / sums[-1], sums)
    return np.interp(parts, sums / sums[-1], values), np.diff(at, prepend=0.0)
