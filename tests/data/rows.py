"""The same thousand rows for every kind of store: NULLs, decimals, float32, timestamps, text, in a declared schema."""

from __future__ import annotations

import datetime
import decimal
import json
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

COUNT = 1_000

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("age", pa.int32()),
        pa.field("price", pa.decimal128(10, 2)),
        pa.field("weight", pa.float32()),
        pa.field("score", pa.float64()),
        pa.field("at", pa.timestamp("us")),
        pa.field("city", pa.string()),
        pa.field("comment", pa.string()),
        pa.field("label", pa.int64()),
    ]
)

ORDER_BY = ["id"]

_CITIES = ["Oslo", "Bonn", "São Paulo", "東京", "Aix-en-Provence"]
# what breaks a careless writer or reader: quotes, delimiters, the empty text, which is not NULL
_COMMENTS = [
    "",
    "plain",
    'says "hi"',
    "a, b; c\td",
    "it's 100%",
    "back\\slash",
    " spaces ",
    "N/A",
    "0123",
    "🙂 ünïcode",
]


def _table() -> pa.Table:
    rng = np.random.default_rng(6)
    start = datetime.datetime(2001, 1, 1)

    def with_nulls(values: list[Any], share: float) -> list[Any]:
        return [None if none else value for value, none in zip(values, rng.random(COUNT) < share, strict=True)]

    age = rng.integers(-5, 100, COUNT).tolist()
    price = [decimal.Decimal(int(cents)).scaleb(-2) for cents in rng.integers(-(10**9), 10**9, COUNT)]
    weight = rng.standard_normal(COUNT).astype(np.float32).tolist()
    # milliseconds: MongoDB keeps no more
    at = [start + datetime.timedelta(milliseconds=int(ms)) for ms in rng.integers(0, 7 * 10**11, COUNT)]
    city = rng.choice(_CITIES, COUNT).tolist()
    comment = rng.choice(_COMMENTS, COUNT).tolist()
    columns = {
        "id": list(range(COUNT)),
        "age": with_nulls(age, 0.1),
        "price": with_nulls(price, 0.1),
        "weight": with_nulls(weight, 0.1),
        "score": with_nulls((rng.standard_normal(COUNT) * 10.0 ** rng.integers(-9, 9, COUNT)).tolist(), 0.05),
        "at": with_nulls(at, 0.05),
        "city": with_nulls(city, 0.1),
        "comment": with_nulls(comment, 0.1),
        "label": rng.integers(0, 3, COUNT).tolist(),
    }
    return pa.table(columns, schema=SCHEMA)


# In the order of ORDER_BY.
TABLE = _table()


def write(path: pathlib.Path, table: pa.Table = TABLE) -> pathlib.Path:
    """Write the table in the format that the path's suffix names: CSV, JSON lines (both also ``.gz``, ``.zst``),
    Parquet, Arrow IPC (``.arrow`` a file, ``.arrows`` a stream). Gives the path.
    """
    kind = path.suffixes[0]
    if kind == ".parquet":
        pq.write_table(table, path)
        return path
    with pa.output_stream(path, compression={".gz": "gzip", ".zst": "zstd"}.get(path.suffix)) as out:
        if kind == ".csv":
            csv.write_csv(table, out)
        elif kind == ".jsonl":
            out.write("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()).encode())
        else:
            new = pa.ipc.new_file if kind == ".arrow" else pa.ipc.new_stream
            with new(out, table.schema) as writer:
                writer.write_table(table, max_chunksize=100)
    return path
