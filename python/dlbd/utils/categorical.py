"""to_categorical."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlbd.tensor import Tensor


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Class numbers as one-hot rows of float32.

    Args:
        x: integers from 0 (whole floats will do), of any shape; the last axis is dropped if its length is 1 and there
            are others.
        num_classes: number of columns; the largest class plus one by default.

    Returns:
        A NumPy array of the shape of ``x`` with an axis of ``num_classes`` behind.

    Raises:
        ValueError: a class is not whole, negative, or ``num_classes`` or more.
        TypeError: ``x`` is not numeric.

    Example:
        >>> dlbd.utils.to_categorical([0, 2]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.asarray(x.array if isinstance(x, Tensor) else x)
    if labels.dtype.kind not in "iufb":
        raise TypeError(f"[to_categorical] expected class numbers; received dtype {labels.dtype}")
    whole = labels.astype(np.int64)
    if labels.dtype.kind == "f" and not np.array_equal(whole, labels):
        raise ValueError("[to_categorical] class numbers must be whole")
    if whole.ndim > 1 and whole.shape[-1] == 1:
        whole = whole[..., 0]
    classes = (int(whole.max()) + 1 if whole.size else 0) if num_classes is None else int(num_classes)
    if whole.size and (whole.min() < 0 or whole.max() >= classes):
        bad = whole[(whole < 0) | (whole >= classes)].flat[0]
        raise ValueError(f"[to_categorical] class {bad} is out of range: expected 0 <= class < {classes}")
    rows = np.zeros((whole.size, classes), np.float32)
    rows[np.arange(whole.size), whole.ravel()] = 1.0
    return rows.reshape(*whole.shape, classes)
