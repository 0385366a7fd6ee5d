"""Statements sent to databases by their own clients, beside dlbd.data."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import unquote, urlsplit


def connect(address: str) -> Any:
    """A connection by which everything is allowed; what it does is committed when it says so."""
    url = urlsplit(address)
    if url.scheme == "sqlite":
        return sqlite3.connect(url.path[1:])
    if url.scheme == "duckdb":
        import duckdb

        return duckdb.connect(url.path[1:], config={"memory_limit": "128MB", "autoinstall_known_extensions": False})
    if url.scheme.startswith("postgres"):
        import psycopg

        return psycopg.connect(address)
    import pymysql

    name, password = unquote(url.username or ""), unquote(url.password or "")
    return pymysql.connect(
        host=url.hostname, port=url.port or 3306, user=name, password=password, database=url.path[1:], charset="utf8mb4"
    )


def execute(address: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute them in one transaction; the rows of the last one."""
    with closing(connect(address)) as connection:
        with closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        if not address.startswith("duckdb"):
            connection.commit()
        return rows


def tables(address: str) -> list[str]:
    """All tables and views."""
    if address.startswith("sqlite"):
        query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    elif address.startswith(("mysql", "mariadb")):
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
    else:
        query = (
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
    return sorted(name for (name,) in execute(address, query))


def drop_tables(address: str) -> None:
    """All of them."""
    mark = "`" if address.startswith(("mysql", "mariadb")) else '"'
    for name in tables(address):
        quoted = mark + name.replace(mark, mark * 2) + mark
        try:
            execute(address, f"DROP VIEW {quoted}")
        except Exception:
            execute(address, f"DROP TABLE {quoted}{'' if mark == '`' else ' CASCADE'}")
