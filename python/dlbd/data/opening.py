"""open: from the name of a thing, or the thing itself, to a Source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from dlbd.data.arrow import as_schema, pa, require_distinct, with_types
from dlbd.data.memory import TableReader, is_stream, is_table
from dlbd.data.reader import Reader, Sparse, options_of
from dlbd.data.sorting import require_order
from dlbd.data.source import Source

# The module that opens a kind of address, by its scheme; all others are files.
_SCHEMES = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "mysql": "sql",
    "mariadb": "sql",
    "postgresql": "sql",
    "postgres": "sql",
    "mongodb": "mongodb",
    "mongodb+srv": "mongodb",
}
# Of these, the modules whose readers bound how long their client waits.
_TIMED = {"sql", "mongodb"}


def open(
    what: Any,
    *,
    table: str | None = None,
    columns: Sequence[str] | None = None,
    query: Any = None,
    parameters: Any = None,
    order_by: str | Sequence[str] = (),
    schema: Any = None,
    timeout: float = 30.0,
    **options: Any,
) -> Source:
    """Rows from where they live.

    Args:
        what: one of

            - a file, a folder of files, a glob or a list of them, of CSV, JSON lines, Parquet, Arrow IPC, lines of text
              (``.csv``, ``.jsonl``, ``.parquet``, ``.arrow``, ``.txt``; all but Parquet also with ``.gz`` or ``.zst``
              behind it), local or ``s3://``, ``gs://``, ``abfs://``, ``hdfs://``, ``memory://``; an IDX file; a folder
              of images or of texts by class;
            - a database: ``sqlite:///file``, ``duckdb:///file``, ``mysql://user:password@host/database``,
              ``postgresql://...``, ``mongodb://...``, with ``table`` or ``query``;
            - a table in memory: of pyarrow, pandas, polars, a dict of columns; anything with Arrow's stream interface;
            - a data frame of Spark, or of Spark Connect;
            - a function that gives an iterator of records (dicts) or of tables, or such an iterator, which can be read
              once;
            - a source.
        table: the table, or MongoDB's collection.
        columns: only these, in this order. Without it, a key of JSON, of a document of MongoDB or of a record that the
            first ones lack is an error that names it; with it such a key is left out.
        query: in the store's own language: SQL with parameters, or a filter or a pipeline of MongoDB.
        parameters: of the query, bound by the store's client.
        order_by: the columns that put the rows in order, ascending: without it a database has no order. NULL comes
            first, then NaN, then numbers from -infinity to infinity, -0.0 beside 0.0; False before True; text and bytes
            by their bytes; categories by their values; lists and structs have no order. Rows equal in these columns
            have none among themselves: choose columns that tell rows apart.
        schema: the types of some columns, or all: pyarrow's schema or ``{"age": "int32"}``. Values that do not fit are
            errors when they are read.
        timeout: seconds without a sign of life from a server after which opening or reading is an error; 30 by default.
            A query that a server of SQL or MongoDB still computes then is no silence.
        options: of the kind of source; its page in the guide has them. ``connect_args`` (SQL), ``client_options``
            (MongoDB) and ``storage_options`` (S3, ...) go to the store's client, with what it wants to know for TLS.

    Returns:
        A :class:`Source`. Nothing but the schema is read yet.

    Raises:
        SourceError: there is nothing, it cannot be opened, or the server refuses.
        ValueError: a column, the table or the kind of source does not exist, or a column of ``order_by`` has no order.
        ImportError: the extra for this kind of source is not installed; the message names it.

    Example:
        >>> source = dlbd.data.open({"age": [30, 20], "name": ["Kim", "Lee"]}, order_by="age")
        >>> source.to_arrow()["name"].to_pylist()
        ['Lee', 'Kim']
    """
    if not timeout > 0:
        raise ValueError(f"timeout is a number of seconds above 0; received {timeout!r}")
    if isinstance(what, Source):
        source = what
    else:
        reader = _reader(what, timeout, table=table, query=query, parameters=parameters, schema=schema, **options)
        require_distinct(reader.schema.names, reader.name)
        if columns is not None and isinstance(reader, Sparse):
            reader.strict = False
        source = Source(reader, reader.schema, reader.schema, timeout=timeout)
    if schema is not None:
        stored = with_types(source.stored, as_schema(schema), source.name)
        source = replace(source, stored=stored, schema=pa.schema([stored.field(n) for n in source.schema.names]))
        source.require_fitting()
    if order_by:
        by = (order_by,) if isinstance(order_by, str) else tuple(dict.fromkeys(order_by))
        for name in by:
            require_order(source._field(name, source.stored), source.name)
        source = replace(source, order_by=by)
    return source if columns is None else source.select(columns)


def _reader(what: Any, timeout: float, **options: Any) -> Reader:
    if isinstance(what, os.PathLike):
        what = os.fspath(what)
    if isinstance(what, str):
        scheme = what.partition(":")[0].partition("+")[0] if "://" in what else ""
        if scheme in _SCHEMES:
            kind = _SCHEMES[scheme]
            if kind in _TIMED:
                options["timeout"] = timeout
            return import_module(f"dlbd.data.{kind}").reader(what, **options)  # type: ignore[no-any-return]
    if isinstance(what, str) or _is_paths(what):
        return import_module("dlbd.data.files").reader(what, timeout=timeout, **options)  # type: ignore[no-any-return]
    given = {key: value for key, value in options.items() if value is not None}
    if type(what).__module__.startswith("pyspark."):
        return import_module("dlbd.data.spark").reader(what, **given)  # type: ignore[no-any-return]
    given.pop("schema", None)
    if is_table(what):
        options_of(given, ("name",), "a table in memory")
        return TableReader(what, **given)
    if is_stream(what):
        options_of(given, ("name",), "a stream of tables")
        return import_module("dlbd.data.table_streams").reader(what, **given)  # type: ignore[no-any-return]
    return import_module("dlbd.data.records").reader(what, **options)  # type: ignore[no-any-return]


def _is_paths(what: Any) -> bool:
    return isinstance(what, list | tuple) and bool(what) and all(isinstance(w, str | os.PathLike) for w in what)
