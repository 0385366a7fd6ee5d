"""StringLookup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.layers.preprocessing.hashes import hash64, hash_key
from dlbd.layers.preprocessing.index_lookup import IndexLookup
from dlbd.layers.preprocessing.reading import host_values
from dlbd.layers.preprocessing.strings import strings_of
from dlbd.symbolic import has_symbols


class StringLookup(IndexLookup):
    """Strings as their numbers in a vocabulary, or the other way round.

    It works on the host: it may be called with data, begin a Sequential model, or stand between an Input and other
    layers; see :class:`HostLayer`. The indices: 0 for the mask token where there is one (``output_mode="int"`` only),
    then ``num_oov_indices`` for what is not in the vocabulary, then the vocabulary.

    Args:
        max_tokens: the most entries of the vocabulary, with those for the mask and the unknown; no limit by default.
        num_oov_indices: how many indices unknown strings share, by their hash; 1 by default. With 0 they are an error.
        mask_token: the string of no meaning; None (the default) for none.
        oov_token: what unknown indices become with ``invert``; "[UNK]" by default.
        vocabulary: the strings in order, or the path of a text file with one per line; :meth:`adapt` finds them
            otherwise.
        idf_weights: for "tf_idf" a weight per entry of ``vocabulary``.
        invert: take indices and give strings, in a NumPy array; False by default.
        output_mode: "int" (the default): indices, int64, of the inputs' shape; "one_hot", "multi_hot", "count": vectors
            with a number per index, see :class:`CategoryEncoding`; "tf_idf": counts times the weights of the strings.
            Vectors are floats, and the mask token counts for nothing in them.
        pad_to_max_tokens: make vectors of ``max_tokens`` numbers however many strings there are.
        sparse: must be False.
        encoding: of bytes among the inputs; "utf-8" by default.
        salt: an integer or two: the key of another hash for the unknown.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: arguments that do not go together, a vocabulary that is empty, too large or has a string twice, or
            (at the call) no vocabulary yet, or an unknown string where none is allowed.
        TypeError: (at the call) inputs that are no text, missing values for one.

    Example:
        >>> layer = dlbd.layers.StringLookup()
        >>> layer.adapt(["red", "blue", "red"])
        >>> layer.get_vocabulary(), layer(["blue", "green"]).numpy().tolist()
        (['[UNK]', 'red', 'blue'], [2, 0])
        >>> dlbd.layers.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)([1, 2]).tolist()
        ['red', 'blue']
    """

    _token_type = np.str_

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
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
        self.encoding = encoding
        self.salt = hash_key(salt, self.name)
        self._begin(vocabulary, idf_weights)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if self.invert:
            if has_symbols(inputs):
                raise TypeError(
                    f"layer {self.name!r} (StringLookup) gives text, which a model cannot: call it with what predict() "
                    "returns"
                )
            return self.staged(host_values(inputs))
        return super().__call__(inputs, *args, **kwargs)

    def _tokens(self, array: Array) -> list[str]:
        return strings_of(array, self.encoding)

    def _bucket(self, token: str) -> int:
        return hash64(token, self.salt) % self.num_oov_indices
