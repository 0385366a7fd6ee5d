"""Columns that the names of folders hold, as Hive and Spark write them: ``country=NO/part-0.parquet``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import unquote

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression, conjuncts

Values = Mapping[str, str | None]

_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")


def values_of(path: str) -> dict[str, str | None]:
    """What the folders of a path say.

    Example:
        >>> dlbd.data.formats.partitions.values_of("year=2024/city=S%C3%A3o%20Paulo/0.parquet")
        {'year': '2024', 'city': 'São Paulo'}
    """
    pairs = (folder.split("=", 1) for folder in path.split("/")[:-1] if "=" in folder)
    return {unquote(name): None if value == _NULL else unquote(value) for name, value in pairs}


def schema_of(files: Sequence[str], values: Sequence[Values], declared: Collection[str]) -> pa.Schema:
    """The columns of such values, of each file: integers where all are, otherwise text; text where a type is declared.

    Raises:
        SourceError: files lie in folders of other columns.
    """
    names = list(values[0]) if values else []
    for file, own in zip(files, values, strict=True):
        if list(own) != names:
            raise SourceError(f"{file}: its folders name the columns {list(own)}, and {names} for the first file")
    found = {name: [v for own in values if (v := own[name]) is not None] for name in names}
    whole = {name: name not in declared and all(map(_INTEGER.fullmatch, texts)) for name, texts in found.items()}
    return pa.schema([(name, pa.int64() if whole[name] else pa.string()) for name in names])


def with_values(batch: pa.RecordBatch, values: Values, schema: pa.Schema, names: Sequence[str]) -> pa.RecordBatch:
    """The columns of these names, from the batch or, all rows alike, from the folders."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    for field in schema:
        value = pa.scalar(values[field.name], pa.string()).cast(field.type)
        columns[field.name] = pa.repeat(value, batch.num_rows)
    return pa.RecordBatch.from_pydict({name: columns[name] for name in names})


def may_have(values: Values, schema: pa.Schema, where: Expression | None) -> bool:
    """Whether a file with these values may have rows that meet the condition."""
    decided = [c for c in conjuncts(where) if c.columns <= set(schema.names)]
    if not decided:
        return True
    row = with_values(pa.record_batch({"": [0]}), values, schema, schema.names)
    return all(row.filter(c.to_arrow()).num_rows for c in decided)
