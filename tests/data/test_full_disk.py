"""A database whose disk is full while a table is written: an error, no part of the table, and it goes on."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from dlbd.data import SourceError, write_table
from tests.servers import sql
from tests.servers.sql_client import drop_tables, execute, tables

pytestmark = pytest.mark.timeout(200)

MOST = 40 << 20  # bytes of a file: the servers' own ones are smaller


def many(count: int = 60) -> Iterator[pa.RecordBatch]:
    """A megabyte each, which does not compress."""
    for i in range(count):
        text = base64.b64encode(os.urandom(768_000)).decode()
        texts = [text[1024 * j : 1024 * (j + 1)] for j in range(1000)]
        yield pa.record_batch({"id": range(1000 * i, 1000 * i + 1000), "text": texts})


@pytest.fixture(scope="module", params=["mariadb", "mysql", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[sql.SqlServer]:
    made = sql.start_own(request.param, most_bytes=MOST)
    yield made
    made.stop()


@pytest.fixture
def uri(server: sql.SqlServer) -> Iterator[str]:
    yield server.uri
    drop_tables(server.uri)


FULL = r"127\.0\.0\.1.*table large: .*(is full|too large|No space)"


@pytest.mark.parametrize("if_exists", ["error", "replace", "append"])
def test_a_table_that_does_not_fit(uri: str, if_exists: str):
    if if_exists != "error":
        write_table(uri, "large", many(1))
    before = tables(uri)
    with pytest.raises(SourceError, match=FULL):
        write_table(uri, "large", many(), if_exists=if_exists)
    assert tables(uri) == before
    if before:
        assert dlbd.data.open(uri, table="large").count() == 1000
    assert write_table(uri, "small", many(2)) == 2000
    assert dlbd.data.open(uri, table="small").count() == 2000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and rows for it."""
    folder = tmp_path_factory.mktemp("files")
    model = dlbd.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(dlbd.data.open({"id": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.0]}), target="y", verbose=0)
    model.save(folder / "model.dlbd")
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as file:
        schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
        with pa.ipc.new_file(file, schema) as writer:
            for batch in many():
                writer.write_batch(batch)
    return folder


def test_predictions_that_do_not_fit(uri: str, files: Path):
    command = [sys.executable, "-m", "dlbd.cli", "predict", "model.dlbd", "rows.arrow", "--keep", "text"]
    failed = subprocess.run(
        [*command, "--out", uri, "--out-table", "large"], cwd=files, capture_output=True, text=True, env=_environment()
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("dlbd predict: ")
    assert failed.stderr.count("\n") == 1
    assert sql.PASSWORD not in failed.stderr
    assert tables(uri) == []


def _environment() -> dict[str, str]:
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(folder) for folder in folders if folder)}


@pytest.mark.parametrize(
    ("scheme", "batches", "said"),
    # those fit into a temporary file; of DuckDB, whose log is no larger, this is what is full
    [("sqlite", 8, "{}, table large: "), ("duckdb", 30, "rows come to a table by temporary files in ")],
)
@pytest.mark.parametrize("if_exists", ["replace", "append"])
def test_a_file_that_does_not_fit(tmp_path: Path, scheme: str, batches: int, said: str, if_exists: str):
    address = f"{scheme}:///{tmp_path}/test.db"
    write_table(address, "large", many(1))
    code = f"""
        import resource
        from dlbd.data import SourceError, write_table
        from tests.data.test_full_disk import many
        resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, 9 << 20))
        try:
            write_table({address!r}, "large", many({batches}), if_exists={if_exists!r})
        except SourceError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=_environment()
    )
    assert done.stdout.startswith(said.format(address)), done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir() if "journal" in file.name] == []
    assert dlbd.data.open(address, table="large").count() == 1000
    assert write_table(address, "large", many(1), if_exists="append") == 1000
    assert tables(address) == ["large"]
    assert execute(address, "SELECT COUNT(*) FROM large") == [(2000,)]
