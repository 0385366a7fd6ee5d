"""Servers that the tests of dlbd.data talk to, each started once when a test first needs it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.servers.mongodb import MongoDB


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The address of a server of MongoDB, with a database: DLBD_TEST_MONGODB_URI's, or one of its own."""
    given = os.environ.get("DLBD_TEST_MONGODB_URI")
    if given:
        yield given
        return
    server = MongoDB()
    yield f"{server.uri}/dlbd_test"
    server.stop()
