"""The source of all randomness: initial weights, shuffling, and the seeds of the kernels' counter-based generators.

One generator serves the process. :func:`dlbd.utils.set_random_seed` seeds it, and a run then repeats bit for bit.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from dlbd.tensor import Tensor

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


class SeedGenerator:
    """The seed and the counter of a random layer, in an array that its kernel reads and advances.

    Args:
        seed: an integer; drawn from the process's generator by default.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = next_seed() if seed is None else int(seed)
        self.state = Tensor(np.array([self.seed, 0], np.int64))
