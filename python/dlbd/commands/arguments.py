"""The arguments that several subcommands share: where rows come from."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlbd.data import Source


def names(text: str) -> list[str]:
    """Column names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a file, folder or glob (CSV, JSON lines, Parquet, Arrow, IDX, images or texts by class), also "
        "s3://..., gs://..., abfs://..., hdfs://...; or sqlite:///file, duckdb:///file, mysql://..., postgresql://..., "
        "mongodb://...",
    )
    parser.add_argument("--table", metavar="T", help="the table, or MongoDB's collection")
    parser.add_argument(
        "--query", metavar="Q", help="SQL, or MongoDB's filter or pipeline as JSON, in place of a table"
    )
    parser.add_argument("--columns", metavar="A,B", type=names, help="only these columns")
    parser.add_argument(
        "--order-by", metavar="A,B", type=names, default=[], help="columns that put the rows in order, ascending"
    )
    parser.add_argument(
        "--schema", metavar="A=TYPE,...", type=names, default=[], help="types of columns: age=int32,price=float64"
    )
    parser.add_argument(
        "--timeout", metavar="S", type=float, default=30.0, help="seconds to wait for a silent server (default 30)"
    )
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an option of this kind of source, as JSON or text, as often as there are some: --option 'delimiter=;' "
        "--option encoding=latin1",
    )


def add_batches(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch-size", metavar="N", type=int, default=32, help="rows that the model gets at a time (default 32)"
    )


def opened(options: argparse.Namespace) -> Source:
    """The source that the arguments name.

    Raises:
        ValueError: the schema, the query or an option cannot be read, or what :func:`dlbd.data.open` raises.
    """
    import dlbd.data

    pairs = [pair.partition("=") for pair in options.schema]
    for name, equals, _ in pairs:
        if not equals:
            raise ValueError(f"--schema has a type for each column, age=int32 for one; received {name!r}")
    return dlbd.data.open(
        options.source,
        table=options.table,
        query=_query(options.source, options.query),
        columns=options.columns,
        order_by=options.order_by,
        schema={name: kind for name, _, kind in pairs} or None,
        timeout=options.timeout,
        **dict(_option(text) for text in options.option),
    )


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"--option is a name and a value, delimiter=; for one; received {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _query(source: str, query: str | None) -> Any:
    if query is None or not source.startswith("mongodb"):
        return query
    try:
        return json.loads(query)
    except json.JSONDecodeError as error:
        raise ValueError(f"--query of MongoDB is JSON: {error}; received {query!r}") from None
