"""Every store finds the rows that plain Python finds, and gives them in one order, whatever its own rules are."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dlbd
from dlbd.data import write_table
from dlbd.data.fitting import fitted
from tests.data import extremes
from tests.data.three_valued import rows_that_meet

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

# What a store does not keep: columns, and whether it keeps NaN and infinities.
LACKS: dict[str, tuple[set[str], bool]] = {
    "parquet": (set(), True),
    "jsonl": ({"bytes"}, True),
    "sqlite": ({"natural", "large"}, False),
    "duckdb": (set(), True),
    "mariadb": (set(), False),
    "mysql": (set(), False),
    "postgresql": (set(), True),
    "mongodb": ({"natural", "large", "planes"}, True),  # the server of the tests has Java's order of texts
    "spark": ({"natural"}, True),
}
COUNTS = {"sqlite": 500, "spark": 25}  # of conditions; each time others of the many that there are
COUNTING = {"sqlite", "duckdb", "mariadb", "mysql", "postgresql", "spark"}


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.timeout(300)) for name in LACKS])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The name of a store, the rows, and what opens them there."""
    name = request.param
    absent, nan = LACKS[name]
    table = extremes.table([c for c in extremes.NAMES if c not in absent], nan)
    folder = tmp_path_factory.mktemp(name)
    if name in ("parquet", "jsonl"):
        yield name, table, {"what": in_file(table, folder / f"rows.{name}")}
    elif name == "mongodb":
        yield name, table, {"what": request.getfixturevalue("mongodb"), "table": in_mongodb(request, table)}
    elif name == "spark":
        yield name, table, {"what": request.getfixturevalue("spark").createDataFrame(table).repartition(4)}
    else:
        embedded = name in ("sqlite", "duckdb")
        address = f"{name}:///{folder}/a.db" if embedded else request.getfixturevalue(name).uri
        write_table(address, "extremes", table, if_exists="replace")
        yield name, table, {"what": address, "table": "extremes"}


def in_file(table: pa.Table, path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=7)
        return path

    def text(value: Any) -> Any:
        return value if value is None or isinstance(value, (int, float, str)) else str(value)

    lines = [json.dumps({k: text(v) for k, v in row.items()}) for row in table.to_pylist()]
    path.write_text("\n".join(lines))
    return path


def in_mongodb(request: pytest.FixtureRequest, table: pa.Table) -> str:
    pymongo = pytest.importorskip("pymongo")
    import bson

    def of_bson(value: Any) -> Any:
        if isinstance(value, Decimal):
            return bson.Decimal128(value)
        return dt.datetime.combine(value, dt.time()) if type(value) is dt.date else value

    with pymongo.MongoClient(request.getfixturevalue("mongodb")) as client:
        collection = client.get_default_database()["extremes"]
        collection.drop()
        collection.insert_many({k: of_bson(v) for k, v in row.items()} for row in table.to_pylist())
    return "extremes"


def opened(stored: Any, **arguments: Any) -> dlbd.data.Source:
    _, table, where = stored
    return dlbd.data.open(**where, columns=table.column_names, schema=table.schema, **arguments)


def shown(rows: Any) -> str:
    """All values; NaN is NaN, and -0.0 is 0.0, since MariaDB makes it so."""
    return re.sub(r"-0\.0\b", "0.0", repr(pa.table(rows).to_pylist()))


def test_conditions(stored: Any):
    name, table, _ = stored
    source = opened(stored, order_by="id")
    assert shown(source) == shown(table)
    everything = list(extremes.conditions(table.column_names[1:]))
    step = len(everything) // COUNTS.get(name, 150)
    counted = 0
    for condition in itertools.islice(everything, np.random.default_rng().integers(step), None, step):
        wanted = rows_that_meet(condition, table)
        found = source.where(condition)
        assert found.select(["id"]).to_arrow()["id"].to_pylist() == wanted, condition
        count = (
            source.reader.count(fitted(condition, source.stored, ""))
            if source._stored_alike(condition.columns)
            else None
        )
        assert count in (None, len(wanted)), condition
        counted += count is not None
    assert bool(counted) == (name in COUNTING)


def test_order(stored: Any):
    _, table, _ = stored
    for name in table.column_names[1:]:
        for by in ([name, "id"], ["flag", name, "id"]):
            found, wanted = opened(stored, order_by=by), dlbd.data.open(table, order_by=by)
            assert shown(found) == shown(wanted), by
