"""Vector: as many numbers in each row."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from math import prod
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa, pc
from dlbd.data.features.column import Column, RowError, float64s
from dlbd.data.features.statistics import Extent, Moments


@dataclass(frozen=True)
class Vector(Column):
    """A list of numbers, equally long in each row, as float32: pixels, spectra, embeddings.

    Args:
        name: of the column: lists, of fixed size or not, of lists perhaps.
        size: the shape of one row's numbers, such as (28, 28, 1); by default what the lists have.
        scale: a number that all are multiplied by, 1/255 say; "standard": each place to mean 0 and variance 1 of the
            training rows. None, the default: as they are.

    Raises:
        ValueError: at :meth:`Features.adapt` and later: a list is missing or has another length, or a number in it is
            missing or infinite.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Vector("pixels", scale=1 / 255)])
        >>> rows = dlbd.data.open({"pixels": [[0, 255], [51, 102]]})
        >>> features.adapt(rows)
        >>> features.to_numpy(rows)[0]
        array([[0. , 1. ],
               [0.2, 0.4]], dtype=float32)
    """

    _: KW_ONLY
    size: tuple[int, ...] | None = None
    scale: float | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.scale, str) and self.scale != "standard":
            raise ValueError(f'[{self.name}] scale must be a number, "standard" or None; received {self.scale!r}')
        if self.size is not None:
            object.__setattr__(self, "size", tuple(self.size))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.size or tuple(self.found("size"))

    @property
    def depth(self) -> int:
        return len(self.found("size"))

    def statistics(self, kind: pa.DataType) -> _VectorStatistics:
        return _VectorStatistics(self)

    def transform(self, column: pa.Array) -> Array:
        if not len(column):
            return np.empty((0, *self.shape), np.float32)
        x = given = numbers(column, self.name)
        due = tuple(self.found("size"))
        if x.shape[1:] != due:
            raise RowError(0, f"column {self.name!r} holds {_said(x.shape[1:])}; in training there were {_said(due)}")
        if self.scale == "standard":
            x = (x - np.array(self.found("center"))) / np.array(self.found("width"))
        elif self.scale is not None:
            x = np.multiply(x, self.scale, dtype=np.float32 if x.dtype.itemsize < 4 else np.float64)
        with np.errstate(over="ignore"):
            y = x.astype(np.float32, copy=False)
        if x.dtype == np.float64 and not np.isfinite(y).all():
            place = int((~np.isfinite(y)).argmax())
            raise RowError(
                place // prod(due),
                f"column {self.name!r} holds {given.flat[place]}, of which float32 makes an infinity",
            )
        return y.reshape(-1, *self.shape)


class _VectorStatistics:
    def __init__(self, column: Vector) -> None:
        self._column = column
        self._size: tuple[int, ...] | None = None
        self._moments, self._extent = Moments(), Extent()

    def add(self, column: pa.Array) -> None:
        if not len(column):
            return
        name = self._column.name
        x = numbers(column, name)
        size = x.shape[1:]
        if self._size is None:
            wanted = self._column.size
            if wanted is not None and prod(wanted) != prod(size):
                raise ValueError(f"column {name!r} holds {_said(size)}, which do not have the size {wanted}")
            self._size = size
        elif size != self._size:
            raise RowError(0, f"column {name!r} holds {_said(size)}; before there were {_said(self._size)}")
        if self._column.scale == "standard":
            self._moments.add(x)
            self._extent.add(x)

    def result(self) -> dict[str, Any]:
        if self._size is None:
            raise ValueError(f"column {self._column.name!r} has no list in the training rows")
        if not prod(self._size):
            raise ValueError(f"column {self._column.name!r} holds empty lists in the training rows: leave it out")
        learned: dict[str, Any] = {"size": list(self._size)}
        if self._column.scale == "standard":
            constant = self._extent.least == self._extent.greatest
            width = np.where(constant, 1.0, np.sqrt(self._moments.variance))
            learned["center"] = np.where(constant, self._extent.least, self._moments.mean).tolist()
            learned["width"] = np.where(width == 0, 1.0, width).tolist()
        return learned


def _said(size: tuple[int, ...]) -> str:
    return f"lists of {' x '.join(map(str, size))} numbers"


def numbers(column: pa.Array, name: str) -> Array:
    """(rows, *sizes) numbers of lists, in the type that they have; the lists of all rows are as long as the first's.

    Raises:
        RowError: a list is missing or of another length, or a number is missing or infinite.
    """
    rows = len(column)
    sizes: list[int] = []
    while pa.types.is_nested(column.type):
        kind = column.type
        if column.null_count:
            row = int(np.asarray(column.is_null()).argmax()) // max(1, prod(sizes))
            raise RowError(row, f"column {name!r} has no list")
        if pa.types.is_fixed_size_list(kind):
            size = kind.list_size
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            lengths = np.asarray(pc.list_value_length(column))
            size = int(lengths[0]) if len(lengths) else 0
            wrong = lengths != size
            if wrong.any():
                place = int(wrong.argmax())
                raise RowError(
                    place // max(1, prod(sizes)),
                    f"column {name!r} holds {_said((int(lengths[place]),))}; before there were {_said((size,))}",
                )
        else:
            raise ValueError(f"column {name!r} should hold lists of numbers; received values of type {kind}")
        sizes.append(size)
        column = column.flatten()
    if not sizes:
        raise ValueError(f"column {name!r} should hold lists of numbers; received values of type {column.type}")
    if pa.types.is_integer(column.type) and not column.null_count:
        return column.to_numpy().reshape(rows, *sizes)  # type: ignore[no-any-return]
    x = column.to_numpy() if pa.types.is_float32(column.type) and not column.null_count else float64s(column, name)
    with np.errstate(invalid="ignore", over="ignore"):
        whole = np.isfinite(x.sum(dtype=np.float64))
    if not whole and not np.isfinite(x).all():
        place = int((~np.isfinite(x)).argmax())
        raise RowError(place // prod(sizes), f"column {name!r} holds a list with {x[place]} in it, or NULL")
    return x.reshape(rows, *sizes)
