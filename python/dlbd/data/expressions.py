"""Conditions on columns, said once and understood by every source: ``col("age") > 30``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dlbd.data.arrow import pa, pc


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


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """``column operator value``; the operator is one of ``== != < <= > >=``."""

    column: str
    operator: str
    value: Any

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def to_arrow(self) -> pc.Expression:
        field, value = pc.field(self.column), self.value
        if isinstance(value, int) and value >= 2**63:
            value = pc.scalar(pa.scalar(value, pa.uint64()))  # by itself Arrow takes it for an int64
        match self.operator:
            case "==":
                return field == value
            case "!=":
                return field != value
            case "<":
                return field < value
            case "<=":
                return field <= value
            case ">":
                return field > value
            case _:
                return field >= value


@dataclass(frozen=True, slots=True)
class IsIn(Expression):
    """The column's value is one of these."""

    column: str
    values: tuple[Any, ...]

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def to_arrow(self) -> pc.Expression:
        field = pc.field(self.column)
        unknown = pc.scalar(pa.scalar(None, pa.bool_()))  # as SQL has it; Arrow's own says that NULL is not in
        among = field.isin(list(self.values)) if self.values else pc.scalar(False)
        return pc.if_else(field.is_valid(), among, unknown)


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """The column has no value."""

    column: str

    @property
    def columns(self) -> set[str]:
        return {self.column}

    def to_arrow(self) -> pc.Expression:
        return pc.field(self.column).is_null()


@dataclass(frozen=True, slots=True)
class Both(Expression):
    """Both conditions hold."""

    left: Expression
    right: Expression

    @property
    def columns(self) -> set[str]:
        return self.left.columns | self.right.columns

    def to_arrow(self) -> pc.Expression:
        return self.left.to_arrow() & self.right.to_arrow()


@dataclass(frozen=True, slots=True)
class Either(Expression):
    """One of the conditions holds, or both."""

    left: Expression
    right: Expression

    @property
    def columns(self) -> set[str]:
        return self.left.columns | self.right.columns

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
        return IsIn(self.name, tuple(v for v in values if v is not None))

    def is_null(self) -> Expression:
        """No value."""
        return IsNull(self.name)


def col(name: str) -> Column:
    """A column, to make a condition of for :meth:`Source.where`.

    Example:
        >>> rows = dlbd.data.open({"age": [20, 40, None], "city": ["Oslo", "Bonn", "Bonn"]})
        >>> col = dlbd.data.col
        >>> rows.where((col("age") > 30) & col("city").isin(["Bonn"])).count()
        1
        >>> rows.where(~col("age").is_null()).count()
        2
    """
    return Column(name)
