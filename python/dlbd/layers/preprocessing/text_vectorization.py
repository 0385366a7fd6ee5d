"""TextVectorization: text as the numbers of its words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.layers.arguments import one_of, positive
from dlbd.layers.base import Shape
from dlbd.layers.preprocessing.encoding import encoded_shape
from dlbd.layers.preprocessing.index_lookup import IndexLookup
from dlbd.layers.preprocessing.strings import strings_of

_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")


class _Punctuation(dict[int, int | None]):
    """For ``str.translate``: the marks of every script, and the ASCII symbols that Keras counts among them, vanish."""

    def __missing__(self, code: int) -> int | None:
        mark = unicodedata.category(chr(code)).startswith("P") or chr(code) in "$+<=>^`|~"
        self[code] = None if mark else code
        return self[code]


_PUNCTUATION = _Punctuation()


class TextVectorization(IndexLookup):
    """Texts as the numbers of their words in a vocabulary, or as vectors of how often each word occurs.

    Each text is brought to a standard form, split into tokens, and these are looked up. It works on the host: it may be
    called with data, begin a Sequential model, or stand between an Input and other layers; see :class:`HostLayer`. The
    indices: 0 for padding (``output_mode="int"`` only), then 1 (otherwise 0) for unknown tokens, then the vocabulary.

    Upper case, white space and punctuation are those of all of Unicode; Keras knows ASCII's only.

    Args:
        max_tokens: the most entries of the vocabulary, with those for padding and the unknown; no limit by default.
        standardize: "lower_and_strip_punctuation" (the default), "lower", "strip_punctuation", None, or a function of
            an array of strings that gives another of its shape.
        split: "whitespace" (the default), "character", a function of an array of strings that gives a list of tokens
            for each, or None where each sample is a row of tokens already.
        ngrams: make tokens of up to so many neighbours, or of as many as a tuple says; none by default.
        output_mode: "int" (the default): (batch, length) indices, int64; "multi_hot", "count", "tf_idf": vectors with a
            number per index, see :class:`StringLookup`.
        output_sequence_length: for "int", the length that texts are cut or padded to. By default it is that of the
            longest text of a batch; ``fit`` records a step for every length.
        pad_to_max_tokens: make vectors of ``max_tokens`` numbers however many tokens there are.
        vocabulary, idf_weights: see :class:`StringLookup`.
        sparse, ragged: must be False.
        encoding: of bytes among the inputs; "utf-8" by default.
        kwargs: see :class:`Layer`.

    Inputs are (batch,) or (batch, 1) texts, or one text; without ``split``, (batch, tokens), or (batch,) single ones.

    Raises:
        ValueError: arguments that do not go together, or (at the call) no vocabulary yet, or inputs of another shape.
        TypeError: (at the call) inputs that are no text, missing values for one.

    Example:
        >>> layer = dlbd.layers.TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["The cat sat.", "The dog!"])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
        >>> layer(["the DOG, the bird"]).numpy()
        array([[2, 4, 2, 1]])
    """

    _token_type = np.str_

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[[Array], Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[[Array], Any] | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=1,
            mask_token="",
            oov_token="[UNK]",
            invert=False,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            **kwargs,
        )
        named = standardize is None or callable(standardize)
        self.standardize = standardize if named else one_of(standardize, _STANDARDIZE, "standardize", self.name)
        named = split is None or callable(split)
        self.split = split if named else one_of(split, ("whitespace", "character"), "split", self.name)
        self.ngrams = ngrams if ngrams is None or isinstance(ngrams, int) else tuple(ngrams)
        widths = range(1, positive(ngrams, "ngrams", self.name) + 1) if isinstance(ngrams, int) else ngrams
        self._widths = None if widths is None else [positive(n, "ngrams", self.name) for n in widths]
        if output_sequence_length is not None and self.output_mode != "int":
            raise ValueError(f'[{self.name}] output_sequence_length is for output_mode="int"; received {output_mode!r}')
        self.output_sequence_length = (
            None
            if output_sequence_length is None
            else positive(output_sequence_length, "output_sequence_length", self.name)
        )
        if ragged:
            raise ValueError(f"[{self.name}] there are no ragged tensors: ragged must be False; received {ragged!r}")
        self.ragged = False
        self.encoding = encoding
        self._begin(vocabulary, idf_weights)

    def host_call(self, array: Array) -> Array:
        """(batch, length) indices, with 0, or -1 where they become vectors, behind the shorter texts."""
        documents = [document[: self.output_sequence_length] for document in self._documents(array)]
        lengths = [len(document) for document in documents]
        found = self._lookup(list(chain.from_iterable(documents)))
        longest = max(lengths, default=0) if self.output_sequence_length is None else self.output_sequence_length
        indices = np.full((len(documents), longest), 0 if self.output_mode == "int" else -1, np.int64)
        ends = np.cumsum(lengths)
        for row, end, length in zip(indices, ends.tolist(), lengths, strict=True):
            row[:length] = found[end - length : end]
        if self._keeps_shape(array.shape):
            return indices[:, 0]
        return indices if array.ndim else indices[0]

    def _keeps_shape(self, input_shape: Shape) -> bool:
        """Whether the inputs are a row of tokens, one per sample, that become a row of indices."""
        looked_up = self.output_mode == "int" and self.output_sequence_length is None
        return self.split is None and self._widths is None and looked_up and len(input_shape) == 1

    def _tokens(self, array: Array) -> list[str]:
        return strings_of(array, self.encoding)

    def _documents(self, batch: Array) -> list[list[str]]:
        if self.split is not None and batch.ndim > 1 and batch.shape[1:] != (1,):
            raise ValueError(f"texts to be split must be (batch,) or (batch, 1); received shape {batch.shape}")
        texts = self._standardized(batch)
        if self.split is None:
            length = int(np.prod(batch.shape[1:]))
            documents = [texts[i : i + length] for i in range(0, len(texts), length or 1)]
        elif self.split == "whitespace":
            documents = [text.split() for text in texts]
        elif self.split == "character":
            documents = [list(text) for text in texts]
        else:
            documents = [list(tokens) for tokens in self.split(np.array(texts, np.str_))]  # type: ignore[operator]
        widths = self._widths
        if widths is None:
            return documents
        return [[" ".join(d[i : i + n]) for n in widths for i in range(len(d) - n + 1)] for d in documents]

    def _standardized(self, batch: Array) -> list[str]:
        texts = strings_of(batch, self.encoding)
        if callable(self.standardize):
            shaped = np.array(texts, np.str_).reshape(batch.shape)
            return strings_of(np.asarray(self.standardize(shaped)), self.encoding)
        if self.standardize in ("lower", "lower_and_strip_punctuation"):
            texts = [text.lower() for text in texts]
        if self.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
            texts = [text.translate(_PUNCTUATION) for text in texts]
        return texts

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self._keeps_shape(input_shape):
            return input_shape
        indices = (*input_shape[:1], self.output_sequence_length)
        return indices if self.output_mode == "int" else encoded_shape(indices, self.output_mode, self._depth)
