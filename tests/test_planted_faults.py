"""The sanitized build must see a fault in a kernel: each planted one ends the process with a report."""

import subprocess
import sys

import pytest

from dlbd import _cpu

pytestmark = pytest.mark.skipif(not hasattr(_cpu, "plant"), reason="only a sanitized build has planted faults")

PROGRAM = """
import numpy as np
from dlbd import _cpu
x = _cpu.empty((25,), np.dtype(np.float32))
y = _cpu.empty((25,), np.dtype(np.float32))
_cpu.fill(1.0, x)
_cpu.plant({fault!r}, x, y)
print("finished")
"""


def run(fault):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(fault=fault)], capture_output=True, text=True, check=False, timeout=120
    )


def test_a_kernel_without_a_fault_finishes():
    result = run("none")
    assert result.returncode == 0, result.stderr
    assert "finished" in result.stdout


@pytest.mark.parametrize(
    ("fault", "report"),
    [
        ("over-read", "heap-buffer-overflow"),
        ("over-write", "heap-buffer-overflow"),
        ("scratch over-write", "heap-buffer-overflow"),
        ("overflow", "signed integer overflow"),
    ],
)
def test_a_planted_fault_ends_the_run(fault, report):
    result = run(fault)
    assert result.returncode != 0
    assert report in result.stderr
    assert "finished" not in result.stdout
