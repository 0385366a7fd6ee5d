"""A place in an object store that tests write to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.fs as fs


@dataclass(frozen=True)
class Bucket:
    """A bucket (Azure calls it container) or a folder in one, and the ``storage_options`` that reach it."""

    scheme: str
    path: str
    options: dict[str, Any]
    filesystem: fs.FileSystem

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.path}"

    def folder(self, name: str) -> Bucket:
        return replace(self, path=f"{self.path}/{name}")

    def put(self, path: Path) -> str:
        """Copies a file into it, under its own name; gives the address."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending a large body directly", ResourceWarning)  # aiohttp, of writing
            with self.filesystem.open_output_stream(f"{self.path}/{path.name}", compression=None) as out:
                out.write(path.read_bytes())
        return f"{self.address}/{path.name}"
