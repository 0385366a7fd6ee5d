"""A server that a test session starts on loopback, and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

# Where `tests/servers/install.sh` puts what no package manager has.
CACHE = Path(os.environ.get("DLBD_TEST_SERVERS", Path.home() / ".cache" / "dlbd-test-servers"))

# Database servers refuse to run as root.
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def temporary_folder(name: str) -> Path:
    """An empty folder that AS_NOBODY may write to."""
    folder = Path(tempfile.mkdtemp(prefix=f"dlbd-{name}-"))
    folder.chmod(0o777)
    return folder


def _family(pid: int) -> list[int]:
    """A process, then all that it started, directly or not."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = [pid]
    for parent in family:
        family += [child for child, of in parents.items() if of == parent]
    return family


class Process:
    """A running server.

    Args:
        name: what messages call it.
        command: starts it, in the foreground.
        ready: whether it answers; asked until it does.
        folder: where it runs and keeps ``NAME.log``.
        environment: added to this process's.
        seconds: to wait for it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        ready: Callable[[], bool],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> None:
        self.name, self.folder = name, folder
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        until = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                pytest.fail(f"{name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def signal(self, number: int) -> None:
        """To the server and the processes that it started, also those in groups of their own."""
        if self._process.poll() is None:
            for pid in _family(self._process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def kill(self) -> None:
        """As by a power cut."""
        self.signal(signal.SIGKILL)
        self._process.wait(30)

    def freeze(self) -> None:
        """It stays connected and says nothing, until :meth:`thaw`."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def stop(self) -> None:
        """In good order, if it will."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
