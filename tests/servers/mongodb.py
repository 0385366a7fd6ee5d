"""A server of MongoDB's protocol: mongo-java-server, which has no passwords."""

from __future__ import annotations

import shutil

import pytest

from tests.servers.certificates import Authority
from tests.servers.process import CACHE, Process, free_port, temporary_folder

_FLAGS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"]


class MongoDB(Process):
    """A running server, empty at first.

    Args:
        tls: signs its certificate; it speaks TLS only, then.

    Attributes:
        uri: its address, without a database.
    """

    def __init__(self, tls: Authority | None = None) -> None:
        home = CACHE / "mongodb"
        if not (home / "MongoServerMain.class").exists():
            pytest.skip("MongoDB is not installed (tests/servers/install.sh)")
        port, folder = free_port(), temporary_folder("mongodb")
        self.uri = f"mongodb://127.0.0.1:{port}"
        command = ["java", *_FLAGS, "-cp", f"{home}:{home}/lib/*", "MongoServerMain", str(port)]
        if tls:
            command += [str(tls.key_store("mongodb", "changeit")), "changeit"]
        super().__init__("mongodb", command, lambda: "READY" in (folder / "mongodb.log").read_text(), folder)

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)
