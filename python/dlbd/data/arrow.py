"""pyarrow, which all of ``dlbd.data`` speaks; and what it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dlbd.backend import Array
from dlbd.data.errors import SourceError, missing

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError as error:
    raise missing("data", error) from error

__all__ = [
    "alike",
    "as_schema",
    "cast",
    "converted",
    "decoded",
    "first_misfit",
    "fixed_lists",
    "is_text",
    "pa",
    "pc",
    "require_distinct",
    "usual",
    "value_type",
    "with_types",
]


def as_schema(schema: Any) -> pa.Schema:
    """A schema from one of Arrow's, or from ``{column: type}``, a type being Arrow's or its name.

    Example:
        >>> dlbd.data.arrow.as_schema({"age": "int32", "name": "string"}).names
        ['age', 'name']
    """
    if isinstance(schema, pa.Schema):
        return schema
    if not isinstance(schema, Mapping):
        raise TypeError(f"a schema is pyarrow's, or a dict of column names and types; received {schema!r}")
    return pa.schema([(name, _type(name, t)) for name, t in schema.items()])


def _type(column: str, named: Any) -> pa.DataType:
    if isinstance(named, pa.DataType):
        return named
    try:
        return pa.type_for_alias(named)
    except (ValueError, TypeError):
        raise ValueError(
            f'column {column!r}: {named!r} is no type of Arrow; such are "int64", "float32", "string", "bool", '
            '"timestamp[us]", pyarrow.decimal128(10, 2)'
        ) from None


def with_types(schema: pa.Schema, declared: pa.Schema, source: str) -> pa.Schema:
    """``schema`` with the types that ``declared`` says for some of its columns, or for all.

    Raises:
        ValueError: a declared column does not exist.
    """
    types = {field.name: field for field in declared}
    absent = types.keys() - schema.names
    if absent:
        raise ValueError(f"{source} has no column {min(absent)!r}; it has {schema.names}")
    return pa.schema([types.get(field.name, field) for field in schema])


def require_distinct(names: Sequence[str], source: str) -> None:
    """ValueError if a column is there twice: its name would not tell which."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{source}: column {twice[0]!r} is there twice in {list(names)}")


def usual(kind: pa.DataType) -> pa.DataType:
    """The type that Arrow has functions for, of one that it can hold and little more: views, run-end encoded values."""
    types = pa.types
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_run_end_encoded(kind):
        return usual(kind.value_type)
    if types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, usual(kind.value_type), kind.ordered)
    if types.is_struct(kind):
        return pa.struct([field.with_type(usual(field.type)) for field in kind])
    for is_kind, make in _LISTS:
        if is_kind(kind):
            return make(kind.value_field.with_type(usual(kind.value_type)))
    return kind


_LISTS = (
    (pa.types.is_list, pa.list_),
    (pa.types.is_large_list, pa.large_list),
    (pa.types.is_list_view, pa.list_),
    (pa.types.is_large_list_view, pa.large_list),
)


def alike(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether values of both types compare in the same way: integers do, whatever their width; "10" and 10 do not."""
    kinds = (pa.types.is_integer, lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind))
    return one == other or any(is_kind(one) and is_kind(other) for is_kind in kinds)


def cast(batch: pa.RecordBatch, schema: pa.Schema, source: str, encoded: Collection[str] = ()) -> pa.RecordBatch:
    """The columns of ``schema``, in its order and types; ``encoded`` ones may stay indices of distinct such values.

    Raises:
        SourceError: a value is not of its column's type; the message has both.
    """
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    columns, fields = [], []
    for field in schema:
        column = batch.column(field.name)
        if field.name in encoded and value_type(column) == field.type:
            field = field.with_type(column.type)
        elif column.type != field.type:
            column = _cast_column(column, field, source)
        columns.append(column)
        fields.append(field)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _cast_column(column: pa.Array, field: pa.Field, source: str) -> pa.Array:
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    try:
        return converted(column, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        _, misfit = first_misfit(column, field.type)
        raise SourceError(
            f"{source}: column {field.name!r} is declared {field.type}, and holds {misfit} ({error})"
        ) from None


def converted(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Arrow's cast, and of texts to times of day."""
    if pa.types.is_time(kind) and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        day = pa.scalar("1970-01-01", column.type)
        column = pc.binary_join_element_wise(day, column, pa.scalar(" ", column.type)).cast(pa.timestamp(kind.unit))
    return column.cast(kind)


def first_misfit(column: pa.Array, wanted: pa.DataType) -> tuple[int, str]:
    """Place and text of the first value that does not become the type, halving the range in which it lies."""
    begin, end = 0, len(column)
    while end - begin > 1:
        middle = (begin + end) // 2
        try:
            converted(column.slice(begin, middle - begin), wanted)
            begin = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            end = middle
    return begin, f"{column[begin].as_py()!r} ({column.type})" if begin < len(column) else f"{column.type}"


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def value_type(column: pa.Array) -> pa.DataType:
    """The type of the values themselves, also of a column that is stored as indices of distinct values."""
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


def decoded(column: pa.Array) -> pa.Array:
    """The values themselves, of a column that is stored as indices of distinct values."""
    if not pa.types.is_dictionary(column.type):
        return column
    return column.dictionary.take(column.indices)


def fixed_lists(rows: Array) -> pa.Array:
    """(rows, ...) numbers as a column; a row of several is a list of numbers, of lists of numbers, and so on."""
    column: pa.Array = pa.array(rows.ravel())
    for size in reversed(rows.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column
