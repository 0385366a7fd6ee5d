"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def started(*arguments: str, cwd: Path, **options: Any) -> subprocess.Popen[str]:
    paths = [os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    return subprocess.Popen(
        [sys.executable, "-m", "dlbd.cli", *arguments],
        cwd=cwd,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | options.pop("env", {}),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )
