"""The source of all randomness: initial weights, shuffling, and the seeds of the kernels' counter-based generators.

One generator serves the process. :func:`dlbd.utils.set_random_seed` seeds it, and a run then repeats bit for bit.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from dlbd import backend
from dlbd.tensor import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator

_lock = threading.Lock()
_generator: Generator | None = None


def generator() -> Generator:
    """The process's ``numpy.random.Generator``; the operating system seeds it until :func:`seed` is called.

    Drawing from it changes what follows: initial weights, the order of the rows in ``fit``, dropout of new layers.

    Example:
        >>> dlbd.random.seed(1)
        >>> dlbd.random.generator().permutation(5).shape
        (5,)
    """
    global _generator
    with _lock:
        if _generator is None:
            _generator = np.random.default_rng()
        return _generator


def seed(value: int) -> None:
    """Start the process's generator anew. :func:`dlbd.utils.set_random_seed` seeds Python's and NumPy's as well.

    Args:
        value: an integer of 0 or more.

    Example:
        >>> dlbd.random.seed(1)
        >>> first = dlbd.random.next_seed()
        >>> dlbd.random.seed(1)
        >>> dlbd.random.next_seed() == first
        True
    """
    global _generator
    with _lock:
        _generator = np.random.default_rng(value)


def next_seed() -> int:
    """A number in [0, 2^31) from the process's generator, to seed a generator of one's own with.

    Example:
        >>> 0 <= dlbd.random.next_seed() < 2**31
        True
    """
    source = generator()
    with _lock:
        return int(source.integers(0, 2**31))


class SeedGenerator:
    """The seed and the counter of a random layer, in an array that its kernel reads and advances.

    Args:
        seed: an integer; drawn from the process's generator by default.

    Attributes:
        seed: the integer.
        state: int64, (2,): the seed, and how far its random numbers are used up.

    Example:
        >>> generator = dlbd.random.SeedGenerator(7)
        >>> generator.state.numpy().tolist()
        [7, 0]
        >>> y = dlbd.ops.dropout(np.ones((2, 3)), 0.5, generator.state)
        >>> int(generator.state[1]) > 0
        True
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = next_seed() if seed is None else int(seed)
        self.state = Tensor(backend.place(np.array([self.seed, 0], np.int64)))


__all__ = ["SeedGenerator", "generator", "next_seed", "seed"]
