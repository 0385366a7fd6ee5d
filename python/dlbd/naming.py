"""Names that are made up: 'dense', 'dense_1', ..."""

from __future__ import annotations

import re
import threading
from collections import Counter

_taken: Counter[str] = Counter()
_lock = threading.Lock()


def snake_case(name: str) -> str:
    """'Conv2DTranspose' as Keras writes it in default names: 'conv2d_transpose'."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def automatic_name(prefix: str) -> str:
    """``prefix`` at first, then ``prefix_1``, ``prefix_2``, ..."""
    with _lock:
        n = _taken[prefix]
        _taken[prefix] += 1
    return f"{prefix}_{n}" if n else prefix


def forget_names() -> None:
    """Start anew (``dlbd.utils.clear_session``)."""
    with _lock:
        _taken.clear()
