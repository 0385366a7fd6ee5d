"""normalize."""

from __future__ import annotations

from typing import Any

import numpy as np


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray[Any, Any]:
    """``x`` divided by its norms along an axis; zeros stay zeros.

    Args:
        x: an array of numbers. A float keeps its dtype, integers become float64.
        axis: along which a norm is taken; -1, the last, by default.
        order: of the norm: 2 (the default) for the root of the sum of squares, 1 for the sum of magnitudes.

    Returns:
        A NumPy array of the shape of ``x``.

    Example:
        >>> dlbd.utils.normalize([[3.0, 4.0], [0.0, 0.0]]).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    values = np.asarray(x)
    norms = np.linalg.norm(values, order, axis, keepdims=True)
    result: np.ndarray[Any, Any] = values / np.where(norms == 0, 1, norms)
    return result
