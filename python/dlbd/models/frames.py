"""Data frames of pandas and polars and tables of Arrow, read where they lie: an array made batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.backend import Array


def is_frame(x: Any) -> bool:
    """Whether ``x`` is a table with named columns."""
    return hasattr(x, "columns") and (hasattr(x, "to_numpy") or hasattr(x, "column_names"))


def columns_by_name(frame: Any) -> dict[Any, Any]:
    """The columns of a table by their names."""
    names = frame.column_names if hasattr(frame, "column_names") else frame.columns
    return {name: frame[name] for name in names}


def frame_array(frame: Any) -> Any:
    """A table as an array (rows, columns): a view where all columns lie in one block, otherwise :class:`Columns`.

    Raises:
        TypeError: a column does not hold numbers.
    """
    columns = []
    for name, column in columns_by_name(frame).items():
        values = np.asarray(column.to_numpy())
        if values.dtype.kind not in "fiub":
            raise TypeError(
                f"column {name!r} holds {values.dtype}, not numbers: leave it out, or encode it first, by "
                "dlbd.layers.StringLookup for one"
            )
        columns.append(values)
    if not columns:
        raise ValueError("the data frame has no columns")
    block = _one_block(columns)
    return Columns(columns) if block is None else block


def _one_block(columns: Sequence[Array]) -> Array | None:
    """The columns as one strided view, if they are equally spaced parts of one array."""
    first = columns[0]
    owner = _owner(first)
    if owner is None or any(
        _owner(c) is not owner or c.dtype != first.dtype or c.strides != first.strides for c in columns
    ):
        return None
    starts = [c.__array_interface__["data"][0] for c in columns]
    step = starts[1] - starts[0] if len(starts) > 1 else first.itemsize
    if starts != [starts[0] + i * step for i in range(len(starts))]:
        return None
    shape, strides = (len(first), len(columns)), (first.strides[0], step)
    return np.lib.stride_tricks.as_strided(first, shape, strides, writeable=False)


def _owner(a: Array) -> Any:
    """The object whose memory ``a`` shows; None if it is its own."""
    owner = a.base
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner


class Columns:
    """Columns of equal length as an array (rows, columns), which is never made as a whole.

    Attributes:
        shape, ndim, dtype: those of the array; the dtype is what NumPy would make of all columns together.
    """

    ndim = 2

    def __init__(self, columns: Sequence[Array]) -> None:
        self._columns = list(columns)
        self.shape = (len(columns[0]), len(columns))
        self.dtype = np.result_type(*columns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Array) -> Columns:
        return Columns([column[rows] for column in self._columns])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.stack(self._columns, axis=1).astype(dtype or self.dtype, copy=False)

    def write(self, rows: Array | slice | None, buffer: Array) -> None:
        """Copy some rows, or all, into ``buffer``."""
        for i, column in enumerate(self._columns):
            np.copyto(buffer[:, i], column if rows is None else column[rows], casting="same_kind")
