"""Servers that speak TLS only: whom they trust, whom their clients trust, and what is said where they do not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, write_table
from tests.data.rows import COUNT, write
from tests.servers import sql
from tests.servers.certificates import Authority
from tests.servers.mongodb import MongoDB
from tests.servers.proxy import TlsProxy
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that has signed nobody's certificate."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@contextmanager
def fails(match: str, seconds: float = 6) -> Iterator[None]:
    begin = time.monotonic()
    with pytest.raises(SourceError, match=match):
        yield
    assert time.monotonic() - begin < seconds


# SQL


@pytest.fixture(scope="module", params=["mariadb", "mysql", "postgresql"])
def server(request: pytest.FixtureRequest, authority: Authority) -> Iterator[sql.SqlServer]:
    """With the table t, and a user who has a certificate in place of a password."""
    made = sql.start_own(request.param, tls=authority)
    try:
        trusting = of(made, "connect_args", authority)
        write_table(made.uri, "t", pa.table({"x": [1, 2, 3]}), connect_args=trusting)
        if made.name == "postgresql":
            made_user = [f"CREATE ROLE {sql.CERTIFIED} LOGIN SUPERUSER"]
        else:
            made_user = [f"CREATE USER {sql.CERTIFIED} REQUIRE X509", f"GRANT ALL ON *.* TO {sql.CERTIFIED}"]
        execute(made, trusting, *made_user)
        yield made
    finally:
        made.stop()


def of(server: sql.SqlServer, where: str, authority: Authority) -> Any:
    """How the client is told to trust the authority alone: a part of the address, or connect_args."""
    file = str(authority.certificate)
    if server.name == "postgresql":
        made = {"sslmode": "verify-full", "sslrootcert": file}
    else:
        made = {"ssl_ca": file} if where == "address" else {"ssl_ca": file, "ssl_verify_identity": True}
    return made if where == "connect_args" else "?" + "&".join(f"{key}={value}" for key, value in made.items())


def execute(server: sql.SqlServer, connect_args: dict[str, Any], *statements: str) -> None:
    from dlbd.data.connections import Database

    connection = Database(server.uri, connect_args=connect_args).connect(5)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("where", ["address", "connect_args"])
def test_sql_with_an_authority_that_is_known(server: sql.SqlServer, authority: Authority, where: str):
    told = of(server, where, authority)
    arguments = {"what": server.uri + told} if where == "address" else {"what": server.uri, "connect_args": told}
    source = dlbd.data.open(**arguments, table="t", order_by="x")
    assert source.to_arrow()["x"].to_pylist() == [1, 2, 3]
    assert source.count() == 3


@pytest.mark.parametrize("where", ["address", "connect_args"])
def test_sql_with_another_authority(server: sql.SqlServer, stranger: Authority, where: str):
    told = of(server, where, stranger)
    arguments = {"what": server.uri + told} if where == "address" else {"what": server.uri, "connect_args": told}
    with fails(r"127\.0\.0\.1.*certificate verify failed"):
        dlbd.data.open(**arguments, table="t")


def test_sql_on_a_host_of_another_name(server: sql.SqlServer, authority: Authority):
    address = server.uri.replace("127.0.0.1", "localhost")
    with fails(r"(?i)localhost.*(hostname|host name)"):
        dlbd.data.open(address, table="t", connect_args=of(server, "connect_args", authority))


def test_sql_with_a_file_that_is_not_there(server: sql.SqlServer, tmp_path: Path):
    missing = str(tmp_path / "none.pem")
    options = {"sslmode": "verify-ca", "sslrootcert": missing} if server.name == "postgresql" else {"ssl_ca": missing}
    with fails(rf"127\.0\.0\.1.*{missing}"):
        dlbd.data.open(server.uri, table="t", connect_args=options)


def test_sql_without_tls(server: sql.SqlServer):
    plain = {"sslmode": "disable"} if server.name == "postgresql" else {"ssl_disabled": True}
    with fails(r"127\.0\.0\.1.*(no encryption|insecure transport|without TLS)"):
        dlbd.data.open(server.uri, table="t", connect_args=plain)
    with fails(r"127\.0\.0\.1.*(no encryption|insecure transport|without TLS)"):
        write_table(server.uri, "u", pa.table({"x": [1]}), connect_args=plain)


def test_sql_with_a_certificate_of_the_client(server: sql.SqlServer, authority: Authority, stranger: Authority):
    url = urlsplit(server.uri)
    address = f"{url.scheme}://{sql.CERTIFIED}@{url.hostname}:{url.port}{url.path}"
    names = ("sslcert", "sslkey") if server.name == "postgresql" else ("ssl_cert", "ssl_key")
    trusting = of(server, "connect_args", authority)
    known = dict(zip(names, map(str, authority.issue(sql.CERTIFIED)), strict=True))
    assert dlbd.data.open(address, table="t", connect_args={**trusting, **known}).count() == 3
    with fails(r"127\.0\.0\.1.*(?i:certificate|denied)"):
        dlbd.data.open(address, table="t", connect_args=trusting)
    unknown = dict(zip(names, map(str, stranger.issue(sql.CERTIFIED)), strict=True))
    with fails(r"127\.0\.0\.1.*(?i:certificate|ca|lost connection|ssl)"):
        dlbd.data.open(address, table="t", connect_args={**trusting, **unknown})


def test_sql_that_freezes(server: sql.SqlServer, authority: Authority):
    trusting = of(server, "connect_args", authority)
    batch = pa.record_batch({"n": range(20_000), "s": ["text " * 20] * 20_000})
    write_table(server.uri, "large", (batch for _ in range(10)), connect_args=trusting)
    batches = dlbd.data.open(server.uri, table="large", connect_args=trusting, timeout=2).batches(1000)
    next(batches)
    assert server.process is not None
    server.process.freeze()
    try:
        with fails(r"large: nothing came for 2 seconds", 8):
            list(batches)
    finally:
        server.process.thaw()


# MongoDB


@pytest.fixture(scope="module")
def mongodb(authority: Authority) -> Iterator[MongoDB]:
    """With a document in shop.items."""
    pymongo = pytest.importorskip("pymongo")
    made = MongoDB(tls=authority)
    with pymongo.MongoClient(made.uri, tls=True, tlsCAFile=str(authority.certificate)) as client:
        client.shop.items.insert_one({"_id": 1})
    yield made
    made.stop()


def test_mongodb(mongodb: MongoDB, authority: Authority, stranger: Authority):
    arguments: dict[str, Any] = {"table": "items", "timeout": 4}
    address = f"{mongodb.uri}/shop"
    trusting = {"tls": True, "tlsCAFile": str(authority.certificate)}
    assert dlbd.data.open(address, **arguments, client_options=trusting).count() == 1
    assert dlbd.data.open(f"{address}?tls=true&tlsCAFile={authority.certificate}", **arguments).count() == 1
    for other in ({"tls": True}, {**trusting, "tlsCAFile": str(stranger.certificate)}):
        with fails("certificate verify failed"):
            dlbd.data.open(address, **arguments, client_options=other)
    with fails(r"127\.0\.0\.1.*closed"):
        dlbd.data.open(address, **arguments)
    with fails("/none.pem"):
        dlbd.data.open(address, **arguments, client_options={"tls": True, "tlsCAFile": "/none.pem"})


def test_mongodb_with_a_certificate_of_the_client(mongodb: MongoDB, authority: Authority, tmp_path: Path):
    pytest.importorskip("pymongo")
    plain = MongoDB()
    proxy = TlsProxy(authority, urlsplit(plain.uri).port or 0)
    try:
        import pymongo

        with pymongo.MongoClient(plain.uri) as client:
            client.shop.items.insert_one({"_id": 1})
        both = tmp_path / "both.pem"
        both.write_text("".join(file.read_text() for file in authority.issue("reader")))
        address = f"mongodb://127.0.0.1:{proxy.port}/shop"
        trusting = {"tls": True, "tlsCAFile": str(authority.certificate)}
        options = {**trusting, "tlsCertificateKeyFile": str(both)}
        assert dlbd.data.open(address, table="items", client_options=options).count() == 1
        with fails(r"127\.0\.0\.1.*(certificate|closed|reset|EOF)"):
            dlbd.data.open(address, table="items", client_options=trusting, timeout=4)
    finally:
        proxy.stop()
        plain.stop()


# S3


@pytest.fixture(scope="module")
def s3(authority: Authority) -> Iterator[S3Server]:
    made = S3Server(tls=authority)
    yield made
    made.stop()


def test_s3(s3: S3Server, stranger: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address, options = s3.bucket.put(write(tmp_path / "rows.parquet")), s3.bucket.options
    assert dlbd.data.open(address, storage_options=options).count() == COUNT
    without = {key: value for key, value in options.items() if key != "tls_ca_file_path"}
    for other in (without, {**options, "tls_ca_file_path": str(stranger.certificate)}):
        with fails(rf"{address}: .*(?i:certificate|ssl)"):
            dlbd.data.open(address, storage_options=other, timeout=4)
    with fails(rf"{address}: .*"):
        dlbd.data.open(address, storage_options={**without, "scheme": "http"}, timeout=4)
    monkeypatch.setenv("AWS_CA_BUNDLE", options["tls_ca_file_path"])
    assert dlbd.data.open(address, storage_options=without).count() == COUNT
