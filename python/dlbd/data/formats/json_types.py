"""The types of JSON: objects in objects as columns, and what Arrow's parser takes for the other types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlbd.data.arrow import pa

# Where each column lies, by the keys that lead there, and its type.
Paths = dict[str, tuple[tuple[str, ...], pa.DataType]]


def merged(one: pa.Schema, other: pa.Schema) -> pa.Schema:
    """The columns of both.

    Raises:
        pa.ArrowInvalid: they have one of different types.
    """
    return pa.schema(list(_wider(pa.struct(list(one)), pa.struct(list(other)), ())))


def _wider(one: pa.DataType, other: pa.DataType, path: tuple[str, ...]) -> pa.DataType:
    t = pa.types
    if one == other or t.is_null(other):
        return one
    if t.is_null(one):
        return other
    if t.is_struct(one) and t.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            fields[field.name] = _wider(fields.get(field.name, pa.null()), field.type, (*path, field.name))
        return pa.struct(list(fields.items()))
    if t.is_list(one) and t.is_list(other):
        return pa.list_(_wider(one.value_type, other.value_type, path))
    kinds = {one, other}
    if kinds == {pa.int64(), pa.float64()}:
        return pa.float64()
    if pa.string() in kinds and any(map(t.is_timestamp, kinds)):  # some texts look like times
        return pa.string()
    raise pa.ArrowInvalid(f"key {'.'.join(path)!r} holds values of type {other}, and {one} before")


def flat(schema: pa.Schema, declared: pa.Schema) -> Paths:
    """The columns of what the parser finds, and those that are declared: an object is its keys, unless its type is
    declared. Columns that were not found lie where the dots in their names say.
    """
    found: Paths = {}
    known = {field.name: parsed(field.type) for field in declared}
    for path, kind in _columns(schema, (), known):
        found.setdefault(".".join(path), (path, kind))
    for name, kind in known.items():
        found.setdefault(name, (tuple(name.split(".")), kind))
    return found


def _columns(
    fields: Any, path: tuple[str, ...], known: Mapping[str, pa.DataType]
) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
    for field in fields:
        here = (*path, field.name)
        name = ".".join(here)
        if name in known:
            yield here, known[name]
        elif pa.types.is_struct(field.type) and field.type.num_fields:
            yield from _columns(field.type, here, known)
        else:
            yield here, field.type


def tree_of(wanted: pa.Schema, paths: Paths) -> pa.Schema:
    """The columns as the parser takes them: those in objects as fields of these."""
    return pa.schema(_fields([(paths[f.name][0] if f.name in paths else (f.name,), f.type) for f in wanted]))


def _fields(columns: list[tuple[tuple[str, ...], pa.DataType]]) -> list[tuple[str, pa.DataType]]:
    fields: dict[str, pa.DataType] = {}
    for path, kind in columns:
        if len(path) == 1:
            fields[path[0]] = kind
    for head in dict.fromkeys(path[0] for path, _ in columns if len(path) > 1):
        if head in fields:
            name = next(".".join(path) for path, _ in columns if len(path) > 1 and path[0] == head)
            raise pa.ArrowInvalid(f"column {name!r} would lie in {head!r}, which is a column of its own")
        else:
            inside = [(path[1:], kind) for path, kind in columns if len(path) > 1 and path[0] == head]
            fields[head] = pa.struct(_fields(inside))
    return list(fields.items())


def path_of(whole: Any, path: tuple[str, ...]) -> Any:
    """What lies there: in a record batch an array; in a document a value, None where there is none."""
    if isinstance(whole, pa.RecordBatch):
        column = whole.column(path[0])
        for key in path[1:]:
            column = column.flatten()[column.type.get_field_index(key)]  # NULL where the object is
        return column
    for key in path:
        whole = whole.get(key) if isinstance(whole, dict) else None
    return whole


def numbers_in(value: Any) -> Iterator[Any]:
    """The value, or all in a list or an object."""
    if isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(item)
    else:
        yield value


def parsed(kind: pa.DataType) -> pa.DataType:
    """What the parser takes for a type; the rest is Arrow's cast. To it dates and times are numbers, their texts are
    not, and some types are not known.
    """
    t = pa.types
    if t.is_date(kind) or t.is_time(kind):
        return pa.string()
    if t.is_duration(kind):
        return pa.int64()
    if t.is_float16(kind):
        return pa.float32()
    if t.is_fixed_size_binary(kind):
        return pa.binary()
    if t.is_dictionary(kind):
        return parsed(kind.value_type)
    if t.is_struct(kind):
        return pa.struct([(field.name, parsed(field.type)) for field in kind])
    if t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        return pa.list_(parsed(kind.value_type))
    return kind
