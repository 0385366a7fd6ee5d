"""An S3 server: versitygw over a temporary folder."""

from __future__ import annotations

import shutil
from typing import Any

import pyarrow.fs as fs
import pytest

from tests.servers.bucket import Bucket
from tests.servers.certificates import Authority
from tests.servers.process import CACHE, Process, free_port, listens, temporary_folder

_PROGRAM = CACHE / "s3" / "versitygw"
_KEY, _SECRET = "dlbd-key", "dlbd/secret+of=s3"


class S3Server(Process):
    """Args:
        tls: signs its certificate; it speaks TLS only, then.

    Attributes:
        bucket: a bucket that is there.
    """

    def __init__(self, tls: Authority | None = None) -> None:
        if not _PROGRAM.exists():
            pytest.skip("s3 is not installed (tests/servers/install.sh)")
        port = free_port()
        folder = temporary_folder("s3")
        (folder / "data").mkdir()
        (folder / "sidecar").mkdir()
        options: dict[str, Any] = {
            "access_key": _KEY,
            "secret_key": _SECRET,
            "endpoint_override": f"127.0.0.1:{port}",
            "scheme": "http",
            "region": "us-east-1",
        }
        command = [str(_PROGRAM), "--port", f"127.0.0.1:{port}", "--region", "us-east-1"]
        if tls:
            certificate, key = tls.issue("s3")
            command += ["--cert", str(certificate), "--key", str(key)]
            options.update(scheme="https", tls_ca_file_path=str(tls.certificate))
        super().__init__(
            "s3",
            [*command, "posix", "--sidecar", str(folder / "sidecar"), str(folder / "data")],
            lambda: listens(port),
            folder,
            {"ROOT_ACCESS_KEY": _KEY, "ROOT_SECRET_KEY": _SECRET},
        )
        filesystem = fs.S3FileSystem(**options, allow_bucket_creation=True)
        filesystem.create_dir("dlbd-bucket")
        self.bucket = Bucket("s3", "dlbd-bucket", options, filesystem)

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)
