"""``dlbd inspect``: what is in a source, in one pass: types, missing values, ranges, histograms, classes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from dlbd.commands.arguments import add_source, opened

_WIDTH = 80
_BATCH_BYTES = 1 << 24
_CLASSES = 20  # that are shown


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "inspect",
        help="columns, missing values, ranges and histograms of a source",
        description="Show the columns of a source: types, missing values, ranges, histograms, frequent values.",
    )
    add_source(parser)
    parser.add_argument("--target", metavar="COLUMN", help="show how often each of its values occurs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    source = opened(options)
    if options.target is not None:
        source._field(options.target, source.schema)
    for line in described(source, options.target):
        print(line)


def described(source: Any, target: str | None = None) -> Iterator[str]:
    """Lines of at most 80 characters."""
    from dlbd.commands.columns import Bytes, column_of, cut, one_line

    columns = [column_of(field, field.name == target) for field in source.schema]
    unread = [column for column in columns if isinstance(column, Bytes)]
    for bytes_column in unread:
        bytes_column.add(source.select([bytes_column.name]).head(1)[0].combine_chunks())
    read = [column for column in columns if not isinstance(column, Bytes)]
    rows = 0 if read else source.count()
    if read:
        with closing(source.select([column.name for column in read]).batches(most_bytes=_BATCH_BYTES)) as batches:
            for batch in batches:
                rows += batch.num_rows
                for column, values in zip(read, batch.columns, strict=True):
                    column.add(values)
    order = f"by {', '.join(source.order_by)}" if source.order_by else "as stored" if source.ordered else "none"
    yield cut(one_line(source.name), _WIDTH)
    yield f"{rows:,} rows, {len(columns)} column{'s' * (len(columns) != 1)}; order of rows: {order}"
    yield ""
    yield f"{'column':<18} {'type':<9} {'missing':>7} {'least':>9} {'mean':>9} {'greatest':>9} histogram"
    for column in columns:
        head = f"{cut(one_line(column.name), 18):<18} {cut(column.kind, 9):<9} {column.missing(rows):>7} "
        yield head + cut(column.said(), _WIDTH - len(head))
    for column in columns:
        if column.name == target:
            yield ""
            yield f"{cut(one_line(column.name), _WIDTH - 1)}:"
            yield from _balance(column)


def _balance(column: Any) -> Iterator[str]:
    """How often each value occurs."""
    from dlbd.commands.columns import cut, one_line

    counts = column.counts
    if not column.target or counts.overflow:
        yield f"  {column.uncounted}"
        return
    known = counts.of
    total, most = sum(known.values()), max(known.values(), default=1)
    if not total:
        yield "  no values"
    for value in counts.most_common(_CLASSES):
        n = known[value]
        yield f"  {cut(one_line(str(value)), 20):<20} {n:>12,} {n / total:>6.1%} {'█' * max(1, round(30 * n / most))}"
    if len(known) > _CLASSES:
        yield f"  and {len(known) - _CLASSES:,} others"
