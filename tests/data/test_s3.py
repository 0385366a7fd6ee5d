"""Files in S3, on a real server: the same rows, wrong names and keys, a server that dies or freezes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dlbd
from dlbd.data import SourceError
from tests.data.rows import COUNT, ORDER_BY, SCHEMA, TABLE, write
from tests.servers.s3 import Bucket, S3Server

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl.zst", "parquet", "arrow", "arrows"])
def test_every_format_gives_the_same_rows(s3: Bucket, tmp_path: Path, suffix: str):
    address = s3.put(write(tmp_path / f"rows.{suffix}"))
    source = dlbd.data.open(address, storage_options=s3.options, schema=SCHEMA, order_by=ORDER_BY)
    assert source.name == address
    assert source.to_arrow().equals(TABLE)
    assert source.count() == COUNT


def test_folders_and_globs(s3: Bucket, tmp_path: Path):
    for i in range(5):
        s3.put(write(tmp_path / f"part-{i}.parquet", TABLE.slice(200 * i, 200)))
    for what in (f"s3://{s3.path}/part-*", f"s3://{s3.path}/part-[0-4].parquet"):
        assert dlbd.data.open(what, storage_options=s3.options).to_arrow().equals(TABLE)
    with pytest.raises(SourceError, match=rf"s3://{s3.path}/part-9\*: no file matches"):
        dlbd.data.open(f"s3://{s3.path}/part-9*", storage_options=s3.options)


def test_keys_in_the_address_do_not_show(s3_server: S3Server, tmp_path: Path):
    bucket = s3_server.bucket
    bucket.put(write(tmp_path / "keys.csv"))
    options = {k: v for k, v in bucket.options.items() if k not in ("access_key", "secret_key")}
    key, secret = bucket.options["access_key"], bucket.options["secret_key"]
    source = dlbd.data.open(f"s3://{key}:{secret}@{bucket.path}/keys.csv", storage_options=options)
    assert source.count() == COUNT
    assert source.name == f"s3://{bucket.path}/keys.csv"
    assert secret not in repr(source)


def test_the_variables_of_aws_say_where_and_who(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    options = s3_server.bucket.options
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{options['endpoint_override']}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", options["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", options["secret_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", options["region"])
    address = s3_server.bucket.put(write(tmp_path / "variables.csv"))
    assert dlbd.data.open(address).count() == COUNT


def test_what_is_not_there(s3: Bucket):
    with pytest.raises(SourceError, match=rf"s3://{s3.path}/none\.csv: there is no such file or folder"):
        dlbd.data.open(f"s3://{s3.path}/none.csv", storage_options=s3.options)
    with pytest.raises(SourceError, match=r"s3://no-such-bucket/a\.csv: there is no bucket 'no-such-bucket'"):
        dlbd.data.open("s3://no-such-bucket/a.csv", storage_options=s3.options)


def test_wrong_credentials(s3_server: S3Server, tmp_path: Path):
    bucket = s3_server.bucket
    address = bucket.put(write(tmp_path / "secret.csv"))
    wrong = {**bucket.options, "secret_key": "a-wrong-secret"}
    with pytest.raises(SourceError, match=rf"{address}: .*ACCESS_DENIED") as error:
        dlbd.data.open(address, storage_options=wrong)
    assert "a-wrong-secret" not in str(error.value)
    with pytest.raises(SourceError, match=rf"{address}: .*No user exists"):
        dlbd.data.open(address, storage_options={**bucket.options, "access_key": "nobody"})


# A server of each test's own, which it kills or freezes


@pytest.fixture
def own_server() -> Any:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(params=["csv", "parquet"])
def large(own_server: S3Server, tmp_path: Path, request: pytest.FixtureRequest) -> dlbd.data.Source:
    """More than is read ahead."""
    path = tmp_path / f"large.{request.param}"
    if request.param == "csv":
        write(path, pa.table({f"x{i}": np.random.default_rng(i).random(200_000) for i in range(5)}))
    else:
        pq.write_table(pa.table({"x": np.random.default_rng(0).random(12_000_000)}), path)
    return dlbd.data.open(own_server.bucket.put(path), storage_options=own_server.bucket.options, timeout=4)


def fails(what: Any, match: str, seconds: float) -> None:
    begin = time.monotonic()
    with pytest.raises(SourceError, match=match):
        what()
    assert time.monotonic() - begin < seconds
    assert [t.name for t in threading.enumerate() if t.name.startswith("dlbd.data")] == []


def test_a_server_that_dies(own_server: S3Server, large: dlbd.data.Source):
    batches = large.batches(1_000)
    next(batches)
    own_server.kill()
    fails(lambda: list(batches), rf"{large.name}: .*NETWORK_CONNECTION", 10)
    fails(large.count if large.name.endswith("parquet") else large.head, rf"{large.name}: .*NETWORK_CONNECTION", 10)
    fails(lambda: dlbd.data.open(large.name, storage_options=own_server.bucket.options), "NETWORK_CONNECTION", 10)


def test_a_server_that_freezes(own_server: S3Server, large: dlbd.data.Source):
    batches = large.batches(1_000)
    next(batches)
    own_server.freeze()
    fails(lambda: list(batches), rf"{large.name}: (nothing came for 4 seconds|.*Timeout was reached)", 10)
    fails(
        lambda: dlbd.data.open(large.name, storage_options=own_server.bucket.options, timeout=4),
        rf"{large.name}: (nothing came for 4 seconds|.*Timeout was reached)",
        10,
    )
    own_server.thaw()
    assert large.head(1).num_rows == 1
