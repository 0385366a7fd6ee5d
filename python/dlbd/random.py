"""The source of all randomness: initial weights, shuffling, and the kernels' counter-based generators.

One generator serves the process. :func:`dlbd.utils.set_random_seed` seeds it, and a run then repeats bit for bit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from dlbd import backend, devices, ops
from dlbd.tensor import Tensor

if TYPE_CHECKING:
    from numpy.random import Generator

_lock = threading.Lock()
_generator: Generator | None = None
_stream: int | None = None  # the seed of the stream of numbers that are drawn without one
_counters: dict[str, Tensor] = {}  # by device: where that stream stands


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
    _begin_stream(_seed_from(value))


def _seed_from(entropy: int | None) -> int:
    """A seed of a counter-based generator; from the operating system for None."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)


def _begin_stream(seed: int) -> None:
    """Not drawn from the generator: whether anybody has used the stream before must change nothing else."""
    global _stream
    _stream = seed
    for counter in _counters.values():  # in place: recorded steps hold it
        backend.write(counter.array, _start(seed))


def _start(seed: int) -> backend.Array:
    return np.array([seed, 0], np.int64)


@contextmanager
def seeded(value: int) -> Iterator[None]:
    """Within the block the process's generator starts from ``value``; afterwards it goes on as if nothing had been.

    Example:
        >>> dlbd.random.seed(1)
        >>> with dlbd.random.seeded(2):
        ...     inside = dlbd.random.next_seed()
        >>> outside = dlbd.random.next_seed()
        >>> dlbd.random.seed(1)
        >>> dlbd.random.next_seed() == outside
        True
    """
    global _generator
    mine, before = generator(), get_state()
    seed(value)
    try:
        yield
    finally:
        with _lock:
            _generator = mine
        set_state(before)


def get_state() -> dict[str, Any]:
    """Where the process's random numbers stand, as plain data for :func:`set_state`.

    Example:
        >>> state = dlbd.random.get_state()
        >>> first = dlbd.random.next_seed()
        >>> dlbd.random.set_state(state)
        >>> dlbd.random.next_seed() == first
        True
    """
    counters = {device: backend.on_host(counter.array).tolist() for device, counter in _counters.items()}
    return {"generator": generator().bit_generator.state, "stream": _stream_seed(), "counters": counters}


def _stream_seed() -> int:
    global _stream
    with _lock:
        if _stream is None:
            _stream = _seed_from(None)
        return _stream


def set_state(state: dict[str, Any]) -> None:
    """Go on where :func:`get_state` said.

    Raises:
        ValueError: ``state`` is nothing that it gave.

    Example:
        >>> state = dlbd.random.get_state()
        >>> first = dlbd.random.uniform((3,))
        >>> dlbd.random.set_state(state)
        >>> np.array_equal(dlbd.random.uniform((3,)), first)
        True
    """
    try:
        generator().bit_generator.state = state["generator"]
        _begin_stream(int(state["stream"]))
        for device, counter in state["counters"].items():
            with suppress(RuntimeError), devices.device(device):  # there may be no such device here
                backend.write(_counter(None).array, np.array(counter, np.int64))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no state of random numbers: {error}") from error


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
        self.state = Tensor(backend.place(_start(self.seed)))


def _counter(seed: int | SeedGenerator | None) -> Tensor:
    """Where to draw from; for an integer a new one, set by a launch, so that a replayed step begins at it again."""
    if isinstance(seed, SeedGenerator):
        return seed.state
    if seed is not None:
        return ops.add(SeedGenerator(seed).state, 0)
    device = devices.current_device()
    if device not in _counters:
        _counters[device] = SeedGenerator(_stream_seed()).state
    return _counters[device]


def uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: int | SeedGenerator | None = None,
) -> Tensor:
    """Numbers drawn evenly from [``minval``, ``maxval``).

    Args:
        shape: the sizes.
        minval, maxval: the bounds, 0 and 1 by default.
        dtype: float32 unless given, or float64.
        seed: an integer gives the same numbers each time; a :class:`SeedGenerator` others each time. By default the
            process's own stream, which :func:`seed` starts anew.

    Returns:
        A new tensor on the current device, or on that of the seed generator.

    Raises:
        TypeError: another dtype.

    Example:
        >>> y = dlbd.random.uniform((2, 3), seed=1).numpy()
        >>> y.shape, bool((y >= 0).all() and (y < 1).all())
        ((2, 3), True)
    """
    return ops.random_uniform(shape, _counter(seed), minval, maxval, dtype)


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: int | SeedGenerator | None = None,
) -> Tensor:
    """Numbers of a normal distribution; ``shape``, ``dtype`` and ``seed`` are as in :func:`uniform`.

    Example:
        >>> np.array_equal(dlbd.random.normal((4, 2), seed=1), dlbd.random.normal((4, 2), seed=1))
        True
    """
    return ops.random_normal(shape, _counter(seed), mean, stddev, dtype)


__all__ = ["SeedGenerator", "generator", "get_state", "next_seed", "normal", "seed", "seeded", "set_state", "uniform"]
