"""A recording used in ways that the package itself never does: an error, not a crash."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from dlbd import _cpu, ops


def recorded(size: int) -> _cpu.Recording:
    x = np.ones((size, size), np.float32)
    recording = _cpu.Recording()
    recording.begin()
    ops.matmul(x, x)
    recording.end()
    return recording


def test_one_thread_at_a_time_replays():
    recording = recorded(1500)
    refused = []

    def replay() -> None:
        try:
            recording.replay()
        except RuntimeError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=replay) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) < 3
    assert all("replayed by another thread" in message for message in refused)
    recording.replay()


def test_a_recording_is_not_replayed_before_its_end():
    recording = _cpu.Recording()
    recording.begin()
    try:
        ops.add(np.ones(3), 1)
        with pytest.raises(RuntimeError, match="still being made"):
            recording.replay()
        with pytest.raises(RuntimeError, match="recording already"):
            recording.begin()
    finally:
        recording.end()
    recording.end()
    recording.replay()


def test_a_recording_that_nobody_ends_stays():
    program = (
        "import numpy as np; from dlbd import _cpu, ops; r = _cpu.Recording(); r.begin(); del r; "
        "[ops.add(np.ones(3), 1) for _ in range(100)]; print(_cpu.is_recording())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "True"


def test_an_index_out_of_range_in_a_replay_leaves_the_next_replay_right():
    indices, table = np.array([1, 0], np.int32), np.arange(6, dtype=np.float32).reshape(3, 2)
    recording = _cpu.Recording()
    recording.begin()
    y = ops.embedding(indices, table).array
    recording.end()
    indices[1] = 7
    with pytest.raises(ValueError, match="index 7 at position 1"):
        recording.replay()
    indices[1] = 2
    recording.replay()
    np.testing.assert_array_equal(y, table[[1, 2]])
