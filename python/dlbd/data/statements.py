"""SQL in the dialects that are read: names quoted, values bound, NULL first, text in the order of its bytes."""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.expressions import Both, Comparison, Expression, IsIn, IsNull, Joined, Not

# What a text is made of: parts where a colon or a percent sign is only text, casts, and parameters.
_STANDARD = r"'(?:[^']|'')*'"
_BACKSLASHED = r"'(?:[^'\\]|\\.|'')*'"
_TOKENS = r'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\2\$|::|(?<!\w):([A-Za-z_]\w*)'

# Values in a list at most: all databases take as many.
_LIST = 1000

# Parameters of ours beside those of a query.
_PREFIX = "dlbd_"


@dataclass(frozen=True)
class Dialect:
    """How one kind of database writes what they all know.

    Attributes:
        name: sqlite, duckdb, mysql or postgresql.
        quote: the mark around names.
        placeholder: of a parameter, with ``{}`` for its name.
        bytes_of: of a text column, what orders and compares like its UTF-8 bytes.
        nan: a literal, where NaN is stored, greater than all numbers, and NULL greater still; empty where NULL is the
            least and NaN is not stored.
        escapes: whether a backslash escapes in a text literal.
    """

    name: str
    quote: str
    placeholder: str
    bytes_of: str
    nan: str = ""
    escapes: bool = False

    def name_of(self, *parts: str) -> str:
        """A quoted name, whatever it contains: ``"schema"."table"``."""
        return ".".join(self.quote + part.replace(self.quote, self.quote * 2) + self.quote for part in parts)

    def bound(
        self, text: str, parameters: Mapping[str, Any], placeholder: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The text with the client's placeholders, or another one, for ``:name``, and the values that it takes.

        Raises:
            ValueError: a parameter has no value, or a value no parameter.
        """
        used: dict[str, Any] = {}

        def replaced(match: re.Match[str]) -> str:
            name = match[3]
            if name is None:
                return self._verbatim(match[0])
            if name not in parameters:
                raise ValueError(f"the query has a parameter :{name}; parameters= has {sorted(parameters) or 'none'}")
            used[name] = parameters[name]
            return placeholder or self.placeholder.format(name)

        pattern = re.compile(f"({_BACKSLASHED if self.escapes else _STANDARD}){_TOKENS}", re.DOTALL)
        pieces, end = [], 0
        for match in pattern.finditer(text):
            pieces += [self._verbatim(text[end : match.start()]), replaced(match)]
            end = match.end()
        unused = sorted(set(parameters) - set(used))
        if unused:
            raise ValueError(f"parameters= has {unused[0]!r}, and the query no :{unused[0]}")
        return "".join([*pieces, self._verbatim(text[end:])]), used

    def _verbatim(self, text: str) -> str:
        return text.replace("%", "%%") if self.placeholder.startswith("%") else text


SQLITE = Dialect("sqlite", '"', ":{}", "{} COLLATE BINARY")
DUCKDB = Dialect("duckdb", '"', "${}", 'CAST({} AS VARCHAR) COLLATE "C"', nan="'nan'::DOUBLE")  # UUIDs are text, too
# a binary collation of MySQL's would take 'a' and 'a ' for equal
MYSQL = Dialect("mysql", "`", "%({})s", "CAST(CONVERT({} USING utf8mb4) AS BINARY)", escapes=True)
POSTGRESQL = Dialect("postgresql", '"', "%({})s", '{} COLLATE "C"', nan="'NaN'::float8")


def one_of(source: str, table: str | None, query: Any, parameters: Any) -> None:
    """Check that there is a table or a query, and parameters only for a query.

    Raises:
        ValueError: not so.
        TypeError: the query is no text, or the parameters are no dict.
    """
    if (table is None) == (query is None):
        raise ValueError(f"{source}: pass table= or query=, one of them")
    if query is not None and not isinstance(query, str):
        raise TypeError(f"{source}: query is a text of SQL; received {query!r}")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise TypeError(f'{source}: parameters is a dict, {{"year": 2020}} for :year in the query; got {parameters!r}')
    if parameters and query is None:
        raise ValueError(f"{source}: parameters are of a query, and there is none")


def title(store: str, table: str | None) -> str:
    """What errors call a table, or a query, of a store."""
    return f"{store}, " + ("query" if table is None else f"table {table}")


def subquery(query: str) -> str:
    """A query to select from."""
    return f"({query.rstrip().rstrip(';')}\n)"


def found(table: str, tables: Sequence[str], source: str) -> str:
    """The table as the catalogue has it.

    Raises:
        ValueError: it has none of this name.
    """
    if table not in tables:
        some = sorted(tables)[:20]
        raise ValueError(f"{source} has no table {table!r}; it has {some}{' and more' if len(tables) > 20 else ''}")
    return table


@dataclass(frozen=True)
class Rows:
    """What is read: a table by its quoted name, or a query, with the columns that it has.

    Attributes:
        origin: stands behind FROM.
        schema: the types in which columns are given.
        parameters: of the query.
        expressions: what is selected for a column, where that is not just the column.
        orders: what orders a column, where that is not just the column.
    """

    dialect: Dialect
    origin: str
    schema: pa.Schema
    parameters: Mapping[str, Any]
    expressions: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)

    def select(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str]
    ) -> tuple[str, dict[str, Any]]:
        """A statement that gives these columns of the rows that may meet the condition, and its parameters."""
        quoted = [(self.expressions.get(name), self.dialect.name_of(name)) for name in columns]
        selected = ", ".join(f"{expression} AS {name}" if expression else name for expression, name in quoted)
        conditions = Conditions(self)
        text = f"SELECT {selected} FROM {self.origin}{conditions.clause(where)}"
        if order_by:
            text += " ORDER BY " + ", ".join(self._ordered(name) for name in order_by)
        return self.dialect.bound(text, {**self.parameters, **conditions.values})

    def count(self, where: Expression | None) -> tuple[str, dict[str, Any]] | None:
        """A statement that counts the rows that meet the condition; None if it cannot say all of it."""
        conditions = Conditions(self)
        text = f"SELECT COUNT(*) FROM {self.origin}{conditions.clause(where)}"
        if not conditions.exact:
            return None
        return self.dialect.bound(text, {**self.parameters, **conditions.values})

    def _ordered(self, column: str) -> str:
        """What puts rows in the order of a column: NULL first, then NaN, as Arrow sorts."""
        key = self.orders.get(column) or self.comparable(column)
        if self.dialect.nan and pa.types.is_floating(self.schema.field(column).type):
            return f"{key} IS NOT NULL, {key} <> {self.dialect.nan}, {key}"
        if self.dialect is MYSQL and _is_text(self.schema.field(column).type):
            return f"{self.dialect.name_of(column)} IS NOT NULL, {key}"  # MySQL 8.0.13 sorts NULL among the empty texts
        return f"{key} NULLS FIRST" if self.dialect.nan else key  # the others do so by themselves

    def comparable(self, column: str) -> str:
        """What compares as Arrow compares the column."""
        quoted = self.dialect.name_of(column)
        return self.dialect.bytes_of.format(quoted) if _is_text(self.schema.field(column).type) else quoted


class Conditions:
    """A condition in SQL with its values. What a dialect could answer otherwise than Arrow is left out."""

    def __init__(self, rows: Rows) -> None:
        self.values: dict[str, Any] = {}
        self.exact = True
        self._rows = rows

    def clause(self, where: Expression | None) -> str:
        """`` WHERE ...`` for all rows that meet the condition, and perhaps more; ``exact`` says whether."""
        text = None if where is None else self._necessary(where)
        return f" WHERE {text}" if text else ""

    def _necessary(self, condition: Expression) -> str | None:
        """A condition that every row meets that meets ``condition``."""
        if isinstance(condition, Both):
            both = [text for text in (self._necessary(condition.left), self._necessary(condition.right)) if text]
            return f"({' AND '.join(both)})" if both else None
        before = dict(self.values)
        text = self._equivalent(condition)
        if text is None:
            self.exact, self.values = False, before
        return text

    def _equivalent(self, condition: Expression) -> str | None:
        match condition:
            case Joined(left, right):
                sides = [self._equivalent(left), self._equivalent(right)]
                word = " AND " if isinstance(condition, Both) else " OR "
                return None if None in sides else f"({word.join(s for s in sides if s)})"
            case Not(of):
                inner = self._equivalent(of)
                return None if inner is None else f"NOT {inner}"
            case IsNull(column):
                return f"({self._rows.dialect.name_of(column)} IS NULL)"
            case IsIn(column, values):
                return self._is_in(column, values)
            case Comparison(column, operator, value):
                return self._comparison(column, operator, value)
        return None

    def _comparison(self, column: str, operator: str, value: Any) -> str | None:
        if not self._same(column, value):
            return None
        dialect, left = self._rows.dialect, self._rows.comparable(column)
        text = f"{left} {({'==': '=', '!=': '<>'}).get(operator, operator)} {self._bind(value)}"
        if dialect.nan and operator in (">", ">=") and pa.types.is_floating(self._rows.schema.field(column).type):
            text += f" AND {left} <> {dialect.nan}"
        return f"({text})"

    def _is_in(self, column: str, values: tuple[Any, ...]) -> str | None:
        if len(values) > _LIST or not all(self._same(column, v) for v in values):
            return None
        if not values:
            return f"({self._rows.dialect.name_of(column)} IS NULL AND NULL)"
        return f"({self._rows.comparable(column)} IN ({', '.join(map(self._bind, values))}))"

    def _same(self, column: str, value: Any) -> bool:
        """Whether a database compares the value with the column as Arrow does."""
        kind = self._rows.schema.field(column).type
        if column in self._rows.expressions or column in self._rows.orders:
            return False
        match value:
            case bool():
                return bool(pa.types.is_boolean(kind))
            case int():
                return bool(pa.types.is_integer(kind) or pa.types.is_float64(kind)) and abs(value) < 2**53
            case float():
                return bool(pa.types.is_float64(kind)) and math.isfinite(value)
            case str():
                return _is_text(kind) and "\0" not in value
            case decimal.Decimal():
                return bool(pa.types.is_decimal(kind)) and value.is_finite()
            case datetime.datetime():
                return bool(pa.types.is_timestamp(kind)) and (kind.tz is None) == (value.tzinfo is None)
            case datetime.date():
                return bool(pa.types.is_date(kind))
        return False

    def _bind(self, value: Any) -> str:
        name = f"{_PREFIX}{len(self.values)}"
        self.values[name] = value
        return f":{name}"


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):  # DuckDB's enumerations, which it compares by their numbers
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
