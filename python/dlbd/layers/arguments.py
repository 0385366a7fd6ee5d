"""Constructor arguments that several layers share, checked where they come in."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np


def positive(value: Any, argument: str, layer: str) -> int:
    """An integer of at least 1."""
    try:
        n = operator.index(value)
    except TypeError:
        raise TypeError(f"[{layer}] {argument} must be an integer; received {value!r}") from None
    if n < 1:
        raise ValueError(f"[{layer}] {argument} must be at least 1; received {n}")
    return n


def sizes(value: Any, rank: int, argument: str, layer: str, least: int = 1) -> tuple[int, ...]:
    """One size per spatial axis, from an integer or a sequence of ``rank`` integers."""
    given = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,) * rank
    if len(given) != rank:
        raise ValueError(f"[{layer}] {argument} must be an integer or {rank} of them; received {value!r}")
    try:
        checked = tuple(operator.index(v) for v in given)
    except TypeError:
        raise TypeError(f"[{layer}] {argument} must be made of integers; received {value!r}") from None
    if any(v < least for v in checked):
        raise ValueError(f"[{layer}] {argument} must be at least {least} everywhere; received {value!r}")
    return checked


def one_of(value: Any, choices: tuple[str, ...], argument: str, layer: str) -> str:
    chosen = value.lower() if isinstance(value, str) else value
    if chosen not in choices:
        raise ValueError(f"[{layer}] {argument} must be one of {choices}; received {value!r}")
    return str(chosen)


def fraction(value: Any, argument: str, layer: str) -> float:
    """A dropout rate: 0 <= rate < 1 (1 would drop everything; Keras takes it, and so do we)."""
    if not isinstance(value, (int, float, np.floating, np.integer)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"[{layer}] {argument} must lie in [0, 1]; received {value!r}")
    return float(value)


def channels_last(value: Any, layer: str) -> str:
    if value not in (None, "channels_last"):
        raise ValueError(
            f'[{layer}] data_format must be "channels_last": images are (batch, height, width, channels); '
            f"received {value!r}. Transpose the data once instead"
        )
    return "channels_last"
