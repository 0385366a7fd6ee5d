"""Reading that must end in an error in time, and leave nothing behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from dlbd.data import SourceError


def fails(what: Callable[[], Any], match: str, seconds: float) -> None:
    """Check that it raises a SourceError of these words within the seconds, and that no thread is left."""
    begin = time.monotonic()
    with pytest.raises(SourceError, match=match):
        what()
    assert time.monotonic() - begin < seconds
    assert [t.name for t in threading.enumerate() if t.name.startswith("dlbd.data")] == []
