"""Category: one of some values, as an index, a hash or a vector."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, value_type
from dlbd.data.features.column import FLOAT32, INT64, Column, missing_rows
from dlbd.data.features.statistics import Counts
from dlbd.data.features.tokens import token_words, tokens
from dlbd.data.features.vocabulary import Vocabulary
from dlbd.data.parts import mixed
from dlbd.layers.arguments import one_of, positive

_ENCODINGS = ("one_hot", "index", "embedding", "hash")
_DIFFERENT = 1_000_000  # values that are counted
_WIDEST = 10_000  # values of which each may have a place of its own in a row


@dataclass(frozen=True)
class Category(Column):
    """One of some values: text, whole numbers, booleans, decimals, dates and times.

    Floats are taken where they are whole numbers: 1.0 is 1, and NaN is missing; other ones are errors, since rounding
    would make one category two. ``schema={"column": "string"}`` makes text of them.

    The values of the training rows get the indices 1, 2, ..., the most frequent first, of equally frequent ones the
    smaller first. Index 0 is for all others: values never seen, and missing ones.

    Args:
        name: of the column.
        encode: "one_hot" (the default): (1 + values,) zeros and a one, float32; "index": the index as a float32;
            "embedding": the index as an int64, for an :class:`dlbd.layers.Embedding`; "hash": an int64 below
            ``buckets`` made of the value, for an Embedding too: nothing is learned or kept, different values may meet.
            It is of what a value says, 12 and "12" are alike, and the same on every machine.
        most: only so many of the most frequent values; all by default.
        buckets: for "hash": how many.
        missing: None (the default): index 0, for "hash" bucket 0; a value, or the "most_frequent" one of the training
            rows: what stands for it; "drop" leaves the rows out.

    Raises:
        ValueError: wrong arguments; at :meth:`Features.adapt`: more than 1,000,000 different values, for "one_hot" more
            than 10,000; later: values of another type than in training, unless they say the same ("12" and 12).

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Category("city")])
        >>> features.adapt(dlbd.data.open({"city": ["Oslo", "Bonn", "Oslo"]}))
        >>> features.to_numpy(dlbd.data.open({"city": ["Bonn", "Rome", None]}))[0]
        array([[0., 0., 1.],
               [1., 0., 0.],
               [1., 0., 0.]], dtype=float32)
    """

    by_value: ClassVar[bool] = True

    _: KW_ONLY
    encode: str = "one_hot"
    most: int | None = None
    buckets: int | None = None
    missing: str | int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "encode", one_of(self.encode, _ENCODINGS, "encode", self.name))
        if (self.encode == "hash") != (self.buckets is not None):
            raise ValueError(f'[{self.name}] buckets belong to encode="hash", and are needed there')
        if self.encode == "hash" and self.missing == "most_frequent":
            raise ValueError(f'[{self.name}] missing="most_frequent" is learned, and encode="hash" learns nothing')
        if self.most is not None:
            positive(self.most, "most", self.name)
        if self.buckets is not None:
            positive(self.buckets, "buckets", self.name)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        return INT64 if self.encode in ("embedding", "hash") else FLOAT32

    @property
    def values(self) -> list[Any]:
        """Those that have an index of their own, from 1 on."""
        return list(self.found("values"))

    @property
    def size(self) -> int:
        """How many indices there are, that of unknown values included: an Embedding's ``input_dim``."""
        return self.buckets or 1 + len(self.found("values"))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,) if self.encode == "one_hot" else (1,)

    def statistics(self, kind: pa.DataType) -> _CategoryStatistics | None:
        return None if self.encode == "hash" else _CategoryStatistics(self)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.found("values"), 1, pa.type_for_alias(self.found("type")))

    def write(self, column: pa.Array, out: Array) -> None:
        found = self._indices(column) if self.buckets is None else self._hashed(column, self.buckets)
        if self.encode == "one_hot":
            out[:] = 0
            out[np.arange(len(found)), found] = 1
        else:
            out[:, 0] = found

    def _indices(self, column: pa.Array) -> Array:
        values = tokens(column, self.name, self.found("type"))
        found = self._vocabulary.find(values, 0)
        fill = self.found("fill")
        if fill is not None:
            given = values if pa.types.is_dictionary(values.type) else decoded(column)
            if (missing := missing_rows(given)) is not None:
                found[missing] = self._vocabulary.numbers.get(fill, 0)
        return found

    def _hashed(self, column: pa.Array, buckets: int) -> Array:
        values = tokens(column, self.name)
        found = _bucket(values, buckets)
        if values.null_count:
            known = self.missing not in (None, "drop")
            fill = _bucket(tokens(pa.array([self.missing]), self.name), buckets)[0] if known else 0
            found[np.asarray(values.is_null())] = fill
        return found


class _CategoryStatistics:
    def __init__(self, column: Category) -> None:
        self._column = column
        self._counts = Counts(_DIFFERENT)
        self._type: pa.DataType | None = None

    def add(self, column: pa.Array) -> None:
        values = tokens(column, self._column.name)
        self._type = value_type(values)
        self._counts.add(values)

    def result(self) -> dict[str, Any]:
        column = self._column
        if self._counts.overflow:
            raise ValueError(f"column {column.name!r} has more than {_DIFFERENT:,} different values: use encode='hash'")
        values = self._counts.most_common(column.most)
        if column.encode == "one_hot" and len(values) > _WIDEST:
            raise ValueError(
                f"column {column.name!r} has {len(values):,} different values, too many for a place each: most= keeps "
                "the frequent ones, encode='embedding' or 'hash' makes one number of each"
            )
        if not values:
            raise ValueError(f"column {column.name!r} has no value in the training rows to learn from: leave it out")
        return {"type": str(self._type), "values": values, "fill": self._fill(values)}

    def _fill(self, values: list[Any]) -> Any:
        """What stands for a missing value."""
        missing = self._column.missing
        if missing in (None, "drop"):
            return None
        if missing == "most_frequent":
            return values[0]
        return tokens(pa.array([missing]), f"{self._column.name} (missing=)", str(self._type))[0].as_py()


def _bucket(values: pa.Array, buckets: int) -> Array:
    return (mixed(token_words(values)) % np.uint64(buckets)).astype(np.int64)
