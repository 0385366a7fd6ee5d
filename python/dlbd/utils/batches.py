"""What train_step and data sets hand each other: x, y and weights, in one tuple."""

from __future__ import annotations

from typing import Any

from dlbd.models.step_functions import packed, unpacked


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """``x`` alone, ``(x, y)`` or ``(x, y, sample_weight)``, as ``train_step`` gets it.

    Example:
        >>> dlbd.utils.pack_x_y_sample_weight(1, 2)
        (1, 2)
    """
    return packed(x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of what ``train_step`` gets; None for what is not there.

    Example:
        >>> dlbd.utils.unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    x, y, sample_weight = unpacked(data)
    return x, y, sample_weight
