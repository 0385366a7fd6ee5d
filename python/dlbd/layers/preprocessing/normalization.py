"""Normalization: data brought to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.preprocessing.moments import Moments
from dlbd.layers.preprocessing.reading import numbers_of
from dlbd.tensor import Tensor

# The least standard deviation that is divided by, as in Keras: constant features become 0.
_LEAST_DEVIATION = 1e-7


class Normalization(Layer):
    """``(inputs - mean) / sqrt(variance)``, with the mean and variance of data that :meth:`adapt` has seen.

    The shape stays as it is. Where the variance is 0 the result is.

    Args:
        axis: the axis or axes whose positions each have a mean and variance of their own; the last one by default.
            None: one mean and variance for all numbers. The batch axis is never one of them.
        mean, variance: numbers that broadcast to the sizes of ``axis``, instead of those of :meth:`adapt`.
        invert: the other way round: ``inputs * sqrt(variance) + mean``.
        kwargs: see :class:`Layer`.

    Weights: mean, variance, each with the sizes of ``axis``, and count (int64, how many numbers each was found from);
    none of them is trained. There are none where ``mean`` and ``variance`` are given.

    Raises:
        ValueError: one of ``mean`` and ``variance`` is missing or they do not fit, or (at the call) ``axis`` does not
            exist, is that of the batch, or has an unknown size.

    Example:
        >>> layer = dlbd.layers.Normalization()
        >>> layer.adapt([[1.0, 10.0], [3.0, 30.0]])
        >>> layer([[1.0, 30.0]]).numpy()
        array([[-1.,  1.]], dtype=float32)
        >>> dlbd.layers.Normalization(mean=3.0, variance=4.0)([[5.0], [3.0]]).numpy().tolist()
        [[1.0], [0.0]]
    """

    supports_masking = True

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if (mean is None) != (variance is None) or np.shape(mean) != np.shape(variance):
            raise ValueError(
                f"[{self.name}] mean and variance must be given together and have the same shape; "
                f"received mean={mean} and variance={variance}"
            )
        self.input_mean = None if mean is None else np.asarray(mean, np.float64)
        self.input_variance = None if variance is None else np.asarray(variance, np.float64)
        self.invert = bool(invert)

    def build(self, input_shape: Shape) -> None:
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise ValueError(f"axis {self.axis} does not exist in inputs of shape {input_shape}")
        kept = sorted({a % rank for a in self.axis})
        if kept and kept[0] == 0:
            raise ValueError(
                f"axis {self.axis} is that of the batch in inputs of shape {input_shape}: pass axis=None for one mean "
                "of all numbers"
            )
        sizes = tuple(input_shape[a] for a in kept)
        if None in sizes:
            raise ValueError(f"the sizes of axis {self.axis} must be known; received shape {input_shape}")
        self._reduced = tuple(a for a in range(rank) if a not in kept)
        self._broadcast = [input_shape[a] or 0 if a in kept else 1 for a in range(rank)]
        self.input_spec = InputSpec(ndim=rank, axes=dict(zip(kept, sizes, strict=True)))
        if self.input_mean is None:
            self._mean: Tensor = self.add_weight(sizes, "zeros", trainable=False, name="mean")
            self._variance: Tensor = self.add_weight(sizes, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int64", trainable=False, name="count")
        else:
            self._mean = self._given("mean", self.input_mean, sizes)
            self._variance = self._given("variance", self.input_variance, sizes)

    def _given(self, name: str, value: Any, sizes: Any) -> Tensor:
        try:
            whole = np.broadcast_to(value, sizes)
        except ValueError:
            raise ValueError(f"{name} of shape {value.shape} does not broadcast to {sizes}") from None
        return ops.convert_to_tensor(whole, self.dtype)

    @property
    def mean(self) -> Tensor | None:
        """The mean in use, of a shape that broadcasts with the inputs; None before the layer is built."""
        return ops.reshape(self._mean, self._broadcast) if self.built else None

    @property
    def variance(self) -> Tensor | None:
        """The variance in use, likewise."""
        return ops.reshape(self._variance, self._broadcast) if self.built else None

    def adapt(self, data: Any) -> None:
        """Find the mean and variance of ``data``, in float64 and in one pass; what was found before is forgotten.

        Args:
            data: an array, or an iterable of batches (of a batch ``(x, y)`` the ``x`` counts), of any size.

        Raises:
            ValueError: there is no data, it has NaN or infinity in it, its shape does not fit, or the layer was given a
                mean.

        Example:
            >>> layer = dlbd.layers.Normalization(axis=None)
            >>> layer.adapt(np.arange(4.0) + start for start in (0, 4))
            >>> layer.mean.numpy().tolist(), layer.variance.numpy().tolist()
            ([3.5], [5.25])
        """
        if self.input_mean is not None:
            raise ValueError(f"[{self.name}] adapt() would replace the mean and variance that the layer was given")
        moments = Moments()
        for batch in numbers_of(data, self.name):
            if not self.built:
                self._build_for((None, *batch.shape[1:]))
            self.input_spec.check_shape(batch.shape, self)  # type: ignore[union-attr]
            moments.add(batch, self._reduced)
        found = (moments.mean, moments.variance, moments.count)
        for variable, value in zip(self._own_variables, found, strict=True):
            variable.assign(value)

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast(inputs, self.dtype)
        deviation = ops.maximum(ops.sqrt(self.variance), _LEAST_DEVIATION)
        return x * deviation + self.mean if self.invert else (x - self.mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        given = {"mean": self.input_mean, "variance": self.input_variance}
        plain = {name: None if value is None else value.tolist() for name, value in given.items()}
        return super().get_config() | {"axis": self.axis or None, "invert": self.invert} | plain
