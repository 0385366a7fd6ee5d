"""Files in HDFS, on a real NameNode and DataNode: the same rows, and nodes that die or freeze."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError
from dlbd.data.stores.hdfs import name_nodes
from tests.data.failing import fails
from tests.data.rows import COUNT, ORDER_BY, SCHEMA, TABLE, write
from tests.servers.hdfs import Hdfs, put

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl.zst", "parquet", "arrow", "arrows"])
def test_every_format_gives_the_same_rows(hdfs: str, tmp_path: Path, suffix: str):
    address = put(hdfs, write(tmp_path / f"rows.{suffix}"))
    source = dlbd.data.open(address, schema=SCHEMA, order_by=ORDER_BY)
    assert source.name == address
    assert source.to_arrow().equals(TABLE)
    assert source.count() == COUNT


def test_folders_and_globs(hdfs: str, tmp_path: Path):
    for i in range(5):
        put(f"{hdfs}/parts", write(tmp_path / f"part-{i}.parquet", TABLE.slice(200 * i, 200)))
    for what in (f"{hdfs}/parts", f"{hdfs}/parts/part-[0-4].parquet", f"{hdfs}/**/part-*"):
        assert dlbd.data.open(what).to_arrow().equals(TABLE)


def test_what_is_not_there(hdfs: str):
    with pytest.raises(SourceError, match=rf"{hdfs}/none\.csv: there is no such file or folder"):
        dlbd.data.open(f"{hdfs}/none.csv")


def large(uri: str, tmp_path: Path) -> str:
    table = pa.table({f"x{i}": np.random.default_rng(i).random(200_000) for i in range(5)})
    return put(uri, write(tmp_path / "large.csv", table))


def test_frozen_nodes(hdfs_server: Hdfs, tmp_path: Path):
    address = large(f"{hdfs_server.uri}/frozen", tmp_path)
    batches = dlbd.data.open(address, timeout=2).batches(1_000)
    next(batches)
    hdfs_server.data_node.freeze()
    try:
        fails(lambda: list(batches), f"{address}: ", 8)
        fails(lambda: dlbd.data.open(address, timeout=2), f"{address}: ", 8)
    finally:
        hdfs_server.data_node.thaw()
    source = dlbd.data.open(address, timeout=2)
    hdfs_server.name_node.freeze()
    try:
        fails(source.head, f"{address}: nothing came for 2 seconds", 12)
        fails(lambda: dlbd.data.open(address, timeout=2), f"{address}: nothing came for 2 seconds", 12)
    finally:
        hdfs_server.name_node.thaw()
    assert source.head(1).num_rows == 1


SITE = "<configuration>{}</configuration>"
PROPERTY = "<property><name>{}</name><value>{}</value></property>"


def test_the_name_nodes_of_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    monkeypatch.delenv("HADOOP_HOME", raising=False)
    assert name_nodes("hdfs://node:9000/a.csv", {}) == [("node", 9000)]
    assert name_nodes("hdfs://node/a.csv", {}) == [("node", 8020)]
    assert name_nodes("hdfs:///a.csv", {}) == name_nodes("hdfs.csv", {}) == name_nodes("s3://node:9000/a", {}) == []
    nodes = {"dfs.ha.namenodes.east": "nn1, nn2", "dfs.namenode.rpc-address.east.nn1": "one:8021"}
    nodes["dfs.namenode.rpc-address.east.nn2"] = "two"
    assert name_nodes("hdfs://east/a.csv", nodes) == [("one", 8021), ("two", 8020)]

    (tmp_path / "etc/hadoop").mkdir(parents=True)
    (tmp_path / "etc/hadoop/core-site.xml").write_text(SITE.format(PROPERTY.format("fs.defaultFS", "hdfs://east")))
    (tmp_path / "etc/hadoop/hdfs-site.xml").write_text(
        SITE.format("".join(PROPERTY.format(*pair) for pair in nodes.items()))
    )
    monkeypatch.setenv("HADOOP_HOME", str(tmp_path))
    assert name_nodes("hdfs:///a.csv", {}) == [("one", 8021), ("two", 8020)]
    assert name_nodes("hdfs://east/a", {"dfs.namenode.rpc-address.east.nn1": "three:1"})[0] == ("three", 1)
    assert name_nodes("hdfs:///a", {"fs.defaultFS": "viewfs://east"}) == []
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))  # has no such files
    assert name_nodes("hdfs:///a.csv", {}) == []
    (tmp_path / "hdfs-site.xml").write_text("<configuration>")
    with pytest.raises(SourceError, match=r"hdfs-site\.xml: no element found: line 1"):
        dlbd.data.open("hdfs://node:9000/a.csv")


def test_a_name_of_the_clusters_frozen_or_not(hdfs_server: Hdfs, tmp_path: Path):
    where = put(f"{hdfs_server.uri}/named", write(tmp_path / "rows.csv"))
    address = where.replace(hdfs_server.uri, "hdfs://cluster")
    place = hdfs_server.uri.removeprefix("hdfs://")
    options = {"dfs.ha.namenodes.cluster": "only", "dfs.namenode.rpc-address.cluster.only": place}
    source = dlbd.data.open(address, storage_options=options, timeout=2)
    assert source.name == address
    assert source.count() == COUNT
    hdfs_server.name_node.freeze()
    try:
        fails(source.head, f"{address}: nothing came for 2 seconds", 12)
        fails(lambda: dlbd.data.open(address, storage_options=options, timeout=2), f"{address}: nothing came", 12)
    finally:
        hdfs_server.name_node.thaw()
    assert source.head(1).num_rows == 1


def test_a_name_node_without_a_port(hdfs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = put(hdfs, write(tmp_path / "rows.csv"))
    node, port = address.removeprefix("hdfs://").split("/")[0].rsplit(":", 1)
    monkeypatch.setattr(import_module("dlbd.data.stores.hdfs"), "_PORT", int(port))
    assert dlbd.data.open(address.replace(f"{node}:{port}", node)).count() == COUNT


def test_the_default_of_hadoops_files_frozen_or_not(hdfs_server: Hdfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put(f"{hdfs_server.uri}/default", write(tmp_path / "rows.csv"))
    monkeypatch.setenv("HADOOP_CONF_DIR", str(hdfs_server.folder / "conf"))
    source = dlbd.data.open("hdfs:///default/rows.csv", timeout=2)
    assert source.count() == COUNT
    hdfs_server.name_node.freeze()
    try:
        fails(source.head, "hdfs:///default/rows.csv: nothing came for 2 seconds", 12)
    finally:
        hdfs_server.name_node.thaw()


def test_an_end_before_the_end_does_not_wait(hdfs: str, tmp_path: Path):
    batches = dlbd.data.open(large(hdfs, tmp_path)).batches(1_000)
    next(batches)
    begin = time.monotonic()
    batches.close()
    assert time.monotonic() - begin < 1
    assert [t.name for t in threading.enumerate() if t.name.startswith("dlbd.data")] == []


@pytest.fixture
def own_server() -> Iterator[Hdfs]:
    server = Hdfs()
    yield server
    server.stop()


def test_nodes_that_die(own_server: Hdfs, tmp_path: Path):
    address = large(own_server.uri, tmp_path)
    source = dlbd.data.open(address, timeout=5)
    batches = source.batches(1_000)
    next(batches)
    own_server.data_node.kill()
    fails(lambda: list(batches), f"{address}: .*DataNodes failed", 10)
    own_server.name_node.kill()
    fails(source.head, f"{address}: .*Connection refused", 10)
    fails(lambda: dlbd.data.open(address), f"{address}: .*Connection refused", 10)
