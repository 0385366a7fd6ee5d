"""pad_sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray[Any, np.dtype[Any]]:
    """Sequences of different lengths as one array.

    Args:
        sequences: lists of numbers, or of equally shaped steps.
        maxlen: length of the result; that of the longest by default.
        dtype: of the result; "int32" by default, to which floats are cut off.
        padding: "pre" (the default) or "post": on which side shorter ones are filled.
        truncating: "pre" (the default) or "post": on which side longer ones are cut.
        value: what they are filled with; 0 by default.

    Returns:
        A NumPy array (number of sequences, maxlen, ...).

    Raises:
        ValueError: ``padding`` or ``truncating`` is neither, steps differ in shape, or ``value`` does not fit
            ``dtype``.
        TypeError: ``sequences`` is not a list of sequences.

    Example:
        >>> dlbd.utils.pad_sequences([[1], [2, 3]]).tolist()
        [[0, 1], [2, 3]]
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f'[pad_sequences] {name} must be "pre" or "post"; received {side!r}')
    if not hasattr(sequences, "__len__"):
        raise TypeError(f"[pad_sequences] sequences must be a list of sequences; received {type(sequences).__name__}")
    for i, s in enumerate(sequences):
        if not hasattr(s, "__len__"):
            raise TypeError(f"[pad_sequences] sequences must be a list of sequences; number {i} is {s!r}")
    length = max((len(s) for s in sequences), default=0) if maxlen is None else maxlen
    step: tuple[int, ...] = next((np.shape(s)[1:] for s in sequences if len(s)), ())
    wanted = np.dtype(dtype)
    if isinstance(value, str) and wanted.kind not in "OUS":
        raise ValueError(f"[pad_sequences] value {value!r} does not fit dtype {wanted}")
    padded = np.full((len(sequences), length, *step), value, dtype=wanted)
    for i, s in enumerate(sequences):
        if not len(s) or not length:
            continue
        kept = np.asarray(s[-length:] if truncating == "pre" else s[:length], dtype=wanted)
        if kept.shape[1:] != step:
            raise ValueError(f"[pad_sequences] every step must have shape {step}; sequence {i} has {kept.shape[1:]}")
        if padding == "post":
            padded[i, : len(kept)] = kept
        else:
            padded[i, -len(kept) :] = kept
    return padded
