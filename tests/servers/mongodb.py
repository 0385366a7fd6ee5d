"""A server of MongoDB's protocol: mongo-java-server, which has no passwords."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.process import CACHE, Process, free_port, temporary_folder

_FLAGS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"]


class MongoDB(Process):
    """A running server, empty at first.

    Args:
        tls: whether it speaks TLS only.

    Attributes:
        uri: its address, without a database.
        certificate: a file, if it speaks TLS.
    """

    def __init__(self, tls: bool = False) -> None:
        home = CACHE / "mongodb"
        if not (home / "MongoServerMain.class").exists():
            pytest.skip("MongoDB is not installed (tests/servers/install.sh)")
        port, folder = free_port(), temporary_folder("mongodb")
        self.uri, self.certificate = f"mongodb://127.0.0.1:{port}", folder / "certificate.pem"
        command = ["java", *_FLAGS, "-cp", f"{home}:{home}/lib/*", "MongoServerMain", str(port)]
        if tls:
            command += [str(_keys(folder, self.certificate)), _PASSWORD]
        super().__init__("mongodb", command, lambda: "READY" in (folder / "mongodb.log").read_text(), folder)

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


_PASSWORD = "changeit"


def _keys(folder: Path, certificate: Path) -> Path:
    """A store of a key and its certificate, which is written to a file too."""
    store = folder / "keys.p12"
    common = ["-alias", "server", "-keystore", str(store), "-storepass", _PASSWORD, "-storetype", "PKCS12"]
    name = ["-dname", "CN=localhost", "-ext", "SAN=IP:127.0.0.1", "-validity", "2"]
    subprocess.run(["keytool", "-genkeypair", *common, "-keyalg", "EC", *name], check=True, capture_output=True)
    export = ["keytool", "-exportcert", "-rfc", *common, "-file", str(certificate)]
    subprocess.run(export, check=True, capture_output=True)
    return store
