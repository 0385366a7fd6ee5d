"""A server of Azure's storage protocol: Azurite."""

from __future__ import annotations

import base64
import shutil
from typing import Any

import pyarrow.fs as fs
import pytest

from tests.servers.bucket import Bucket
from tests.servers.process import CACHE, Process, free_port, listens, temporary_folder

_PROGRAM = CACHE / "azure" / "node_modules" / ".bin" / "azurite-blob"
_ACCOUNT, KEY = "dlbdaccount", base64.b64encode(b"dlbd-secret-of-azure").decode()


class AzureServer(Process):
    """Attributes:
    bucket: a container that is there.
    """

    def __init__(self) -> None:
        if not _PROGRAM.exists():
            pytest.skip("azure is not installed (tests/servers/install.sh)")
        port, folder = free_port(), temporary_folder("azure")
        command = [str(_PROGRAM), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
        super().__init__(
            "azure",
            [*command, "--silent", "--skipApiVersionCheck", "--disableTelemetry"],
            lambda: listens(port),
            folder,
            {"AZURITE_ACCOUNTS": f"{_ACCOUNT}:{KEY}"},
        )
        options = {"connection_string": connection(port, KEY)}
        filesystem = client(options)
        filesystem.create_dir("dlbd-bucket")
        self.port, self.bucket = port, Bucket("abfs", "dlbd-bucket", options, filesystem)

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def connection(port: int, key: str) -> str:
    endpoint = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"


def client(options: dict[str, Any]) -> fs.FileSystem:
    from adlfs import AzureBlobFileSystem

    return fs.PyFileSystem(fs.FSSpecHandler(AzureBlobFileSystem(skip_instance_cache=True, **options)))
