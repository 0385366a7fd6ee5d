"""Which kind of feature a column is, by its type and its first rows."""

from __future__ import annotations

from collections.abc import Container

from dlbd.data.arrow import pa
from dlbd.data.features.category import Category
from dlbd.data.features.column import Column
from dlbd.data.features.number import Number
from dlbd.data.features.vector import Vector
from dlbd.data.source import ROWS, Source

_CATEGORIES = 100  # different texts that make a column one of categories


def columns_of(source: Source, hashed: Container[str]) -> list[Column]:
    """A feature for each column of which the first rows hold a value; pseudonyms, ``hashed``, are categories.

    Raises:
        ValueError: a column is of a type that no feature takes.
    """
    first = source.head(ROWS)
    return [
        Category(name) if name in hashed else column_of(name, values.combine_chunks())
        for name, values in zip(first.column_names, first.columns, strict=True)
        if values.null_count < len(values)
    ]


def column_of(name: str, values: pa.Array) -> Column:
    """The feature of a column with such values."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return Category(name)
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return Number(name, missing="mean", scale="standard")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return Category(name)
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = kind.value_type
        while pa.types.is_nested(inner):
            inner = inner.value_type
        return Vector(name, scale=1 / 255 if pa.types.is_uint8(inner) else "standard")
    raise ValueError(
        f"column {name!r} holds values of type {kind}, which no feature takes: drop=[{name!r}] leaves it out"
    )
