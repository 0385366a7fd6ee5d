"""What only a GPU (or its host emulation) can show."""

from __future__ import annotations

import pytest

from dlbd import config


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if config.gpu_count():
        return
    for item in items:
        if "/gpu/" in item.nodeid or item.nodeid.startswith("gpu/"):
            item.add_marker(pytest.mark.skip(reason="no GPU"))
