"""Handwritten digits: 1,797 real scans of 8x8, which scikit-learn brings along."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def load_digits() -> tuple[Array, Array]:
    """The digits of the UCI repository (Alpaydin and Kaynak, 1998), as scikit-learn ships them.

    Returns:
        images (1797, 8, 8) of float32, multiples of 1/16 in [0, 1], and labels (1797,) of int64 in [0, 10).

    Raises:
        ImportError: scikit-learn is not installed.

    Example:
        >>> images, labels = dlbd.datasets.load_digits()
        >>> images.shape, labels[:5].tolist()
        ((1797, 8, 8), [0, 1, 2, 3, 4])
    """
    try:
        from sklearn.datasets import load_digits as of_sklearn
    except ImportError as error:
        raise ImportError(
            "load_digits() reads the copy that scikit-learn ships: pip install 'dlbd[demo]' (or scikit-learn)"
        ) from error
    digits = of_sklearn()
    return (digits.images / 16.0).astype(np.float32), digits.target.astype(np.int64)
