"""Numbers at regular ratios, and the windows of signal processing, made on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd.backend import FLOAT32
from dlbd.tensor import Tensor, as_array


def _made(values: Any, dtype: Any = None) -> Tensor:
    return Tensor(as_array(values, FLOAT32 if dtype is None else dtype))


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: Any = None, axis: int = 0
) -> Tensor:
    """``base`` to the power of ``num`` numbers at equal distances from ``start`` to ``stop``.

    Args:
        start, stop: exponents, numbers or arrays.
        num: how many numbers.
        endpoint: whether ``stop`` is the last of them, or the first that is left out.
        base: of the power.
        dtype: float32 unless given.
        axis: where the numbers lie, for arrays.

    Example:
        >>> dlbd.ops.logspace(0, 2, 3).numpy()
        array([  1.,  10., 100.], dtype=float32)
    """
    return _made(np.logspace(start, stop, num, endpoint, base, axis=axis), dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Tensor:
    """``num`` numbers from ``start`` to ``stop``, each the same multiple of the last. Arguments as :func:`logspace`.

    Raises:
        ValueError: a bound is zero.

    Example:
        >>> dlbd.ops.geomspace(1, 8, 4).numpy()
        array([1., 2., 4., 8.], dtype=float32)
    """
    return _made(np.geomspace(start, stop, num, endpoint, axis=axis), dtype)


def bartlett(x: int) -> Tensor:
    """The triangular window of ``x`` points, zero at both ends.

    Example:
        >>> dlbd.ops.bartlett(5).numpy()
        array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return _made(np.bartlett(int(x)))


def blackman(x: int) -> Tensor:
    """Blackman's window of ``x`` points: two cosines.

    Example:
        >>> dlbd.ops.blackman(5).numpy()[1:3].round(2)
        array([0.34, 1.  ], dtype=float32)
    """
    return _made(np.blackman(int(x)))


def hamming(x: int) -> Tensor:
    """Hamming's window of ``x`` points: a cosine, 0.08 at both ends.

    Example:
        >>> dlbd.ops.hamming(3).numpy().round(2)
        array([0.08, 1.  , 0.08], dtype=float32)
    """
    return _made(np.hamming(int(x)))


def hanning(x: int) -> Tensor:
    """Hann's window of ``x`` points: a cosine, zero at both ends.

    Example:
        >>> dlbd.ops.hanning(5).numpy()[:3].round(2)
        array([0. , 0.5, 1. ], dtype=float32)
    """
    return _made(np.hanning(int(x)))


def kaiser(x: int, beta: float) -> Tensor:
    """Kaiser's window of ``x`` points; the larger ``beta``, the narrower.

    Example:
        >>> dlbd.ops.kaiser(3, 2.0).numpy().round(2)
        array([0.44, 1.  , 0.44], dtype=float32)
    """
    return _made(np.kaiser(int(x), beta))
