"""Whether a file has the columns that the first one of its set has."""

from __future__ import annotations

from dlbd.data.arrow import alike, pa, usual


def plain(schema: pa.Schema) -> pa.Schema:
    """Names and types alone, those that the columns get."""
    return pa.schema([pa.field(field.name, usual(field.type)) for field in schema])


def valid(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without metadata, if its offsets, indices and texts are what they should be; a damaged file's are not.

    Raises:
        pa.ArrowInvalid: they are not.
    """
    batch.validate(full=True)
    return batch.replace_schema_metadata(None)


def check(found: pa.Schema, wanted: pa.Schema, declared: pa.Schema) -> None:
    """Columns are found by name, in any order. Those that are declared, that are all NULL or whose types are alike are
    cast afterwards.

    Raises:
        pa.ArrowInvalid: a column is missing, or has another type.
    """
    for field in wanted:
        if found.get_field_index(field.name) < 0:
            raise pa.ArrowInvalid(f"has no column {field.name!r}, as the first file has; it has {found.names}")
        kind = found.field(field.name).type
        if not (alike(kind, field.type) or pa.types.is_null(kind) or field.name in declared.names):
            raise pa.ArrowInvalid(
                f"column {field.name!r} is {kind}, and {field.type} in the first file: declare one by schema="
            )
