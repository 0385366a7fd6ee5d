"""How much memory it takes to read a source, measured in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import re, sys
import dlbd.data, pyarrow.csv, pyarrow.json, pyarrow.parquet, pyarrow.dataset
def kilobytes(what):
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
source = dlbd.data.open(sys.argv[1])
before = kilobytes("VmRSS")
assert sum(batch.num_rows for batch in source._rows(source.schema.names)) == int(sys.argv[2])
print((kilobytes("VmHWM") - before) / 1024)
"""


def peak_of_reading(path: Path, rows: int) -> float:
    """MiB of resident memory that reading takes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PROGRAM, str(path), str(rows)]
    return float(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)
