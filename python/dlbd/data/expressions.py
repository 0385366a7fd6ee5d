"""Conditions on columns, said once and understood by every source: ``col("age") > 30``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dlbd.data.arrow import pa, pc, usual


class Expression:
    """A condition on a row. ``&``, ``|`` and ``~`` join conditions; where a NULL decides, the row does not meet it."""

    __slots__ = ()

    def __and__(self, other: Expression) -> Expression:
        return Both(self, other) if isinstance(other, Expression) else NotImplemented

    def __or__(self, other: Expression) -> Expression:
        return Either(self, other) if isinstance(other, Expression) else NotImplemented

    def __invert__(self) -> Expression:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no value by itself: join conditions by &, | and ~, each in brackets")

    @property
    def columns(self) -> set[str]:
        """The columns that it reads."""
        raise NotImplementedError

    def to_arrow(self) -> pc.Expression:
        """The same for pyarrow."""
        raise NotImplementedError


def value_type(kind: pa.DataType) -> pa.DataType:
    """Of the values, where the column holds indices of distinct ones."""
    return value_type(kind.value_type) if pa.types.is_dictionary(kind) else kind


def compared_type(kind: pa.DataType) -> pa.DataType:
    """The type in which Arrow compares such values, none of which it changes."""
    kind = value_type(kind)
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.binary() if pa.types.is_fixed_size_binary(kind) else usual(kind)


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """``column operator value``; the operator is one of ``== != < <= > >=``.

    The type is the column's, once it is known: :func:`dlbd.data.fitting.fitted` makes the value one of this type. So it
    is with the other conditions.
    """

    column: str
    operator: str
    value: Any
    type: pa.DataType | None = field(default=None, compare=False)

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def to_arrow(self) -> pc.Expression:
        column, value = _field(self.column, self.type), _literal(self.value, self.type)
        match self.operator:
            case "==":
                return column == value
            case "!=":
                return column != value
            case "<":
                return column < value
            case "<=":
                return column <= value
            case ">":
                return column > value
            case _:
                return column >= value


@dataclass(frozen=True, slots=True)
class IsIn(Expression):
    """The column's value is one of these."""

    column: str
    values: tuple[Any, ...]
    type: pa.DataType | None = field(default=None, compare=False)

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def to_arrow(self) -> pc.Expression:
        column = _field(self.column, self.type)
        unknown = pc.scalar(pa.scalar(None, pa.bool_()))  # as SQL has it; Arrow's own says that NULL is not in
        zeros = [-v for v in self.values if isinstance(v, float) and v == 0]  # Arrow tells 0.0 and -0.0 apart
        values = [*self.values, *zeros]
        among = column.isin(_array(values, self.type)) if values else pc.scalar(False)
        return pc.if_else(column.is_valid(), among, unknown)


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """The column has no value."""

    column: str
    type: pa.DataType | None = field(default=None, compare=False)

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def to_arrow(self) -> pc.Expression:
        return _field(self.column, self.type).is_null()


def conjuncts(condition: Expression | None) -> list[Expression]:
    """The conditions of which all must hold."""
    if isinstance(condition, Both):
        return [*conjuncts(condition.left), *conjuncts(condition.right)]
    return [] if condition is None else [condition]


def meets_nan(condition: Expression, negated: bool = False) -> bool:
    """Whether a row may meet it, or its contrary, because a number is NaN."""
    match condition:
        case Joined(left, right):
            return meets_nan(left, negated) or meets_nan(right, negated)
        case Not(of):
            return meets_nan(of, not negated)
        case Comparison(_, operator, _, kind):
            return (operator == "!=") != negated and (kind is None or pa.types.is_floating(value_type(kind)))
        case IsIn(_, _, kind):
            return negated and (kind is None or pa.types.is_floating(value_type(kind)))
    return False


def _field(column: str, kind: pa.DataType | None) -> pc.Expression:
    found = pc.field(column)
    return found if kind is None or compared_type(kind) == kind else found.cast(compared_type(kind))


def _literal(value: Any, kind: pa.DataType | None) -> Any:
    if kind is None or isinstance(value, pa.Scalar):
        return value
    return pc.scalar(pa.scalar(value, compared_type(kind)))


def _array(values: list[Any], kind: pa.DataType | None) -> Any:
    if kind is None:
        return values
    compared = compared_type(kind)
    return pa.array([v if isinstance(v, pa.Scalar) else pa.scalar(v, compared) for v in values], compared)


@dataclass(frozen=True, slots=True)
class Joined(Expression):
    """Two conditions."""

    left: Expression
    right: Expression

    @property
    def columns(self) -> set[str]:
        return self.left.columns | self.right.columns


class Both(Joined):
    """Both conditions hold."""

    __slots__ = ()

    def to_arrow(self) -> pc.Expression:
        return self.left.to_arrow() & self.right.to_arrow()


class Either(Joined):
    """One of the conditions holds, or both."""

    __slots__ = ()

    def to_arrow(self) -> pc.Expression:
        return self.left.to_arrow() | self.right.to_arrow()


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """The condition does not hold."""

    of: Expression

    @property
    def columns(self) -> set[str]:
        return self.of.columns

    def to_arrow(self) -> pc.Expression:
        return ~self.of.to_arrow()


class Column:
    """A column in a condition; see :func:`col`."""

    __slots__ = ("name",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, value: Any) -> Expression:  # type: ignore[override]
        return Comparison(self.name, "==", value)

    def __ne__(self, value: Any) -> Expression:  # type: ignore[override]
        return Comparison(self.name, "!=", value)

    def __lt__(self, value: Any) -> Expression:
        return Comparison(self.name, "<", value)

    def __le__(self, value: Any) -> Expression:
        return Comparison(self.name, "<=", value)

    def __gt__(self, value: Any) -> Expression:
        return Comparison(self.name, ">", value)

    def __ge__(self, value: Any) -> Expression:
        return Comparison(self.name, ">=", value)

    def isin(self, values: Iterable[Any]) -> Expression:
        """One of these values; NULL is none."""
        if isinstance(values, str | bytes):
            raise TypeError(f"isin takes a list of values; received {values!r}")
        return IsIn(self.name, tuple(v for v in values if v is not None))

    def is_null(self) -> Expression:
        """No value."""
        return IsNull(self.name)


def col(name: str) -> Column:
    """A column, to make a condition of for :meth:`Source.where`: by ``== != < <= > >=`` with a value, by ``isin``, by
    ``is_null``.

    A condition says the same whatever the store:

    - Numbers compare as numbers, exactly: 2.5 is between the whole numbers 2 and 3, and ``2**70`` above all. What a
      float32 holds is compared with a Python float as it is, so that 0.1 equals none; ``numpy.float32(0.1)`` does.
    - A float and a decimal compare as the decimals that Python writes: 19.99 is ``Decimal("19.99")``.
    - NaN equals nothing, is neither less nor greater, and ``!=`` to all.
    - NULL meets no condition but ``is_null()``, nor does it meet the contrary of one, as in SQL.
    - Text and bytes are ordered by their bytes; False is less than True; categories are their values.
    - A date is its midnight. Times with a zone compare with times with a zone, those without with those without.
    - Lists and structs have ``is_null()`` only.

    Example:
        >>> rows = dlbd.data.open({"age": [20, 40, None], "city": ["Oslo", "Bonn", "Bonn"]})
        >>> col = dlbd.data.col
        >>> rows.where((col("age") > 30) & col("city").isin(["Bonn"])).count()
        1
        >>> rows.where(~col("age").is_null()).count()
        2
    """
    return Column(name)
