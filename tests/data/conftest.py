"""Servers that the tests of dlbd.data talk to, each started once when a test first needs it."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.fs as fs
import pytest

from tests.servers import sql
from tests.servers.azure import AzureServer
from tests.servers.azure import client as azure_client
from tests.servers.bucket import Bucket
from tests.servers.certificates import Authority
from tests.servers.gcs import GcsServer
from tests.servers.gcs import client as gcs_client
from tests.servers.hdfs import Hdfs
from tests.servers.mongodb import MongoDB
from tests.servers.process import temporary_folder
from tests.servers.s3 import S3Server
from tests.servers.sql_client import drop_tables


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """Whom servers and clients of TLS trust."""
    folder = temporary_folder("certificates")
    yield Authority(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The address of a server of MongoDB, with a database: DLBD_TEST_MONGODB_URI's, or one of its own."""
    given = os.environ.get("DLBD_TEST_MONGODB_URI")
    if given:
        yield given
        return
    server = MongoDB()
    yield f"{server.uri}/dlbd_test"
    server.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A server of S3 of our own."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsServer]:
    """A server of Google's storage protocol."""
    server = GcsServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def azure_server() -> Iterator[AzureServer]:
    """A server of Azure's storage protocol."""
    server = AzureServer()
    yield server
    server.stop()


@pytest.fixture
def s3(request: pytest.FixtureRequest) -> Bucket:
    """A folder in S3 for one test: below DLBD_TEST_S3_URI (``s3://bucket/folder``; AWS's own variables say who may),
    or on a server of our own.
    """
    return _bucket("s3", lambda: fs.S3FileSystem(endpoint_override=os.environ.get("AWS_ENDPOINT_URL")), request)


@pytest.fixture
def gcs(request: pytest.FixtureRequest) -> Bucket:
    """The same in Google's store: below DLBD_TEST_GCS_URI (``gs://bucket/folder``; gcloud's login says who may)."""
    return _bucket("gcs", lambda: gcs_client({}), request)


@pytest.fixture
def azure(request: pytest.FixtureRequest) -> Bucket:
    """The same in Azure's store: below DLBD_TEST_AZURE_URI (``abfs://container/folder``; AZURE_STORAGE_ACCOUNT_NAME and
    the like say who may).
    """
    return _bucket("azure", lambda: azure_client({}), request)


def _bucket(name: str, client: Callable[[], fs.FileSystem], request: pytest.FixtureRequest) -> Bucket:
    given = os.environ.get(f"DLBD_TEST_{name.upper()}_URI")
    if given:
        scheme, path = given.rstrip("/").split("://")
        bucket = Bucket(scheme, path, {}, client())
    else:
        bucket = request.getfixturevalue(f"{name}_server").bucket
    return bucket.folder(f"dlbd-test-{uuid.uuid4().hex}")


@pytest.fixture(scope="session")
def spark_cluster() -> Iterator[Any]:
    """One master and two workers; None where DLBD_TEST_SPARK_URI names the user's own cluster."""
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    if "DLBD_TEST_SPARK_URI" in os.environ:
        yield None
        return
    from tests.servers.spark import Cluster

    cluster = Cluster()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def spark(spark_cluster: Any) -> Iterator[Any]:
    """A session of Spark's cluster."""
    from tests.servers.spark import session

    made = session(os.environ["DLBD_TEST_SPARK_URI"]) if spark_cluster is None else spark_cluster.session()
    made.range(2).mapInArrow(lambda batches: batches, "id long").count()  # starts Python on the executors
    yield made
    made.stop()


@pytest.fixture(scope="session")
def spark_connect() -> Iterator[Any]:
    """A session of Spark Connect: of the server that DLBD_TEST_SPARK_CONNECT_URI names, or of one of its own."""
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    from tests.servers.spark import ConnectServer

    server = None
    url = os.environ.get("DLBD_TEST_SPARK_CONNECT_URI")
    if url is None:
        server = ConnectServer()
        url = server.url
    from pyspark.sql.connect.session import SparkSession

    made = SparkSession(url)
    yield made
    made.stop()
    if server is not None:
        server.stop()


@pytest.fixture(scope="session")
def hdfs_server() -> Iterator[Hdfs]:
    """HDFS of our own."""
    server = Hdfs()
    yield server
    server.stop()


@pytest.fixture
def hdfs(request: pytest.FixtureRequest) -> str:
    """The address of a folder in HDFS for one test: below DLBD_TEST_HDFS_URI, or in an HDFS of our own."""
    folder = f"dlbd-test-{uuid.uuid4().hex}"
    given = os.environ.get("DLBD_TEST_HDFS_URI")
    if given:
        return f"{given.rstrip('/')}/{folder}"
    server: Hdfs = request.getfixturevalue("hdfs_server")
    return f"{server.uri}/{folder}"


def _sql(name: str) -> Iterator[sql.SqlServer]:
    server = sql.start(name)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[sql.SqlServer]:
    """A server with an empty database at ``uri``: DLBD_TEST_MARIADB_URI's, or one of its own."""
    yield from _sql("mariadb")


@pytest.fixture(scope="session")
def mysql() -> Iterator[sql.SqlServer]:
    """The same for MySQL 8.0."""
    yield from _sql("mysql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[sql.SqlServer]:
    """The same for PostgreSQL."""
    yield from _sql("postgresql")


@pytest.fixture(scope="session", params=["mariadb", "mysql", "postgresql"])
def sql_server(request: pytest.FixtureRequest) -> sql.SqlServer:
    """Each of the SQL servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite", "duckdb", "mariadb", "mysql", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of each kind of SQL."""
    if request.param in ("sqlite", "duckdb"):
        yield f"{request.param}:///{tmp_path}/test.db"
        return
    uri = request.getfixturevalue(request.param).uri
    yield uri
    drop_tables(uri)
