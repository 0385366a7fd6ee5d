"""Passwords: with every letter, from wherever a client reads them, and never shown."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pytest

import dlbd
from dlbd import layers
from dlbd.cli import main
from dlbd.data import SourceError, write_table
from tests.data.rows import COUNT, write
from tests.servers import sql
from tests.servers.certificates import Authority
from tests.servers.mongodb import MongoDB
from tests.servers.process import free_port
from tests.servers.proxy import TlsProxy
from tests.servers.s3 import S3Server
from tests.servers.sql_client import drop_tables, execute

pytestmark = pytest.mark.timeout(120)

PASSWORDS = ["p@ss:w/rd%", "%41?#&=+ 'q\"", "pässwörd-ß", "東京🙂"]


def shown(error: BaseException | None) -> str:
    """All that a program could print of an error, and of what it came of."""
    text = ""
    while error is not None:
        text += "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        error = error.__cause__
    return text


def none_of(password: str, text: str) -> bool:
    return not any(form in text for form in (password, quote(password, safe=""), quote(password)))


# SQL


@pytest.fixture(params=PASSWORDS, ids=["marks", "quotes", "latin", "unicode"])
def user(sql_server: sql.SqlServer, request: pytest.FixtureRequest) -> Iterator[tuple[str, str, str]]:
    """Scheme, place and password of the user kim, who may read the table t."""
    uri, password = sql_server.uri, request.param
    url = urlsplit(uri)
    write_table(uri, "t", pa.table({"x": [1.0, 2.0], "y": [0.0, 1.0]}))
    literal = password.replace("'", "''")
    if sql_server.name == "postgresql":
        execute(uri, f"CREATE ROLE kim LOGIN SUPERUSER PASSWORD '{literal}'")
    else:
        execute(uri, f"CREATE USER kim IDENTIFIED BY '{literal}'", "GRANT ALL ON *.* TO kim")
    yield url.scheme, f"{url.hostname}:{url.port}{url.path}", password
    drop_tables(uri)
    execute(uri, "DROP ROLE kim" if sql_server.name == "postgresql" else "DROP USER kim")


def test_sql_takes_every_password(user: tuple[str, str, str]):
    scheme, place, password = user
    for address, options in (
        (f"{scheme}://kim:{quote(password, safe='')}@{place}", {}),
        (f"{scheme}://kim@{place}", {"password": password}),
        (f"{scheme}://{place}", {"user": "kim", "password": password}),
        (f"{scheme}://{place}", {"connect_args": {"user": "kim", "password": password}}),
    ):
        assert dlbd.data.open(address, table="t", **options).count() == 2
    write_table(f"{scheme}://kim@{place}", "u", pa.table({"x": [1]}), connect_args={"password": password})
    write_table(f"{scheme}://kim:{quote(password, safe='')}@{place}", "v", pa.table({"x": [1]}))


def test_sql_shows_no_password(
    user: tuple[str, str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    scheme, place, password = user
    caplog.set_level(logging.DEBUG)
    address = f"{scheme}://kim:{quote(password, safe='')}@{place}"
    source = dlbd.data.open(address, table="t", order_by="x")
    assert none_of(password, f"{source!r} {source.name} {vars(source.reader)}")
    model = dlbd.Sequential([layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(source, target="y", verbose=0)
    model.save(tmp_path / "m.dlbd")
    assert none_of(password, (tmp_path / "m.dlbd").read_bytes().decode("latin1"))
    assert password.encode() not in (tmp_path / "m.dlbd").read_bytes()

    wrong = password + "x"
    for arguments, options in (
        ((f"{scheme}://kim:{quote(wrong, safe='')}@{place}",), {}),
        ((f"{scheme}://kim@{place}",), {"password": wrong}),
        ((f"{scheme}://kim@{place}",), {"connect_args": {"password": wrong}}),
    ):
        with pytest.raises(SourceError, match=r"(?i)127\.0\.0\.1.*(denied|password)") as caught:
            dlbd.data.open(*arguments, table="t", **options)
        assert none_of(password, shown(caught.value))
    for table, query in (("none", None), (None, "SELECT nothing FROM t")):
        with pytest.raises(ValueError, match=r"127\.0\.0\.1") as mistake:
            dlbd.data.open(address, table=table, query=query)
        assert none_of(password, shown(mistake.value))

    predict = ["predict", str(tmp_path / "m.dlbd"), address, "--table", "t", "--out", address, "--out-table", "answers"]
    assert main(predict) == 0
    assert main(predict) == 1  # there is such a table
    assert main(["inspect", address, "--table", "t"]) == 0
    assert main(["inspect", f"{scheme}://kim:{quote(wrong, safe='')}@{place}", "--table", "t"]) == 1
    printed = capsys.readouterr()
    assert place in printed.out
    assert place in printed.err
    assert none_of(password, printed.out + printed.err + caplog.text)


def test_postgresql_reads_its_own_files_and_variables(
    postgresql: sql.SqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    url = urlsplit(postgresql.uri)
    address = f"postgresql://{sql.USER}@{url.hostname}:{url.port}{url.path}"
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="no password"):
        dlbd.data.open(address, query="SELECT 1 AS x")
    monkeypatch.setenv("PGPASSWORD", sql.PASSWORD)
    assert dlbd.data.open(address, query="SELECT 1 AS x").count() == 1
    monkeypatch.setenv("PGPASSWORD", "wr0ng-secret")
    with pytest.raises(SourceError, match="password") as caught:
        dlbd.data.open(address, query="SELECT 1 AS x")
    assert none_of("wr0ng-secret", shown(caught.value))
    monkeypatch.delenv("PGPASSWORD")
    escaped = sql.PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    (tmp_path / "pgpass").write_text(f"*:*:*:{sql.USER}:{escaped}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert dlbd.data.open(address, query="SELECT 1 AS x").count() == 1
    assert dlbd.data.open(address, query="SELECT 1 AS x", connect_args={"sslmode": "prefer"}).count() == 1


@pytest.mark.parametrize("name", ["mariadb", "mysql"])
def test_mysql_reads_an_option_file(name: str, request: pytest.FixtureRequest, tmp_path: Path):
    url = urlsplit(request.getfixturevalue(name).uri)
    options = tmp_path / "my.cnf"
    address = f"{url.scheme}://{url.hostname}:{url.port}{url.path}"

    def write_options(password: str) -> None:
        options.write_text(f'[client]\nuser = {sql.USER}\npassword = "{password}"\n')

    write_options(sql.PASSWORD)
    query = "SELECT 1 AS x"
    assert dlbd.data.open(address, query=query, connect_args={"read_default_file": str(options)}).count() == 1
    assert dlbd.data.open(f"{address}?read_default_file={options}", query=query).count() == 1
    for wrong, said in (("wr0ng-secret", "denied"), ("東京", "takes no such letters")):
        write_options(wrong)
        with pytest.raises(SourceError, match=said) as caught:
            dlbd.data.open(address, query=query, connect_args={"read_default_file": str(options)})
        assert none_of(wrong, shown(caught.value))


def test_options_of_sql_that_are_passwords(tmp_path: Path):
    port = free_port()
    for address, options in (
        (f"postgresql://kim@127.0.0.1:{port}/d?sslpassword=s3cret", {}),
        (f"postgresql://kim@127.0.0.1:{port}/d", {"connect_args": {"sslpassword": "s3cret"}}),
        (f"mysql://kim@127.0.0.1:{port}/d", {"connect_args": {"ssl": {"password": "s3cret"}}}),
    ):
        with pytest.raises(SourceError) as caught:
            dlbd.data.open(address, table="t", **options)
        assert none_of("s3cret", shown(caught.value))


# MongoDB


@pytest.mark.parametrize("password", PASSWORDS)
def test_mongodb_shows_no_password(mongodb: str, password: str, caplog: pytest.LogCaptureFixture):
    """The server of the tests knows no users; what it says when somebody signs in is an error."""
    caplog.set_level(logging.DEBUG)
    url = urlsplit(mongodb)
    place = f"{url.hostname}:{url.port}{url.path}"
    written = quote(password, safe="")
    for address, options in (
        (f"mongodb://kim:{written}@{place}?authSource=admin", {}),
        (f"mongodb://kim:{password}@{place}?authSource=admin", {}),  # not escaped, which may be a mistake
        (f"mongodb://{place}", {"client_options": {"username": "kim", "password": password}}),
        (f"mongodb://{place}?tls=true&tlsCertificateKeyFilePassword={written}", {}),
    ):
        with pytest.raises((SourceError, ValueError), match=rf"^mongodb://{url.hostname}:{url.port}") as caught:
            dlbd.data.open(address, table="t", timeout=2, **options)
        assert none_of(password, shown(caught.value))
    assert none_of(password, caplog.text)


def test_mongodb_saves_no_password(authority: Authority, tmp_path: Path):
    """That of a client's key."""
    pymongo = pytest.importorskip("pymongo")
    server = MongoDB()
    proxy = TlsProxy(authority, urlsplit(server.uri).port or 0)
    try:
        with pymongo.MongoClient(server.uri) as client:
            client.shop.items.insert_many([{"_id": i, "x": float(i), "y": float(i)} for i in range(10)])
        both = tmp_path / "both.pem"
        both.write_text("".join(file.read_text() for file in authority.issue("kim", password="s3cret")))
        files = {"tls": True, "tlsCAFile": str(authority.certificate), "tlsCertificateKeyFile": str(both)}
        address = f"mongodb://127.0.0.1:{proxy.port}/shop?tlsCertificateKeyFilePassword="
        source = dlbd.data.open(f"{address}s3cret", table="items", client_options=files)
        assert none_of("s3cret", f"{source!r} {source.name}")
        model = dlbd.Sequential([layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(source, target="y", verbose=0)
        model.save(tmp_path / "m.dlbd")
        assert b"s3cret" not in (tmp_path / "m.dlbd").read_bytes()
        wrong = "wr0ng"
        with pytest.raises((SourceError, ValueError)) as caught:
            dlbd.data.open(address + wrong, table="items", client_options=files)
        assert none_of(wrong, shown(caught.value))
    finally:
        proxy.stop()
        server.stop()


# S3


def test_s3_takes_a_key_with_slashes_in_the_address(
    s3_server: S3Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    address, options = s3_server.bucket.put(write(tmp_path / "rows.csv")), s3_server.bucket.options
    place = address.removeprefix("s3://")
    key, secret = options["access_key"], options["secret_key"]
    assert "/" in secret
    without: dict[str, Any] = {k: v for k, v in options.items() if k not in ("access_key", "secret_key")}
    for written in (secret, quote(secret, safe="")):
        source = dlbd.data.open(f"s3://{key}:{written}@{place}", storage_options=without)
        assert source.count() == COUNT
        assert source.name == address
        assert none_of(secret, f"{source!r} {vars(source.reader)}")
        with pytest.raises(SourceError) as caught:
            dlbd.data.open(f"s3://{key}:{written}x@{place}", storage_options=without)
        assert str(caught.value).startswith(address)
        assert none_of(secret, shown(caught.value))
        with pytest.raises(SourceError) as caught:
            dlbd.data.open(f"s3://{key}:{written}@{place}-none", storage_options=without)
        assert none_of(secret, shown(caught.value))
    proxy = {"scheme": "http", "host": "127.0.0.1", "port": free_port(), "username": "kim", "password": "pr0xy-secret"}
    with pytest.raises(SourceError) as caught:
        dlbd.data.open(address, storage_options={**options, "proxy_options": proxy}, timeout=4)
    assert none_of("pr0xy-secret", shown(caught.value))
    assert none_of(secret, caplog.text)
