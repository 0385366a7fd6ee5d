"""Text: the numbers of its words."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa, pc
from dlbd.data.features.column import FLOAT32, INT64, Column, as_type
from dlbd.data.features.statistics import Counts
from dlbd.data.features.vocabulary import Vocabulary
from dlbd.layers.arguments import one_of, positive

_PADDING, _UNKNOWN = 0, 1
_ENCODINGS = ("ids", "bag")
_DIFFERENT = 1_000_000  # words that are counted; beyond it rare ones are forgotten on the way
_PIECE = 1 << 21  # bytes of texts at a time: their words, and the numbers of these, take about ten times as much
# Marks of every script, and the ASCII symbols that TextVectorization counts among them.
_PUNCTUATION = r"[\p{P}$+<=>^`|~]"
_LOWER = np.frombuffer(bytes(range(128)).lower(), np.uint8)
_LETTERS = ~np.isin(_LOWER, np.frombuffer(string.punctuation.encode(), np.uint8))
_SEPARATORS = b"\x1c\x1d\x1e\x1f"
_CACHED = 1 << 16  # bytes that are in the cache


@dataclass(frozen=True)
class Text(Column):
    """Text, as the numbers of its words, for an :class:`dlbd.layers.Embedding`; or as which words it has.

    Texts are put in lower case (each letter by itself), lose their punctuation, and are split at white space, as by
    :class:`dlbd.layers.TextVectorization`. The words of the training rows get the numbers 2, 3, ..., the most frequent
    first, of equally frequent ones the smaller first; 1 is for all other words, 0 for no word. Missing text is empty.

    Args:
        name: of the column.
        length: how many words of a text count; shorter ones are filled up with 0. 100 by default.
        max_tokens: how many numbers there are, 0 and 1 among them; 10,000 by default.
        encode: "ids" (the default): (length,) int64; "bag": (1 + words,) float32, 1 for each word that is there and 0
            for all others, unknown ones first; it may stand beside other numbers in one vector.

    While there are at most 1,000,000 different words they are counted exactly; in more, rare ones are forgotten on the
    way, and counts may be low by a few.

    Raises:
        ValueError: wrong arguments; at :meth:`Features.adapt`: there is no word.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Text("review", length=4)])
        >>> features.adapt(dlbd.data.open({"review": ["The cat sat.", "The dog!"]}))
        >>> features.inputs[0].vocabulary
        ['', '[UNK]', 'the', 'cat', 'dog', 'sat']
        >>> features.to_numpy(dlbd.data.open({"review": ["the DOG, the bird"]}))[0]
        array([[2, 4, 2, 1]])
    """

    _: KW_ONLY
    length: int = 100
    max_tokens: int = 10_000
    encode: str = "ids"

    def __post_init__(self) -> None:
        object.__setattr__(self, "encode", one_of(self.encode, _ENCODINGS, "encode", self.name))
        positive(self.length, "length", self.name)
        if self.max_tokens < 3:
            raise ValueError(f"[{self.name}] max_tokens must be at least 3; received {self.max_tokens}")

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        return INT64 if self.encode == "ids" else FLOAT32

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.length,) if self.encode == "ids" else (len(self.found("words")) + 1,)

    @property
    def vocabulary(self) -> list[str]:
        """The word of each number; as long as an Embedding's ``input_dim``."""
        return ["", "[UNK]", *self.found("words")]

    @cached_property
    def _words(self) -> Vocabulary:
        return Vocabulary(self.found("words"), _UNKNOWN + 1, pa.string())

    def statistics(self, kind: pa.DataType) -> _TextStatistics:
        return _TextStatistics(self)

    def write(self, column: pa.Array, out: Array) -> None:
        out[:] = _PADDING
        begin = 0
        for found, lengths in words_of_texts(column, self.name):
            rows = out[begin : begin + len(lengths)]
            begin += len(lengths)
            numbers = self._words.find(found, _UNKNOWN)
            if self.encode == "bag":
                rows[np.repeat(np.arange(len(lengths)), lengths), numbers - _UNKNOWN] = 1
                continue
            if lengths.max() > self.length:
                places = np.arange(len(numbers)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
                numbers = numbers[places < self.length]
            rows[np.arange(self.length) < lengths[:, None]] = numbers


class _TextStatistics:
    def __init__(self, column: Text) -> None:
        self._column = column
        self._counts = Counts(_DIFFERENT, prune=True)

    def add(self, column: pa.Array) -> None:
        for words, _ in words_of_texts(column, self._column.name):
            self._counts.add(words)

    def result(self) -> dict[str, Any]:
        words = self._counts.most_common(self._column.max_tokens - 2)
        if not words:
            raise ValueError(f"column {self._column.name!r} has no word in the training rows: leave it out")
        return {"words": words}


def words_of_texts(column: pa.Array, name: str) -> Iterator[tuple[pa.DictionaryArray, Array]]:
    """The words of some texts in a row, as indices, and how many each text has; then of the next texts."""
    texts = as_type(column, pa.string(), name).fill_null("")
    ends = np.cumsum(np.asarray(pc.binary_length(texts)), dtype=np.int64)
    begin, read = 0, 0
    while begin < len(texts):
        end = max(begin + 1, int(np.searchsorted(ends, read + _PIECE, side="right")))
        yield _words(texts.slice(begin, end - begin))
        begin, read = end, int(ends[end - 1])


def _words(texts: pa.Array) -> tuple[pa.DictionaryArray, Array]:
    plain = _is_plain(texts)
    split = (pc.ascii_split_whitespace if plain else pc.utf8_split_whitespace)(texts)
    found = pc.dictionary_encode(split.flatten())
    words = _cleaned(found.dictionary, plain)  # each once: some may be alike now
    indices, offsets = np.asarray(found.indices), np.asarray(split.offsets)
    some = np.asarray(pc.not_equal(words, ""))
    if not some.all():  # punctuation alone, and white space at either end of a text
        there = some[indices]
        indices, offsets = indices[there], np.concatenate([[0], np.cumsum(there)])[offsets]
    return pa.DictionaryArray.from_arrays(indices, words), np.diff(offsets)


def _is_plain(texts: pa.Array) -> bool:
    """Whether all is ASCII, and without the separators of records, which are white space in Unicode alone."""
    _, data = _bytes_of(texts)
    pieces = (data[begin : begin + _CACHED] for begin in range(0, len(data), _CACHED))
    return not any(piece.max() > 127 or (piece - _SEPARATORS[0] < len(_SEPARATORS)).any() for piece in pieces)


def _cleaned(words: pa.Array, plain: bool) -> pa.Array:
    """In lower case, without punctuation."""
    if not plain:
        return pc.replace_substring_regex(pc.utf8_lower(words), _PUNCTUATION, "")
    offsets, data = _bytes_of(words)
    there = _LETTERS[data]
    ends = np.concatenate([[0], np.cumsum(there)])[offsets].astype(np.int32)
    return pa.StringArray.from_buffers(len(words), pa.py_buffer(ends), pa.py_buffer(_LOWER[data[there]]))


def _bytes_of(texts: pa.Array) -> tuple[Array, Array]:
    """Where each text begins and ends, and the bytes of all."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    whole = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return ends - ends[0], whole[ends[0] : ends[-1]]
