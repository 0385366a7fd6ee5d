"""How much memory may be used: what a user says, and what there is."""

from __future__ import annotations

import os
import re

_UNITS = {"": 1, "B": 1} | {f"{letter}B": 10 ** (3 * n) for n, letter in enumerate("KMGT", start=1)}
_UNITS |= {f"{letter}IB": 2 ** (10 * n) for n, letter in enumerate("KMGT", start=1)}


def bytes_of(limit: int | str) -> int:
    """A number of bytes from one, or from text such as "200MB".

    Raises:
        ValueError: it is neither, or more than this machine has.

    Example:
        >>> dlbd.models.limits.bytes_of("200MB")
        200000000
    """
    parts = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]*)\s*", str(limit))
    if parts is None or parts[2].upper() not in _UNITS or not float(parts[1]):
        raise ValueError(f'memory_limit is a number of bytes, or text like "200MB"; received {limit!r}')
    size = int(float(parts[1]) * _UNITS[parts[2].upper()])
    if size > (most := machine_memory()):
        raise ValueError(f"memory_limit={limit} is more memory than there is: {most // 10**6}MB")
    return size


def machine_memory() -> int:
    """Bytes of the machine, or of the container that this process is in."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                return min(installed, int(file.read()))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return installed
