"""A server of Google's storage protocol: fake-gcs-server, which has no passwords."""

from __future__ import annotations

import shutil
from typing import Any

import pyarrow.fs as fs
import pytest

from tests.servers.bucket import Bucket
from tests.servers.process import CACHE, Process, free_port, listens, temporary_folder

_PROGRAM = CACHE / "gcs" / "fake-gcs-server"


class GcsServer(Process):
    """Attributes:
    bucket: a bucket that is there.
    """

    def __init__(self) -> None:
        if not _PROGRAM.exists():
            pytest.skip("gcs is not installed (tests/servers/install.sh)")
        port, folder = free_port(), temporary_folder("gcs")
        url = f"http://127.0.0.1:{port}"
        where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url]
        stored = ["-backend", "filesystem", "-filesystem-root", str(folder / "data")]
        super().__init__("gcs", [str(_PROGRAM), *where, *stored], lambda: listens(port), folder)
        options = {"endpoint_url": url, "token": "anon"}
        filesystem = client(options)
        filesystem.create_dir("dlbd-bucket")
        self.bucket = Bucket("gs", "dlbd-bucket", options, filesystem)

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def client(options: dict[str, Any]) -> fs.FileSystem:
    from gcsfs.core import GCSFileSystem

    return fs.PyFileSystem(fs.FSSpecHandler(GCSFileSystem(skip_instance_cache=True, **options)))
