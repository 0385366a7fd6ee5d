"""IndexLookup: what StringLookup, IntegerLookup and TextVectorization have in common, a vocabulary."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlbd import backend, ops
from dlbd.backend import INT64, Array
from dlbd.layers.base import Shape
from dlbd.layers.preprocessing.encoding import encoded, encoded_shape, mode_named, no_sparse
from dlbd.layers.preprocessing.host import HostLayer
from dlbd.layers.preprocessing.reading import batches_of, host_values
from dlbd.tensor import Tensor

# What Keras notes of each lookup, which the vocabulary says, or of those only that have no use for it.
_ONLY_IN_KERAS = frozenset(("has_input_vocabulary", "oov_method", "vocabulary_dtype", "vocabulary_size"))

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class _Vocabulary:
    """Tokens by their places, and the other way round."""

    def __init__(self, tokens: Sequence[Hashable]) -> None:
        self.tokens = list(tokens)
        self.places = {token: place for place, token in enumerate(self.tokens)}


class _Counts:
    """What ``adapt`` has seen so far."""

    def __init__(self) -> None:
        self.tokens: Counter[Hashable] = Counter()
        self.documents: Counter[Hashable] = Counter()  # in how many documents a token stands
        self.seen = 0


class IndexLookup(HostLayer):
    """The base of layers that turn tokens into their numbers in a vocabulary.

    A subclass defines ``_token_type``, ``_tokens`` (the tokens of an array in a row) and ``_bucket`` (where an unknown
    token goes). Arguments are those of :class:`StringLookup`.
    """

    def __init__(
        self,
        *,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("dtype") in ("int32", "int64", "string"):  # as Keras has it
            del kwargs["dtype"]
        super().__init__(**kwargs)
        if max_tokens is not None and max_tokens <= 1:
            raise ValueError(f"[{self.name}] max_tokens must be greater than 1; received {max_tokens}")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"[{self.name}] pad_to_max_tokens=True needs max_tokens")
        if num_oov_indices < 0:
            raise ValueError(f"[{self.name}] num_oov_indices must be at least 0; received {num_oov_indices}")
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.invert = bool(invert)
        self.output_mode = mode_named(output_mode, MODES, self.name)
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        self.sparse = no_sparse(sparse, self.name)
        if invert and self.output_mode != "int":
            raise ValueError(f'[{self.name}] invert=True needs output_mode="int"; received {output_mode!r}')
        self._vocabulary: _Vocabulary | None = None
        self._idf: Tensor | None = None
        self._counts = _Counts()

    def _begin(self, vocabulary: Any, idf_weights: Any) -> None:
        """With the vocabulary of the constructor's argument, if there is one."""
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError(f"[{self.name}] idf_weights go with a vocabulary; received none")

    # What a subclass defines

    _token_type: ClassVar[type]

    def _tokens(self, array: Array) -> list[Any]:
        raise NotImplementedError

    def _bucket(self, token: Any) -> int:
        raise NotImplementedError

    def _documents(self, batch: Array) -> Iterable[Sequence[Any]]:
        """The tokens of each sample."""
        length = int(np.prod(batch.shape[1:]))
        tokens = self._tokens(batch)
        return (tokens[i : i + length] for i in range(0, len(tokens), length or 1))

    # The vocabulary

    @property
    def vocabulary(self) -> list[Any] | None:
        """The constructor's argument that would make an equal layer."""
        return None if self._vocabulary is None else self.get_vocabulary()

    @property
    def idf_weights(self) -> list[float] | None:
        """What the indices weigh in "tf_idf"; None otherwise."""
        return None if self._idf is None else backend.copied(self._idf.array)[: self.vocabulary_size()].tolist()

    @property
    def _oov_start(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    @property
    def _token_start(self) -> int:
        return self._oov_start + self.num_oov_indices

    def _special_tokens(self) -> list[Any]:
        return [self.mask_token] * self._oov_start + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens, each at its index.

        Args:
            include_special_tokens: False leaves out the mask token and those for the unknown.

        Example:
            >>> dlbd.layers.StringLookup(vocabulary=["a", "b"]).get_vocabulary()
            ['[UNK]', 'a', 'b']
        """
        tokens = [] if self._vocabulary is None else list(self._vocabulary.tokens)
        return self._special_tokens() + tokens if include_special_tokens else tokens

    def vocabulary_size(self) -> int:
        """How many indices there are, those of the mask and of the unknown included."""
        return self._token_start + (0 if self._vocabulary is None else len(self._vocabulary.tokens))

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take these tokens instead of any that were there before.

        Args:
            vocabulary: the tokens, with or without the special ones in front, or the path of a text file (UTF-8) with
                a token per line.
            idf_weights: for "tf_idf" a weight per entry of ``vocabulary``; without special tokens in it, these get the
                mean.

        Raises:
            ValueError: there is no token, one occurs twice or is the mask's, there are more than ``max_tokens``, or the
                weights do not fit.
        """
        if isinstance(vocabulary, (str, Path)):
            vocabulary = self._parsed(Path(vocabulary).read_text(encoding="utf-8").rstrip("\n").split("\n"))
        given = self._tokens(np.atleast_1d(host_values(vocabulary)))
        start = self._token_start
        has_special = len(given) > start and given[:start] == self._special_tokens()
        tokens = given[start:] if has_special else given
        self._check_tokens(tokens)
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ValueError(
                f'[{self.name}] idf_weights are needed for output_mode="tf_idf", and for no other; this layer has '
                f"{self.output_mode!r}, received {'none' if idf_weights is None else 'some'}"
            )
        if idf_weights is not None:
            weights = np.asarray(idf_weights, np.float64)
            if weights.shape != (len(given),):
                raise ValueError(
                    f"[{self.name}] idf_weights must hold a number for each of {len(given)} tokens; "
                    f"received shape {weights.shape}"
                )
            self._set_idf(weights if has_special else np.r_[np.full(start, weights.mean()), weights])
        self._vocabulary = _Vocabulary(tokens)

    def _parsed(self, lines: list[str]) -> list[Any]:
        return lines

    def _check_tokens(self, tokens: list[Any]) -> None:
        if not tokens:
            raise ValueError(f"[{self.name}] the vocabulary is empty")
        if len(set(tokens)) != len(tokens):
            twice = [token for token, count in Counter(tokens).items() if count > 1]
            raise ValueError(f"[{self.name}] tokens occur more than once in the vocabulary: {twice[:10]}")
        reserved = [self.mask_token] + ([self.oov_token] if self.invert else [])
        for token in reserved:
            if token is not None and token in tokens:
                raise ValueError(
                    f"[{self.name}] {token!r} has a meaning of its own: leave it out, or let the vocabulary begin with "
                    f"{self._special_tokens()}"
                )
        size = self._token_start + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(f"[{self.name}] the vocabulary has {size} entries; max_tokens is {self.max_tokens}")

    def _set_idf(self, weights: Array) -> None:
        """Weights of all indices, special ones included."""
        padding = self.max_tokens - len(weights) if self.pad_to_max_tokens and self.max_tokens is not None else 0
        self._idf = ops.convert_to_tensor(np.pad(weights, (0, padding)), self.dtype)

    # Learning it

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find the vocabulary in ``data``: the most frequent tokens, of equally frequent ones the greater, first.

        What was there before is replaced. For "tf_idf" each sample is a document: a token in n of N documents weighs
        ``log(1 + N / (1 + n))``.

        Args:
            data: an array, a list, a data frame's column, or an iterable of batches, of any size.
            steps: at most so many batches of an iterable.

        Raises:
            ValueError: there is no token, or no place for one.
        """
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget what :meth:`update_state` has counted."""
        self._counts = _Counts()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch: :meth:`adapt` in steps of one's own."""
        documents = self._documents(np.atleast_1d(host_values(data)))
        if self.output_mode != "tf_idf":
            self._counts.tokens.update(chain.from_iterable(documents))
            return
        for document in documents:
            self._counts.tokens.update(document)
            self._counts.documents.update(set(document))
            self._counts.seen += 1

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        counts = self._counts
        for token in (self.mask_token, self.oov_token):
            counts.tokens.pop(token, None)
        ordered = sorted(counts.tokens.items(), key=lambda item: (item[1], item[0]), reverse=True)
        most = None if self.max_tokens is None else max(self.max_tokens - self._token_start, 0)
        tokens = [token for token, _ in ordered[:most]]
        if not tokens:
            raise ValueError(
                f"[{self.name}] adapt() received no tokens, or max_tokens={self.max_tokens} leaves no place for any"
            )
        if self.output_mode == "tf_idf":
            weights = np.log1p(counts.seen / (1.0 + np.array([counts.documents[token] for token in tokens])))
            self._set_idf(np.r_[np.full(self._token_start, weights.mean()), weights])
        self._vocabulary = _Vocabulary(tokens)
        self.reset_state()

    # Calling

    def host_call(self, array: Array) -> Array:
        """Indices, -1 for a masked token where they become vectors; for ``invert`` tokens."""
        if self.invert:
            return self._tokens_at(array)
        return self._lookup(self._tokens(array)).reshape(array.shape)

    def _lookup(self, tokens: list[Any]) -> Array:
        if self._vocabulary is None:
            raise ValueError("there is no vocabulary yet: call adapt() with data, or set_vocabulary()")
        places = self._vocabulary.places
        found = np.fromiter((places.get(token, -1) for token in tokens), np.int64, len(tokens))
        unknown = np.flatnonzero(found < 0)
        found += self._token_start
        if unknown.size:
            found[unknown] = [self._without_place(tokens[i]) for i in unknown.tolist()]
        return found

    def _without_place(self, token: Any) -> int:
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self.output_mode == "int" else -1
        if self.num_oov_indices == 0:
            raise ValueError(f"{token!r} is not in the vocabulary; num_oov_indices=1 makes a place for the unknown")
        return self._oov_start + (self._bucket(token) if self.num_oov_indices > 1 else 0)

    def _tokens_at(self, indices: Array) -> Array:
        if indices.dtype.kind not in "iu":
            raise TypeError(f"expected indices; received dtype {indices.dtype}")
        vocabulary = self.get_vocabulary()
        size, unknown = len(vocabulary), self.oov_token
        tokens = [vocabulary[i] if 0 <= i < size else unknown for i in indices.ravel().tolist()]
        return np.array(tokens, self._token_type).reshape(indices.shape)

    @property
    def _depth(self) -> int | None:
        if self.pad_to_max_tokens:
            return self.max_tokens
        return None if self._vocabulary is None else self.vocabulary_size()

    @property
    def output_dtype(self) -> np.dtype[Any]:
        return INT64 if self.output_mode == "int" else self.dtype

    def call(self, inputs: Tensor) -> Tensor:
        if self.output_mode == "int":
            return inputs
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        vectors = encoded(inputs, mode, self._depth or 0, self.dtype)
        return vectors if self._idf is None else vectors * self._idf

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape if self.output_mode == "int" else encoded_shape(input_shape, self.output_mode, self._depth)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        if isinstance(config.get("vocabulary"), str):
            raise ValueError(f"{cls.__name__}: a configuration holds its vocabulary; no file is read for it")
        known = inspect.signature(cls.__init__).parameters
        return cls(**{key: value for key, value in config.items() if key in known or key not in _ONLY_IN_KERAS})
