"""``dlbd inspect``: what is in a source, in one pass: types, missing values, ranges, histograms, classes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from dlbd.commands.arguments import add_source, opened

_WIDTH = 80
_BINS = 12
_BARS = " ▁▂▃▄▅▆▇█"
_DIFFERENT = 1000  # values that are told apart


def add(commands: Any) -> None:
    parser = commands.add_parser("inspect", help="columns, missing values, ranges and histograms of a source")
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
    columns = [_Column(field.name, field.type) for field in source.schema]
    rows = 0
    with closing(source.batches()) as batches:
        for batch in batches:
            rows += batch.num_rows
            for column in columns:
                column.add(batch.column(column.name))
    order = f"by {', '.join(source.order_by)}" if source.order_by else "as stored" if source.ordered else "none"
    yield _cut(source.name, _WIDTH)
    yield f"{rows:,} rows, {len(columns)} columns; order of rows: {order}"
    yield ""
    yield f"{'column':<18} {'type':<9} {'missing':>7} {'least':>9} {'mean':>9} {'greatest':>9} histogram"
    for column in columns:
        yield column.line(rows)
    for column in columns:
        if column.name == target:
            yield ""
            yield from column.balance()


class _Column:
    """What is said of one column."""

    def __init__(self, name: str, kind: Any) -> None:
        from dlbd.data.arrow import pa
        from dlbd.data.features.statistics import Counts, Extent, Moments, Quantiles

        self.name, self.kind = name, kind
        self.numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        self.temporal = pa.types.is_temporal(kind)
        self.countable = not pa.types.is_nested(kind) and not pa.types.is_binary(kind)
        self.times: list[Any] = []  # the first and the last
        self.missing = self.infinite = 0
        self.moments, self.extent, self.sketch, self.counts = Moments(), Extent(), Quantiles(), Counts(_DIFFERENT)

    def add(self, values: Any) -> None:
        from dlbd.data.arrow import pc
        from dlbd.data.features.column import float64s

        if self.countable:
            self.counts.add(values)
        if not self.numeric:
            self.missing += values.null_count
            if self.temporal:
                found = pc.min_max(values).as_py()
                known = [*self.times, *(t for t in found.values() if t is not None)]
                self.times = [min(known), max(known)] if known else []
            return
        x = float64s(values, self.name)
        missing = np.isnan(x)
        self.missing += int(missing.sum())
        x = x[~missing]
        finite = np.isfinite(x)
        self.infinite += int((~finite).sum())
        x = x[finite]
        if x.size:
            self.moments.add(x)
            self.extent.add(x)
            self.sketch.add(x)

    def line(self, rows: int) -> str:
        missing = f"{self.missing / rows:.1%}" if self.missing else "-"
        kind = {"double": "float64", "float": "float32"}.get(str(self.kind), str(self.kind))
        head = f"{_cut(self.name, 18):<18} {_cut(kind, 9):<9} {missing:>7} "
        if self.numeric:
            if not self.sketch.count:
                return head + "no values"
            three = (self.extent.least, float(self.moments.mean), self.extent.greatest)
            note = " inf!" if self.infinite else ""
            return head + " ".join(f"{value:>9.4g}" for value in three) + " " + self._histogram() + note
        if self.times:
            return head + _cut(f"{self.times[0]} to {self.times[1]}", _WIDTH - len(head))
        if not self.countable or (not self.counts.of and not self.counts.overflow):
            return head.rstrip()
        if self.counts.overflow:
            return head + f"more than {_DIFFERENT:,} different"
        total = sum(self.counts.of.values())
        often = [value for value in self.counts.most_common(5) if self.counts.of[value] > 1]
        shares = ", ".join(f"{value} {self.counts.of[value] / total:.0%}" for value in often)
        return head + _cut(f"{len(self.counts.of)} different{': ' if often else ''}{shares}", _WIDTH - len(head))

    def _histogram(self) -> str:
        values, counts = self.sketch.items()
        within = (self.extent.least, self.extent.greatest)
        heights, _ = np.histogram(values, _BINS, within if within[0] < within[1] else None, weights=counts)
        return "".join(_BARS[int(np.ceil(h / heights.max() * (len(_BARS) - 1)))] for h in heights)

    def balance(self) -> Iterator[str]:
        yield f"{self.name}:"
        if self.counts.overflow:
            yield f"  more than {_DIFFERENT:,} different values"
            return
        total, most = sum(self.counts.of.values()), max(self.counts.of.values(), default=1)
        for value in self.counts.most_common(20):
            n = self.counts.of[value]
            yield f"  {_cut(str(value), 20):<20} {n:>12,} {n / total:>6.1%} {'█' * max(1, round(30 * n / most))}"
        if len(self.counts.of) > 20:
            yield f"  and {len(self.counts.of) - 20} others"


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
