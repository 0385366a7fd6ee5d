"""What ``adapt`` reads: arrays part by part, iterables batch by batch. The data is never copied as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import Array
from dlbd.tensor import Tensor, as_array, lies_on_gpu

# Elements of an array that are looked at together: a part in float64 takes 8 MB.
PART = 1 << 20


def host_values(x: Any) -> Array:
    """``x`` as a NumPy array of any dtype, text included; without a copy where it is one in any form."""
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, Tensor):
        return x.numpy()
    if lies_on_gpu(x):
        return backend.on_host(as_array(x))
    if hasattr(x, "to_numpy"):  # pandas, polars
        return np.asarray(x.to_numpy())
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    return np.asarray(x)


def batches_of(data: Any, steps: int | None = None) -> Iterator[Array]:
    """NumPy arrays of what a user gave to ``adapt``.

    Args:
        data: an array, nested lists, or anything that becomes one: given in parts; or an iterable of batches, or
            something with a length and indices that gives them: of a batch ``(x, y)`` the ``x`` counts.
        steps: at most so many batches of an iterable.
    """
    if isinstance(data, (list, tuple)) and not any(getattr(batch, "shape", ()) for batch in data):
        data = np.atleast_1d(host_values(data))
    if hasattr(data, "shape"):
        yield from _parts(data)
        return
    if not hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise TypeError(f"adapt() takes an array or an iterable of batches; received {type(data).__name__}")
    batches = iter(data) if hasattr(data, "__iter__") else (data[i] for i in range(len(data)))
    for batch in islice(batches, steps):
        yield np.atleast_1d(host_values(batch[0] if isinstance(batch, tuple) else batch))


def numbers_of(data: Any, layer: str, steps: int | None = None) -> Iterator[Array]:
    """The same of data that has to be made of finite numbers."""
    empty = True
    for batch in batches_of(data, steps):
        if batch.dtype.kind not in "fiub":
            raise TypeError(f"[{layer}] adapt() takes numbers; received dtype {batch.dtype}")
        if not np.isfinite(batch).all():
            raise ValueError(f"[{layer}] adapt() met NaN or infinity: clean the data first")
        if batch.size:
            empty = False
            yield batch
    if empty:
        raise ValueError(f"[{layer}] adapt() received no data")


def _parts(array: Any) -> Iterator[Array]:
    """Rows of an array or a data frame, wherever it lies."""
    if not array.shape:
        yield host_values(array)[None]
        return
    rows = getattr(array, "iloc", array)  # of pandas: by position, whatever the index
    step = max(1, PART // max(1, prod(array.shape[1:])))
    for start in range(0, array.shape[0], step):
        yield host_values(rows[start : start + step])
