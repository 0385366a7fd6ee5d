"""set_random_seed and clear_session."""

from __future__ import annotations

import operator
import random as python_random

import numpy as np

from dlbd import random
from dlbd.naming import forget_names


def set_random_seed(seed: int) -> None:
    """Seed everything: Python's and NumPy's generators, and ours for initial weights, shuffling and dropout.

    Programs that call it first repeat bit for bit, whatever the number of threads. Layers made before keep their own
    dropout seeds.

    Args:
        seed: an integer in [0, 2^32).

    Raises:
        ValueError: it lies outside.
        TypeError: it is no integer.

    Example:
        >>> def kernel():
        ...     dlbd.utils.set_random_seed(1)
        ...     return dlbd.initializers.GlorotUniform()((2, 2)).numpy()
        >>> bool((kernel() == kernel()).all())
        True
    """
    value = operator.index(seed)
    if not 0 <= value < 2**32:
        raise ValueError(f"[set_random_seed] expected an integer in [0, 2^32); received {seed}")
    python_random.seed(value)
    np.random.seed(value)  # noqa: NPY002 the user's code may draw from it
    random.seed(value)


def clear_session() -> None:
    """Start the automatic names of layers anew: "dense", "dense_1", ...

    Weights, seeds and settings stay as they are.

    Example:
        >>> dlbd.utils.clear_session()
        >>> dlbd.layers.Dense(1).name, dlbd.layers.Dense(1).name
        ('dense', 'dense_1')
    """
    forget_names()
