"""What ``dlbd inspect`` says of a column, by its type; memory is bounded, whatever there is in it."""

from __future__ import annotations

import re

import numpy as np

from dlbd.commands.histogram import Histogram
from dlbd.data.arrow import decoded, pa, pc
from dlbd.data.features.column import float64s
from dlbd.data.features.image import looks_like_image
from dlbd.data.features.statistics import Counts

_BARS = 12
_DIFFERENT = 1000  # values that are told apart
_LONG = 100  # characters of a text that is no category
_OFTEN = 5  # values that are named

_SHORT = {
    "double": "float64",
    "float": "float32",
    "halffloat": "float16",
    "date32": "date",
    "date64": "date",
    "time32": "time",
    "time64": "time",
    "dictionary": "category",
    **dict.fromkeys(("decimal32", "decimal64", "decimal128", "decimal256"), "decimal"),
    **dict.fromkeys(("large_string", "string_view"), "string"),
    **dict.fromkeys(("large_list", "fixed_size_list"), "list"),
    **dict.fromkeys(("large_binary", "fixed_size_binary"), "binary"),
}


def column_of(field: pa.Field, target: bool) -> Column:
    """What looks at a column of this type; if it is the target, its values are counted."""
    kind, t = field.type, pa.types
    if t.is_dictionary(kind):
        kind = kind.value_type
    found: type[Column] = Other
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        found = Number
    elif t.is_duration(kind):
        found = Duration
    elif t.is_temporal(kind):
        found = Time
    elif t.is_boolean(kind):
        found = Few
    elif t.is_string(kind) or t.is_large_string(kind):
        found = Text
    elif t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind):
        found = Lists
    elif t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind):
        found = Bytes
    return found(field.name, field.type, target)


class Column:
    """A column, of which batches come in.

    Attributes:
        name, kind: what it is called, and its type in short.
        counts: how often each value occurs; empty where nobody wants to know.
        uncounted: why its values are not counted, where they are not.
    """

    uncounted = f"more than {_DIFFERENT:,} different values"

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        base = re.split(r"[<\[(]", str(kind))[0]
        self.name, self.kind, self.type = name, _SHORT.get(base, base), kind
        self.target = target  # whether its values are counted
        self.counts = Counts(_DIFFERENT)
        self._missing = 0

    def add(self, values: pa.Array) -> None:
        """Look at some values."""
        self._missing += values.null_count
        known = decoded(values).drop_null()
        if self.target:
            self.counts.add(known)
        if len(known):
            self._look(known)

    def _look(self, values: pa.Array) -> None:
        """Look at values that are there, at least one."""

    def missing(self, rows: int) -> str:
        """The share of rows without a value."""
        return f"{self._missing / rows:.1%}" if self._missing else "-"

    def said(self) -> str:
        """What is behind the type and the missing values."""
        raise NotImplementedError


class Number(Column):
    """Numbers: extremes, mean, histogram."""

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, target)
        self._infinite = False
        self._histogram = Histogram()

    def _look(self, values: pa.Array) -> None:
        x = float64s(values, self.name)
        finite = np.isfinite(x)
        if not finite.all():
            nan = int(np.isnan(x).sum())
            self._missing += nan
            self._infinite |= nan < len(x) - int(finite.sum())
            x = x[finite]
        if len(x):
            self._histogram.add(x)

    def said(self) -> str:
        if np.isnan(self._histogram.mean):
            return "no values" + " but infinity" * self._infinite
        three = (self._histogram.least, self._histogram.mean, self._histogram.greatest)
        numbers = " ".join(f"{value:>9.4g}" for value in three)
        note = " inf!" * self._infinite
        return f"{numbers} {self._histogram.bars(_BARS - len(note))}{note}"


class Duration(Number):
    """Numbers of a unit."""

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, target)
        self.kind = f"time [{kind.unit}]"

    def _look(self, values: pa.Array) -> None:
        super()._look(values.cast(pa.int64()))


class Time(Column):
    """Times: the first and the last."""

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, target)
        self._ends: list[pa.Scalar] = []

    def _look(self, values: pa.Array) -> None:
        found = pc.min_max(values)
        ends = pa.array([*self._ends, found["min"], found["max"]], values.type)
        found = pc.min_max(ends)
        self._ends = [found["min"], found["max"]]

    def said(self) -> str:
        if not self._ends:
            return "no values"
        ends = pa.array(self._ends)
        if pa.types.is_timestamp(ends.type):
            ends = ends.cast(pa.timestamp("s", ends.type.tz), safe=False)
        return " to ".join(ends.cast(pa.string()).to_pylist())


class Few(Column):
    """Values that are counted."""

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, True)

    def said(self) -> str:
        counts = self.counts.of
        if not counts:
            return "no values"
        total = sum(counts.values())
        often = [value for value in self.counts.most_common(_OFTEN) if counts[value] > 1]
        shares = ", ".join(f"{one_line(str(value))} {counts[value] / total:.0%}" for value in often)
        return f"{len(counts):,} different{': ' if often else ''}{shares}"


class Text(Few):
    """Text: how often each value occurs, if they are few and short; otherwise how long they are."""

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, target)
        self._least, self._most = np.inf, 0

    def add(self, values: pa.Array) -> None:
        lengths = pc.min_max(pc.utf8_length(decoded(values)))
        if lengths["min"].is_valid:
            self._least = min(self._least, lengths["min"].as_py())
            self._most = max(self._most, lengths["max"].as_py())
        if self._most > _LONG:  # so that long texts are not kept
            self.target, self.counts = False, Counts(0)
            self.uncounted = f"texts of more than {_LONG} characters"
        super().add(values)

    def said(self) -> str:
        if self.target and not self.counts.overflow:
            return super().said()
        different = f"over {_DIFFERENT:,} different" if self.target else "texts"
        return f"{different}, {self._least:,} to {self._most:,} characters"


class Lists(Column):
    """Lists: how long they are, and what is in them."""

    uncounted = "lists are not counted"

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, False)
        self._lengths: list[int] = []

    def _look(self, values: pa.Array) -> None:
        lengths = pc.min_max(pc.list_value_length(values)).as_py().values()
        self._lengths = [min([*self._lengths, *lengths]), max([*self._lengths, *lengths])]

    def said(self) -> str:
        if not self._lengths:
            return "no values"
        least, most = self._lengths
        return f"{most:,}" + f" ({least:,} at least)" * (least < most) + f" of {self.type.value_type}"


class Bytes(Column):
    """Bytes: they are not read but for the first."""

    uncounted = "bytes are not counted"

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, False)
        self._first: bytes | None = None

    def _look(self, values: pa.Array) -> None:
        self._first = values[0].as_py()

    def missing(self, rows: int) -> str:
        return "?"

    def said(self) -> str:
        if self._first is None:
            return "not read"
        try:
            shape = looks_like_image(self._first)
        except ImportError:
            shape = None
        if shape is not None:
            return f"images, the first of {shape[0]} x {shape[1]} x {shape[2]}"
        return f"the first of {len(self._first):,} bytes"


class Other(Column):
    """Whatever else there is: its type."""

    uncounted = "values of this type are not counted"

    def __init__(self, name: str, kind: pa.DataType, target: bool) -> None:
        super().__init__(name, kind, False)

    def said(self) -> str:
        return "no values" if pa.types.is_null(self.type) else str(self.type)


def cut(text: str, width: int) -> str:
    """Not longer."""
    return text if len(text) <= width else text[: width - 1] + "…"


def one_line(text: str) -> str:
    """Without line ends and tabs, which names and values may have."""
    return " ".join(text.split())
