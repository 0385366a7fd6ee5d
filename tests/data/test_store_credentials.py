"""Who may read from an object store: keys in the address, options, variables; wrong ones, which no error shows."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dlbd
from dlbd.data import SourceError
from tests.data.rows import COUNT, write
from tests.servers.azure import KEY, AzureServer, connection
from tests.servers.gcs import GcsServer
from tests.servers.s3 import S3Server

pytestmark = pytest.mark.timeout(60)


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


def test_wrong_keys_of_s3(s3_server: S3Server, tmp_path: Path):
    bucket = s3_server.bucket
    address = bucket.put(write(tmp_path / "secret.csv"))
    wrong = {**bucket.options, "secret_key": "a-wrong-secret"}
    with pytest.raises(SourceError, match=rf"{address}: .*ACCESS_DENIED") as error:
        dlbd.data.open(address, storage_options=wrong)
    assert "a-wrong-secret" not in str(error.value)
    with pytest.raises(SourceError, match=rf"{address}: .*No user exists"):
        dlbd.data.open(address, storage_options={**bucket.options, "access_key": "nobody"})


def test_an_account_in_the_address(azure_server: AzureServer, tmp_path: Path):
    bucket = azure_server.bucket
    bucket.put(write(tmp_path / "rows.csv"))
    for scheme in ("abfs", "abfss", "az"):
        address = f"{scheme}://{bucket.path}@dlbdaccount.dfs.core.windows.net/rows.csv"
        source = dlbd.data.open(address, storage_options=bucket.options)
        assert source.name == address
        assert source.count() == COUNT
        with pytest.raises(SourceError, match=rf"^{address}: .*is not a Parquet file|^{address}: .*Parquet"):
            dlbd.data.open(address, storage_options=bucket.options, format="parquet")


def test_the_variables_of_azure_say_who(azure_server: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = azure_server.bucket.put(write(tmp_path / "variables.csv"))
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure_server.bucket.options["connection_string"])
    source = dlbd.data.open(address)
    assert source.count() == COUNT
    assert KEY not in repr(source)


def test_a_wrong_key_of_azure(azure_server: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = azure_server.bucket.put(write(tmp_path / "secret.csv"))
    wrong = base64.b64encode(b"a-wrong-secret").decode()
    options = {"connection_string": connection(azure_server.port, wrong)}
    with pytest.raises(SourceError, match=rf"^{address}: .*AuthorizationFailure") as error:
        dlbd.data.open(address, storage_options=options)
    assert wrong not in str(error.value)


def test_the_variable_of_google_says_where(gcs_server: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = gcs_server.bucket.put(write(tmp_path / "variables.csv"))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_server.bucket.options["endpoint_url"])
    assert dlbd.data.open(address, storage_options={"token": "anon"}).count() == COUNT


class Refusing(http.server.BaseHTTPRequestHandler):
    """Answers as Google does where it knows no such key; fake-gcs-server lets everyone in."""

    def do_GET(self) -> None:
        self.answer(401, {"error": {"code": 401, "message": f"Invalid Credentials {self.headers['Authorization']}"}})

    def do_POST(self) -> None:
        self.answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})

    def answer(self, code: int, content: object) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_wrong_token_of_google(refusing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FETCH_RAW_TOKEN_EXPIRY", "false")  # it would ask Google itself
    begin = time.monotonic()
    with pytest.raises(SourceError, match=r"^gs://bucket/a\.csv: Invalid Credentials Bearer \*\*\*, 401$"):
        dlbd.data.open("gs://bucket/a.csv", storage_options={"endpoint_url": refusing, "token": "a-wrong-token"})
    assert time.monotonic() - begin < 10


def test_a_wrong_key_of_google(refusing: str):
    pytest.importorskip("gcsfs", reason="gcsfs is not installed")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = made.private_bytes(*form).decode()
    token = {"private_key": key, "client_email": "dlbd@example.com", "token_uri": f"{refusing}/token"}
    begin = time.monotonic()
    with pytest.raises(SourceError, match=r"^gs://bucket/a\.csv: Invalid Credentials") as error:
        dlbd.data.open("gs://bucket/a.csv", storage_options={"endpoint_url": refusing, "token": token})
    assert key not in str(error.value)
    assert time.monotonic() - begin < 10
