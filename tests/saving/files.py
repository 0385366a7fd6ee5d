"""Files that tests of saving take apart and put together again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dlbd.saving.tensor_file import TensorFile, write


def contents(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Arrays and metadata."""
    with TensorFile(str(path)) as file:
        return {name: file.read(name) for name in file}, dict(file.metadata)


def rewritten(path: Path, target: Path, **changes: Any) -> Path:
    """The file with other metadata, given as objects (None leaves one out), under true checksums."""
    arrays, metadata = contents(path)
    metadata = {k: v for k, v in metadata.items() if k not in ("checksum", "checksums")}
    for name, value in changes.items():
        metadata[name] = value if isinstance(value, str) else json.dumps(value)
        if value is None:
            del metadata[name]
    write(str(target), arrays, metadata)
    return target


def with_header(path: Path, header: Any, data: bytes = b"") -> Path:
    """A file of the format with this header (an object, or bytes as they are), and no checksum."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


@contextmanager
def fault(path: Path | str, match: str | None = None) -> Iterator[None]:
    """A ValueError that names the file, and tells what ``match`` says."""
    with pytest.raises(ValueError, match=match) as info:
        yield
    assert str(info.value).startswith(f"{path}: ")
