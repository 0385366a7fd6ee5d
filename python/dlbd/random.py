"""The source of all randomness: initial weights, shuffling, and the seeds of the kernels' counter-based generators.

One generator serves the process. :func:`dlbd.utils.set_random_seed` seeds it, and a run then repeats bit for bit.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

_lock = threading.Lock()
_generator: Generator | None = None


def generator() -> Generator:
    """The process's generator; seeded by the operating system until :func:`seed` is called."""
    global _generator
    with _lock:
        if _generator is None:
            _generator = np.random.default_rng()
        return _generator


def seed(value: int) -> None:
    global _generator
    with _lock:
        _generator = np.random.default_rng(value)


def next_seed() -> int:
    """A seed for somebody's own generator: an initializer, a dropout layer, one epoch's order."""
    source = generator()
    with _lock:
        return int(source.integers(0, 2**31))
