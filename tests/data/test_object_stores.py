"""Files in S3, Google's and Azure's stores, on real servers: the same rows, wrong names, servers that die or freeze."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError
from tests.data.failing import fails
from tests.data.rows import COUNT, ORDER_BY, SCHEMA, TABLE, write
from tests.servers.azure import AzureServer
from tests.servers.bucket import Bucket
from tests.servers.gcs import GcsServer
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["s3", "gcs", "azure"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """An empty folder in each kind of store."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl.zst", "parquet", "arrow", "arrows"])
def test_every_format_gives_the_same_rows(bucket: Bucket, tmp_path: Path, suffix: str):
    address = bucket.put(write(tmp_path / f"rows.{suffix}"))
    source = dlbd.data.open(address, storage_options=bucket.options, schema=SCHEMA, order_by=ORDER_BY)
    assert source.name == address
    assert source.to_arrow().equals(TABLE)
    assert source.count() == COUNT


def test_folders_and_globs(bucket: Bucket, tmp_path: Path):
    for i in range(5):
        bucket.put(write(tmp_path / f"part-{i}.parquet", TABLE.slice(200 * i, 200)))
    for what in ("", "/part-*", "/part-[0-4].parquet"):
        assert dlbd.data.open(bucket.address + what, storage_options=bucket.options).to_arrow().equals(TABLE)
    below = bucket.folder("year=2024")
    below.put(write(tmp_path / "more.csv", TABLE.slice(0, 10)))
    found = dlbd.data.open(f"{bucket.address}/**/*.csv", storage_options=bucket.options)
    assert found.count() == 10
    assert found.head(1)["year"].to_pylist() == [2024]
    with pytest.raises(SourceError, match=rf"^{bucket.address}/part-9\*: no file matches"):
        dlbd.data.open(f"{bucket.address}/part-9*", storage_options=bucket.options)


def test_what_is_not_there(bucket: Bucket):
    with pytest.raises(SourceError, match=rf"^{bucket.address}/none\.csv: there is no such file or folder"):
        dlbd.data.open(f"{bucket.address}/none.csv", storage_options=bucket.options)
    address = f"{bucket.scheme}://no-such-bucket-of-dlbd/a.csv"
    with pytest.raises(SourceError, match=rf"^{address}: there is no (bucket|container) 'no-such-bucket-of-dlbd'"):
        dlbd.data.open(address, storage_options=bucket.options)


def test_a_file_that_has_changed_is_read_as_it_is(bucket: Bucket, tmp_path: Path):
    address = bucket.put(write(tmp_path / "rows.csv", TABLE.slice(0, 10)))
    source = dlbd.data.open(address, storage_options=bucket.options)
    assert source.count() == 10
    bucket.put(write(tmp_path / "rows.csv", TABLE.slice(0, 500)))
    assert source.count() == 500


Server = S3Server | GcsServer | AzureServer


LARGE = {
    "csv": pa.table({f"x{i}": np.random.default_rng(i).random(600_000) for i in range(5)}),
    "parquet": pa.table({"x": np.random.default_rng(0).random(12_000_000)}),
}


_SECONDS = 13  # 5 of silence, 5 for the client to give up, and some for a busy machine


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kind", "suffix"), [(S3Server, "csv"), (S3Server, "parquet"), (GcsServer, "csv"), (AzureServer, "parquet")]
)
def test_a_server_that_freezes_or_dies(kind: type[Server], suffix: str, tmp_path: Path):
    server = kind()
    try:
        options = {"storage_options": server.bucket.options, "timeout": 5}
        source = dlbd.data.open(server.bucket.put(write(tmp_path / f"large.{suffix}", LARGE[suffix])), **options)
        batches = source.batches(1_000)
        next(batches)
        server.freeze()
        said = rf"^{source.name}: (nothing came for 5 seconds|.*[Tt]imeout)"
        fails(lambda: list(batches), said, _SECONDS)
        fails(lambda: dlbd.data.open(source.name, **options), said, _SECONDS)
        server.thaw()
        batches = source.batches(1_000)
        next(batches)
        server.kill()
        said = rf"^{source.name}: .*(NETWORK_CONNECTION|Cannot connect to host)"
        fails(lambda: list(batches), said, _SECONDS)
        fails(source.count if suffix == "parquet" else source.head, said, _SECONDS)
        fails(lambda: dlbd.data.open(source.name, **options), said, _SECONDS)
    finally:
        server.stop()
