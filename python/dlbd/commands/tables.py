"""Tables that are written whole or not at all: CSV, JSON lines, Parquet, databases."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from dlbd.data import write_table
from dlbd.saving.atomic import replacing

Write = Callable[[Any], None]


def written(out: str, table: str, if_exists: str, batches: Iterator[Any], timeout: float) -> None:
    """Write record batches. Where an error ends that nothing has changed.

    Args:
        out: a file by its ending, which is replaced if it is there, or the address of a database.
        table: of a database; see :func:`dlbd.data.write_table` for ``if_exists`` and ``timeout``.
        batches: one at least.

    Raises:
        ValueError: nothing can be written there, or there is such a table.
        OSError: the disk is full, say.
    """
    if "://" in out:
        write_table(out, table, batches, if_exists=if_exists, timeout=timeout)
        return
    made = _FILES.get(os.path.splitext(out)[1].lower())
    if made is None:
        raise ValueError(
            f"--out is a file that ends in {', '.join(_FILES)}, or a database such as sqlite:///file; received {out!r}"
        )
    with replacing(out) as file, made(file) as write:
        for batch in batches:
            _require_writable(batch.schema, out)
            write(batch)


def _require_writable(schema: Any, out: str) -> None:
    """ValueError if a column holds what this kind of file cannot."""
    from dlbd.data.arrow import pa

    ending = os.path.splitext(out)[1].lower()
    for field in schema:
        kind, t = field.type, pa.types
        if (ending != ".parquet" and (t.is_binary(kind) or t.is_large_binary(kind))) or (
            ending == ".csv" and t.is_nested(kind)
        ):
            raise ValueError(f"--out: a {ending} file holds no {kind}, which column {field.name!r} has: .parquet does")


def called(out: str) -> str:
    """What is written, without the password of an address."""
    scheme, mark, place = out.partition("://")
    return out if not mark or place.startswith("/") else scheme + mark + place.rpartition("@")[2].partition("?")[0]


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Write]:
    from pyarrow import csv

    yield from _arrow(lambda schema: csv.CSVWriter(file, schema))


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[Write]:
    from pyarrow import parquet

    yield from _arrow(lambda schema: parquet.ParquetWriter(file, schema))


def _arrow(make: Callable[[Any], Any]) -> Iterator[Write]:
    """Batches written by one of Arrow's writers, which wants to know the schema first."""
    writers: list[Any] = []

    def write(batch: Any) -> None:
        if not writers:
            writers.append(make(batch.schema))
        writers[0].write_batch(batch)

    try:
        yield write
    except BaseException:
        for writer in writers:
            with suppress(Exception):
                writer.close()
        raise
    for writer in writers:
        writer.close()


@contextmanager
def _json(file: BinaryIO) -> Iterator[Write]:
    def write(batch: Any) -> None:
        for row in batch.to_pylist():
            file.write(json.dumps(row, default=str, ensure_ascii=False).encode() + b"\n")

    yield write


_FILES: dict[str, Any] = {".csv": _csv, ".jsonl": _json, ".parquet": _parquet}
