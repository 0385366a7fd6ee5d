"""Certificates for servers and clients of the tests, made by openssl."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_NEW_KEY = ["-newkey", "rsa:2048", "-nodes"]


class Authority:
    """Signs certificates.

    Attributes:
        certificate: its own, by which others know it.
    """

    def __init__(self, folder: Path) -> None:
        if not shutil.which("openssl"):
            pytest.skip("openssl is not installed (tests/servers/install.sh)")
        self._folder, self._key = folder, folder / "authority.key"
        self.certificate = folder / "authority.pem"
        named = ["-subj", "/CN=dlbd test authority", "-days", "2", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _openssl("req", "-x509", *_NEW_KEY, *named, "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str, owner: int | None = None, password: str | None = None) -> tuple[Path, Path]:
        """Certificate and key of a server on 127.0.0.1 (by no other name), or of a user of that name.

        Args:
            owner: the number of the system's user who may read the key.
            password: of the key.
        """
        certificate, key, request = (self._folder / f"{name}.{suffix}" for suffix in ("pem", "key", "csr"))
        extensions = self._folder / "extensions"
        extensions.write_text(
            "subjectAltName=IP:127.0.0.1\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
            "basicConstraints=critical,CA:FALSE\n"
        )
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signed_by = ["-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"]
        signed = ["-days", "2", "-extfile", extensions, "-out", certificate]
        _openssl("x509", "-req", "-in", request, *signed_by, *signed)
        if password is not None:
            _openssl("rsa", "-aes256", "-in", key, "-out", key, "-passout", f"pass:{password}")
        key.chmod(0o600)  # or PostgreSQL, and its clients, refuse it
        if owner is not None:
            os.chown(key, owner, -1)
        return certificate, key

    def key_store(self, name: str, password: str) -> Path:
        """Certificate and key as Java reads them."""
        certificate, key = self.issue(name)
        store = self._folder / f"{name}.p12"
        _openssl("pkcs12", "-export", "-in", certificate, "-inkey", key, "-out", store, "-passout", f"pass:{password}")
        return store


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"openssl {arguments[0]}: {done.stderr}")
