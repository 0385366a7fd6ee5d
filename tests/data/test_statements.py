"""SQL as text: parameters, names, conditions."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dlbd.data import col
from dlbd.data.statements import DUCKDB, MYSQL, POSTGRESQL, SQLITE, Rows

DIALECTS = [SQLITE, DUCKDB, MYSQL, POSTGRESQL]
SCHEMA = pa.schema([("n", pa.int64()), ("x", pa.float64()), ("s", pa.string())])


def rows_in(dialect) -> Rows:
    return Rows(dialect, dialect.name_of("t"), SCHEMA, {})


@pytest.mark.parametrize(
    ("dialect", "placeholder"), [(SQLITE, ":a"), (DUCKDB, "$a"), (MYSQL, "%(a)s"), (POSTGRESQL, "%(a)s")]
)
def test_parameters_are_the_clients(dialect, placeholder: str):
    assert dialect.bound("n = :a OR m=:a", {"a": 1}) == (f"n = {placeholder} OR m={placeholder}", {"a": 1})


@pytest.mark.parametrize(
    "text", ["':a'", "'it''s :a'", '":a"', "`:a`", "n::a", "-- :a\n", "/* :a\n:a */", "12:30", "$$ :a $$", "$q$ :a $q$"]
)
def test_a_colon_may_be_only_text(text: str):
    for dialect in DIALECTS:
        assert dialect.bound(f"{text} AND :b", {"b": 1})[0].startswith(text)


def test_only_mysql_escapes_by_backslash():
    assert MYSQL.bound(r"'\' :a' AND :b", {"b": 1})[0] == r"'\' :a' AND %(b)s"
    assert SQLITE.bound(r"'\' AND :b", {"b": 1})[0] == r"'\' AND :b"


def test_a_percent_sign_is_doubled_where_the_client_reads_it():
    text = "s LIKE '5%' AND n % 2 = :a"
    assert POSTGRESQL.bound(text, {"a": 1})[0] == "s LIKE '5%%' AND n %% 2 = %(a)s"
    assert MYSQL.bound(text, {"a": 1})[0] == "s LIKE '5%%' AND n %% 2 = %(a)s"
    assert DUCKDB.bound(text, {"a": 1})[0] == "s LIKE '5%' AND n % 2 = $a"


def test_names_are_quoted():
    assert POSTGRESQL.name_of("s", 'a"b; --') == '"s"."a""b; --"'
    assert MYSQL.name_of("a`b") == "`a``b`"


def test_values_are_bound():
    for dialect in DIALECTS:
        statement, values = rows_in(dialect).select(["n"], (col("s") == "'; DROP TABLE t") & (col("n") > 3), ["n"])
        assert "DROP" not in statement
        assert sorted(map(str, values.values())) == ["'; DROP TABLE t", "3"]


def test_what_a_store_might_answer_otherwise_is_left_to_arrow():
    for dialect in DIALECTS:
        rows = rows_in(dialect)
        for condition in (col("s") > 3, col("n") == 1.5, col("x") > float("nan"), col("n") == 2**60, ~(col("s") > 3)):
            assert rows.count(condition) is None
            assert "WHERE" not in rows.select(["n"], condition, ())[0]
        text, values = rows.select(["n"], (col("s") > 3) & (col("n") > 7), ())
        assert list(values.values()) == [7]
        assert "WHERE" in text
        assert rows.count((col("s") > 3) & (col("n") > 7)) is None
        assert "WHERE" not in rows.select(["n"], (col("s") > 3) | (col("n") > 7), ())[0]
        assert rows.count(col("n").isin(range(100_000))) is None
