"""Kill -9 at any moment of training; started again, it ends as if nothing had been."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dlbd import config

KILLS = 20
STAGES = ["write", "fsync", "replace", "after replace", "open"]


def start(folder, *arguments):
    """The program, once it begins to train."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.saving.interrupted", str(folder), *map(str, arguments)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"DLBD_DEVICE": config.current_device()},
    )
    with process.stdout as told:
        assert told.readline() == b"begins\n"
    return process


def outcome(folder):
    with np.load(folder / "weights.npz") as weights:
        arrays = [weights[name].tobytes() for name in weights.files]
    return arrays, json.loads((folder / "history.json").read_text()), (folder / "log.csv").read_bytes()


@pytest.mark.large
def test_killed_at_random_instants(tmp_path):
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    process, begin = start(undisturbed), time.perf_counter()
    assert process.wait() == 0
    duration = time.perf_counter() - begin
    wanted = outcome(undisturbed)
    losses, _, stopped = wanted[1]
    assert 6 < stopped < 29
    assert len(set(losses["learning_rate"])) > 2
    rng = np.random.default_rng(11)
    killed, runs = [], 0
    folder = tmp_path / "run0"
    folder.mkdir()
    while len(killed) < KILLS:
        if len(killed) % 3 == 2:
            stage = STAGES[len(killed) // 3 % len(STAGES)]
            process = start(folder, stage, rng.integers(1, 9))
        else:
            stage = "anywhere"
            process = start(folder)
            time.sleep(rng.uniform(0, duration / 8))
            process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed.append((stage, (folder / "backup" / "training.dlbd").exists()))
        else:  # it was done before: once more from the beginning
            assert outcome(folder) == wanted
            runs += 1
            folder = tmp_path / f"run{runs}"
            folder.mkdir()
    assert {stage for stage, _ in killed} >= {"anywhere", "write", "replace"}
    assert sum(backed_up for _, backed_up in killed) > KILLS // 2
    assert start(folder).wait() == 0
    assert outcome(folder) == wanted
    assert os.listdir(folder / "backup") == []
