"""Arrays that tests hand to operations."""

from __future__ import annotations

import numpy as np

from dlbd import Tensor, ops


def tensor(x: np.ndarray) -> Tensor:
    """``x`` on the current device, in its own dtype; an array of a GPU as it is."""
    if not isinstance(x, np.ndarray):
        return Tensor(x)
    return ops.convert_to_tensor(np.ascontiguousarray(x) if x.ndim else x, x.dtype)
