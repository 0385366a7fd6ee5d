"""Batches on their way to a GPU: assembled in pinned memory, copied while the device still works on the one before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd import backend, devices
from dlbd.backend import Array
from dlbd.models.batches import Batch

# While one set is on its way, the next batch is written into the other.
_SETS = 2


class Staging:
    """Pinned host memory for the arrays of a batch, and the copies of it into a step's buffers.

    Args:
        buffers: the device arrays that a step reads.
    """

    def __init__(self, buffers: Sequence[Array]) -> None:
        self._buffers = buffers
        cuda = devices.cupy().cuda
        self._copied = [cuda.Event(disable_timing=True) for _ in range(_SETS)]
        self._sets = [[_pinned(b) for b in buffers] for _ in range(_SETS)]
        self._next = 0

    def write(self, batch: Batch) -> None:
        """Queue the copy of the batch; waits only until the copy of two batches before is done."""
        at, self._next = self._next, (self._next + 1) % _SETS
        self._copied[at].synchronize()
        from_host = [not backend.is_device_array(a) for a in batch.arrays]
        targets = [s if h else b for h, s, b in zip(from_host, self._sets[at], self._buffers, strict=True)]
        batch.write(targets)  # what lies on a GPU already goes straight into the step's buffers
        for host, target, buffer in zip(from_host, targets, self._buffers, strict=True):
            if host:
                backend.twin(buffer).upload(target, buffer)
        self._copied[at].record()

    def __del__(self) -> None:
        for copied in self._copied:  # CuPy hands pinned memory on at once, also while a copy still reads it
            copied.synchronize()


def _pinned(like: Any) -> Array:
    count = math.prod(like.shape)
    memory = devices.cupy().cuda.alloc_pinned_memory(max(count * like.dtype.itemsize, 1))
    return np.frombuffer(memory, like.dtype, count).reshape(like.shape)
