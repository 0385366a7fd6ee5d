"""Hashing: categories put into a fixed number of bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.backend import INT64, Array
from dlbd.layers.arguments import positive
from dlbd.layers.base import Shape
from dlbd.layers.preprocessing.encoding import encoded, encoded_shape, mode_named, no_sparse
from dlbd.layers.preprocessing.hashes import hash64, hash_key
from dlbd.layers.preprocessing.host import HostLayer
from dlbd.layers.preprocessing.strings import strings_of
from dlbd.tensor import Tensor


class Hashing(HostLayer):
    """A bin for each string or integer, by a hash of it: no vocabulary is needed, but different ones may share a bin.

    The bins are those of Keras: FarmHash64 of the text (of an integer's digits), or SipHash with a ``salt``. It works
    on the host: see :class:`HostLayer`.

    Args:
        num_bins: how many bins there are.
        mask_value: what goes into bin 0, which is then for nothing else; None (the default) for nothing.
        salt: an integer or two of them: the key of SipHash.
        output_mode: "int" (the default): the bin, int64; "one_hot", "multi_hot", "count": vectors with a number per
            bin, see :class:`CategoryEncoding`.
        sparse: must be False.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: ``num_bins`` below 1, another mode or salt.
        TypeError: (at the call) the inputs are neither text nor numbers. Floats are cut to integers.

    Example:
        >>> dlbd.layers.Hashing(3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel()
        array([1, 0, 1, 1, 2])
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: int | Sequence[int] | None = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") in ("int32", "int64"):  # as Keras has it
            del kwargs["dtype"]
        super().__init__(**kwargs)
        self.num_bins = positive(num_bins, "num_bins", self.name)
        self.mask_value = mask_value
        self.salt = hash_key(salt, self.name)
        self.output_mode = mode_named(output_mode, ("int", "one_hot", "multi_hot", "count"), self.name)
        self.sparse = no_sparse(sparse, self.name)

    def host_call(self, array: Array) -> Array:
        values = _integers(array) if array.dtype.kind in "fiub" else strings_of(array)
        masked = self.mask_value is not None and self.num_bins > 1
        bins = {v: self._bin(v, masked) for v in set(values)}
        if masked and self.mask_value in bins:
            bins[self.mask_value] = 0
        return np.fromiter((bins[v] for v in values), np.int64, array.size).reshape(array.shape)

    def _bin(self, value: Any, masked: bool) -> int:
        number = hash64(str(value), self.salt)
        return number % (self.num_bins - 1) + 1 if masked else number % self.num_bins

    @property
    def output_dtype(self) -> np.dtype[Any]:
        return INT64 if self.output_mode == "int" else self.dtype

    def call(self, inputs: Tensor) -> Tensor:
        return inputs if self.output_mode == "int" else encoded(inputs, self.output_mode, self.num_bins, self.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape if self.output_mode == "int" else encoded_shape(input_shape, self.output_mode, self.num_bins)


def _integers(array: Array) -> list[Any]:
    return array.astype(np.int64).ravel().tolist()
