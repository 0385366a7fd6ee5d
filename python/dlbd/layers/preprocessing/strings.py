"""Text in whatever array it came, as Python's strings."""

from __future__ import annotations

from typing import Any

from dlbd.backend import Array


def strings_of(array: Array, encoding: str = "utf-8") -> list[str]:
    """The elements in a row; bytes are decoded.

    Raises:
        TypeError: there is something else than text in it, such as a missing value.
    """
    if array.dtype.kind not in "USTO" and array.size:
        raise TypeError(f"expected text; received numbers of dtype {array.dtype}")
    values: list[Any] = array.ravel().tolist()
    if array.dtype.kind == "U":
        return values
    for at, value in enumerate(values):
        if isinstance(value, bytes):
            values[at] = value.decode(encoding)
        elif not isinstance(value, str):
            raise TypeError(f"expected text; received {value!r} at position {at}. Fill missing values first")
    return values
