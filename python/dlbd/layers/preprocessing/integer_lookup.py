"""IntegerLookup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.layers.arguments import one_of
from dlbd.layers.preprocessing.hashes import hash64, hash_key
from dlbd.layers.preprocessing.index_lookup import IndexLookup


class IntegerLookup(IndexLookup):
    """Integers as their numbers in a vocabulary, or the other way round.

    As :class:`StringLookup`, with integers for strings; unknown indices become ``oov_token`` (-1) with ``invert``.

    Args:
        max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens: see :class:`StringLookup`.
        vocabulary_dtype: must be "int64".
        oov_method: how unknown integers share several indices: "floormod" (the default), by the remainder of a
            division, or "farmhash", by the hash of their digits.
        salt: an integer or two: the key of another hash, for "farmhash".
        kwargs: see :class:`Layer`.

    Raises:
        ValueError, TypeError: as :class:`StringLookup`.

    Example:
        >>> layer = dlbd.layers.IntegerLookup()
        >>> layer.adapt([12, 36, 12])
        >>> layer.get_vocabulary(), layer([[36, 7]]).numpy().tolist()
        ([-1, 12, 36], [[2, 0]])
    """

    _token_type = np.int64

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            **kwargs,
        )
        self.vocabulary_dtype = one_of(vocabulary_dtype, ("int64",), "vocabulary_dtype", self.name)
        self.oov_method = one_of(oov_method, ("floormod", "farmhash"), "oov_method", self.name)
        self.salt = hash_key(salt, self.name)
        if salt is not None and self.oov_method != "farmhash":
            raise ValueError(f'[{self.name}] salt is for oov_method="farmhash"; received {oov_method!r}')
        self._begin(vocabulary, idf_weights)

    def _tokens(self, array: Array) -> list[int]:
        if array.dtype.kind not in "iu" and array.size:
            raise TypeError(f"expected integers; received dtype {array.dtype}")
        return array.ravel().tolist()

    def _parsed(self, lines: list[str]) -> list[int]:
        return [int(line) for line in lines]

    def _bucket(self, token: int) -> int:
        number = token if self.oov_method == "floormod" else hash64(str(token), self.salt)
        return number % self.num_oov_indices
