"""Each test of what arrays pass through runs on every device there is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlbd import config

# A shell that starts the tests in the background has interrupts ignored, here and in each process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests in these folders speak of operations and models, not of the CPU or of a process.
ON_EVERY_DEVICE = ("golden", "layers", "losses", "metrics", "models", "ops", "optimizers", "saving")


def devices() -> list[str]:
    """DLBD_TEST_DEVICES (with commas between them), or the CPU and the first GPU."""
    chosen = os.environ.get("DLBD_TEST_DEVICES")
    if chosen:
        return chosen.split(",")
    return ["cpu", *(["cuda:0"] if config.gpu_count() else [])]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = Path(metafunc.module.__file__).relative_to(Path(__file__).parent).parts[0]
    names = devices() if folder in ON_EVERY_DEVICE else ["cpu"]
    metafunc.parametrize("device", names, indirect=True)


@pytest.fixture(autouse=True)
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The device that the test runs on, made the current one."""
    before = config.current_device()
    config.set_device(request.param)
    yield request.param
    config.set_device(before)
