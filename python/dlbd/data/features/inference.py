"""Which kind of feature a column is, by its type and its first rows."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import numpy as np

from dlbd.data.arrow import pa, pc
from dlbd.data.expressions import col
from dlbd.data.features.category import Category
from dlbd.data.features.column import Column
from dlbd.data.features.date import Date
from dlbd.data.features.image import Image, looks_like_image
from dlbd.data.features.number import Number
from dlbd.data.features.target import Target
from dlbd.data.features.text import Text, words_of_texts
from dlbd.data.features.vector import Vector
from dlbd.data.source import ROWS, Source

_FIRST_BYTES = 1 << 23  # of the rows that are looked at
_CATEGORIES = 100  # different texts that a column of categories has at most
_SENTENCE = 3  # words, on average, of texts that are all different and no categories
_LONGEST = 200  # words
_MOST = 1_000  # categories, or words of texts beside other columns: there may be more in later rows


def columns_of(source: Source, hashed: Container[str]) -> list[Column]:
    """A feature for each column of which the first rows hold a value; pseudonyms, ``hashed``, are categories.

    Raises:
        ValueError: a column is of a type that no feature takes.
    """
    first = source.head(ROWS, _FIRST_BYTES)
    given = dict(zip(first.column_names, first.columns, strict=True))
    found: list[Column | None] = [
        Category(name, most=_MOST) if name in hashed else column_of(name, values.combine_chunks(), len(given) == 1)
        for name, values in given.items()
        if values.null_count < len(values)
    ]
    # where an image lies says nothing that a model should learn
    images = any(isinstance(c, Image) for c in found)
    return [c for c in found if c is not None and not (images and c.name == "path")]


def target_of(source: Source, name: str) -> Column:
    """What a model is to tell of a column, by its type: a class or a number, a list of numbers, an image.

    Raises:
        ValueError: it holds bytes that are no image.
    """
    kind, t = source.schema.field(name).type, pa.types
    if t.is_fixed_size_list(kind) or t.is_list(kind) or t.is_large_list(kind):
        return replace(column, scale=None) if (column := _vector(name, kind)).scale == "standard" else column
    if not t.is_binary(kind) and not t.is_large_binary(kind):
        return Target(name)
    known = source.select([name]).where(~col(name).is_null()).head(1)[name]
    shape = looks_like_image(known[0].as_py()) if len(known) else None
    if shape is None:
        raise ValueError(f"target {name!r} holds {'bytes that are no image' if len(known) else 'no values'}")
    return Image(name, size=shape[:2], channels=shape[2])


def column_of(name: str, values: pa.Array, alone: bool) -> Column | None:
    """The feature of a column with such values; None for names of rows. ``alone``: whether there are no others.

    Raises:
        ValueError: it is of a type that no feature takes.
    """
    kind, t = values.type, pa.types
    if t.is_boolean(kind) or t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return Number(name, missing="mean", scale="standard")
    if t.is_dictionary(kind):
        return Category(name, most=_MOST)
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return _text(name, values, alone)
    if t.is_timestamp(kind) or t.is_date(kind):
        return Date(name, missing="mean")
    if t.is_fixed_size_list(kind) or t.is_list(kind) or t.is_large_list(kind):
        return _vector(name, kind)
    if t.is_binary(kind) or t.is_large_binary(kind):
        shape = looks_like_image(values.drop_null()[0].as_py())
        if shape is not None:
            return Image(name, size=shape[:2], channels=shape[2])
        kind = f"{kind} that is no image"
    raise ValueError(
        f"column {name!r} holds values of type {kind}, which no feature takes: drop=[{name!r}] leaves it out"
    )


def _text(name: str, values: pa.Array, alone: bool) -> Column | None:
    texts = values.drop_null()
    different = pc.count_distinct(texts).as_py()
    lengths = np.concatenate([lengths for _, lengths in words_of_texts(texts, name)])
    sentences = 2 * different > len(texts) and lengths.mean() >= _SENTENCE
    if different <= _CATEGORIES and not sentences:
        return Category(name, most=_MOST)
    if different == len(texts) and lengths.mean() < _SENTENCE:
        return None
    if not alone:
        return Text(name, max_tokens=_MOST, encode="bag")
    return Text(name, length=max(1, min(_LONGEST, int(np.quantile(lengths, 0.95)))))


def _vector(name: str, kind: pa.DataType) -> Vector:
    sizes: list[int] = []
    depth = 0
    while pa.types.is_nested(kind):
        sizes += [kind.list_size] if pa.types.is_fixed_size_list(kind) else []
        depth += 1
        kind = kind.value_type
    if not pa.types.is_uint8(kind):
        return Vector(name, scale="standard")
    size = (*sizes, 1) if len(sizes) == depth == 2 else None  # an image without a channel
    return Vector(name, size=size, scale=1 / 255)
