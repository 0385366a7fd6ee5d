"""Conditions about columns whose types are known: each value becomes one of its column's type, so that all compare
exactly, and every store the same.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

import numpy as np

from dlbd.data.arrow import pa
from dlbd.data.documents import shown
from dlbd.data.expressions import Comparison, Expression, IsIn, IsNull, Joined, Not, compared_type, value_type

# A value's neighbour in a column's type, and where the value is: 0 there, 1 just above, -1 just below.
_Place = tuple[Any, int]

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9
_EPOCH = datetime(1970, 1, 1)
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

# What compares with a column: (whether it is of that kind, classes, the same in words).
_FITTING: tuple[tuple[Any, tuple[type, ...], str], ...] = (
    (pa.types.is_boolean, (bool,), "True and False do"),
    (pa.types.is_integer, (int, float, Decimal), "numbers do"),
    (pa.types.is_floating, (int, float, Decimal), "numbers do"),
    (pa.types.is_decimal, (int, float, Decimal), "numbers do"),
    (pa.types.is_string, (str,), "text does"),
    (pa.types.is_large_string, (str,), "text does"),
    (pa.types.is_binary, (bytes,), "bytes do"),
    (pa.types.is_large_binary, (bytes,), "bytes do"),
)
# The same for times, by their sort.
_TIMES = {
    "moment": "a date or a datetime without a zone does",
    "instant": "a datetime with a zone does",
    "time": "a time without a zone does",
    "duration": "a timedelta does",
}


def fitted(condition: Expression, schema: pa.Schema, source: str) -> Expression:
    """The same condition with values of the columns' own types.

    Raises:
        ValueError: a value does not compare with its column; the message has both.
    """
    match condition:
        case Joined(left, right):
            return type(condition)(fitted(left, schema, source), fitted(right, schema, source))
        case Not(of):
            return Not(fitted(of, schema, source))
        case IsNull(name):
            return IsNull(name, schema.field(name).type)
        case IsIn(name, values):
            column = _Column(schema.field(name), source)
            places = [column.place(value) for value in map(_plain, values) if not _is_null(value)]
            return column.among(place[0] for place in places if place is not None and not place[1])
        case Comparison(name, operator, value):
            column = _Column(schema.field(name), source)
            return column.compared(operator, column.place(_plain(value)))
    return condition


class _Column:
    def __init__(self, field: pa.Field, source: str) -> None:
        self.name, self.type, self._source = field.name, field.type, source
        self._kind = compared_type(field.type)  # without what only says how values are stored

    def among(self, values: Any) -> Expression:
        return IsIn(self.name, tuple(dict.fromkeys(values)), self.type)

    def compared(self, operator: str, place: _Place | None) -> Expression:
        """What says the same of the value's neighbour; None for a value that is not a number."""
        never = self.among(())
        own, side = place or (None, 1)
        if operator in ("==", "!=") and side:
            return never if operator == "==" else Not(never)
        if place is None:
            return never
        if side:  # between two values of the type it is the same whether the bound itself is meant
            operator = operator[0] + ("=" if (side > 0) == (operator[0] == "<") else "")
        return Comparison(self.name, operator, own, self.type)

    def place(self, value: Any) -> _Place | None:
        """Where a value is among those of the column's type; None for NaN, and where the column has no values."""
        kind = self._kind
        if pa.types.is_null(kind):
            return None
        if _is_null(value):
            raise self._refused(value, f"NULL equals nothing; col({self.name!r}).is_null() asks for it")
        if sort := _sort(kind):
            found, moment = _time(value)
            if found != sort:
                raise self._refused(value, _TIMES[sort])
            return _in_time(kind, moment)
        classes, words = next(((c, w) for is_kind, c, w in _FITTING if is_kind(kind)), ((), "nothing does"))
        if not isinstance(value, classes) or (isinstance(value, bool) and bool not in classes):
            raise self._refused(value, words)
        if isinstance(value, float | Decimal) and math.isnan(value):
            return None
        if pa.types.is_integer(kind):
            signed = pa.types.is_signed_integer(kind)
            return _on_grid(value, -(2 ** (kind.bit_width - 1)) if signed else 0, 2 ** (kind.bit_width - signed) - 1)
        if pa.types.is_floating(kind):
            return _among_floats(value_type(self.type), value)
        if pa.types.is_decimal(kind):
            return _among_decimals(kind, value)
        try:
            pa.scalar(value, kind)
        except UnicodeEncodeError:
            raise self._refused(value, "it is no Unicode") from None
        return value, 0

    def _refused(self, value: Any, words: str) -> ValueError:
        return ValueError(
            f"{self._source}: column {self.name!r} is {self.type}, and {shown(value)} does not compare with it: {words}"
        )


def _plain(value: Any) -> Any:
    """Python's own object for a number, a text or bytes; times as they are, which may have nanoseconds."""
    if isinstance(value, pa.Scalar) and (not value.is_valid or not pa.types.is_temporal(value.type)):
        value = value.as_py()
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def _is_null(value: Any) -> bool:
    if isinstance(value, datetime | timedelta | np.datetime64 | np.timedelta64):  # of NumPy's and pandas' is NaT one
        return bool(value != value)
    return value is None


# Numbers


def _on_grid(value: Any, least: int, most: int) -> _Place:
    """Among the whole numbers from the least to the greatest."""
    if value > most:
        return most, 1
    if value < least:
        return least, -1
    whole = math.floor(value)
    return whole, int(value != whole)


def _among_floats(kind: pa.DataType, value: Any) -> _Place:
    number = kind.to_pandas_dtype()
    try:
        nearest = float(value)
    except OverflowError:  # an integer
        nearest = math.inf if value > 0 else -math.inf
    with np.errstate(over="ignore"):
        own = number(nearest)
    exact = Decimal(str(own)) if isinstance(value, Decimal) else own.item()
    return own.item(), (value > exact) - (value < exact)


def _among_decimals(kind: pa.DataType, value: Any) -> _Place:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    most = 10**kind.precision - 1
    steps, side = _on_grid(number.scaleb(kind.scale, _EXACT) if number.is_finite() else number, -most, most)
    return Decimal(steps).scaleb(-kind.scale, _EXACT), side


# Times, all as nanoseconds: since 1970, since midnight, or from one to another


def _sort(kind: pa.DataType) -> str:
    """The sort of a time's type; empty where it is none that compares."""
    if pa.types.is_date(kind):
        return "moment"
    if pa.types.is_timestamp(kind):
        return "moment" if kind.tz is None else "instant"
    return "time" if pa.types.is_time(kind) else "duration" if pa.types.is_duration(kind) else ""


def _time(value: Any) -> tuple[str, int]:
    """The sort of a value, and its nanoseconds; ``("", 0)`` where it is no time."""
    match value:
        case pa.Scalar():
            sort = _sort(value.type)
            return sort, value.value * (10**6 if pa.types.is_date64(value.type) else _step(value.type)) if sort else 0
        case np.datetime64() | np.timedelta64():
            return _of_numpy(value)
        case timedelta():
            sort, seconds, microseconds = "duration", value.days * 86_400 + value.seconds, value.microseconds
        case time():
            sort = "time" if value.tzinfo is None else ""
            seconds, microseconds = _seconds(value), value.microsecond
        case datetime():
            zone = value.utcoffset()
            sort, seconds = "moment" if zone is None else "instant", _days(value) * 86_400 + _seconds(value)
            microseconds = value.microsecond - (zone or timedelta()) // timedelta(microseconds=1)
        case date():
            sort, seconds, microseconds = "moment", _days(value) * 86_400, 0
        case _:
            return "", 0
    # those of pandas have nanoseconds
    rest = getattr(value, "nanosecond", None) or getattr(value, "nanoseconds", None) or 0
    return sort, seconds * 10**9 + microseconds * 1000 + rest


def _days(value: date) -> int:
    return value.toordinal() - _EPOCH.toordinal()


def _seconds(value: datetime | time) -> int:
    return (value.hour * 60 + value.minute) * 60 + value.second


def _of_numpy(value: Any) -> tuple[str, int]:
    is_moment = isinstance(value, np.datetime64)
    unit, count = np.datetime_data(value.dtype)
    if is_moment and unit in ("Y", "M"):
        value, unit, count = value.astype("datetime64[D]"), "D", 1
    length = {**_NANOSECONDS, "W": 7 * _DAY, "D": _DAY, "h": 3600 * 10**9, "m": 60 * 10**9}.get(unit, 0)
    return ("moment" if is_moment else "duration") if length else "", int(value.astype(np.int64)) * count * length


def _step(kind: pa.DataType) -> int:
    """Nanoseconds from one value to the next."""
    return _DAY if pa.types.is_date(kind) else _NANOSECONDS[kind.unit]


def _in_time(kind: pa.DataType, moment: int) -> _Place:
    step = _step(kind)
    bits = 32 if pa.types.is_date32(kind) or pa.types.is_time32(kind) else 64
    steps, remainder = divmod(moment, step)
    steps, side = _on_grid(steps, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    own = pa.scalar(steps * 86_400_000 if pa.types.is_date64(kind) else steps, kind)
    return _python(own, steps * step), side or int(remainder > 0)


def _python(own: pa.Scalar, moment: int) -> Any:
    """Python's own object, which clients of stores take; the scalar itself where there is none."""
    kind = own.type
    microseconds, remainder = divmod(moment, 1000)
    try:
        length = timedelta(microseconds=microseconds)
        found: Any = length if pa.types.is_duration(kind) else _EPOCH + length
        if pa.types.is_time(kind):
            found = found.time()
        elif pa.types.is_date(kind):
            found = found.date()
        elif pa.types.is_timestamp(kind) and kind.tz is not None:
            found = found.replace(tzinfo=UTC)
        return found if not remainder and pa.scalar(found, kind) == own else own
    except (OverflowError, pa.ArrowInvalid):  # Python's objects end in the year 9999, Arrow's way from them elsewhere
        return own
