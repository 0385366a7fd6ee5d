"""Column: what all kinds of features share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, first_misfit, pa, pc

_FLOAT64 = pa.float64()
FLOAT32, INT64 = np.dtype(np.float32), np.dtype(np.int64)


class RowError(ValueError):
    """A value that cannot be used, in one row of a batch.

    Args:
        row: counted from the batch's first.
        message: what is wrong with it.
    """

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


@contextmanager
def rows_named(first: int, kept: Array | None) -> Iterator[None]:
    """Within this block a :class:`RowError` gets the number of its row.

    Args:
        first: of the batch's first row.
        kept: the rows of the batch that are still there; None for all.
    """
    try:
        yield
    except RowError as error:
        row = error.row if kept is None else int(np.flatnonzero(kept)[error.row])
        raise ValueError(f"{error} (row {first + row})") from None


class Statistics(Protocol):
    """What a column learns, batch by batch."""

    def add(self, column: pa.Array) -> None:
        """Take in the values of some rows."""
        ...

    def result(self) -> dict[str, Any]:
        """What was learned, as plain data."""
        ...


@dataclass(frozen=True)
class Column:
    """A column of a table, and how it becomes numbers.

    Attributes:
        name: of the column.
        learned: what was found in the training rows, as plain data; None before.
        dtype: of the numbers: float32 or int64.
        by_value: whether equal texts become equal numbers, so that it is quicker to see each of them once: such columns
            are read as indices of distinct values where the source can.
    """

    name: str
    _: KW_ONLY
    learned: dict[str, Any] | None = field(default=None, repr=False)

    dtype: ClassVar[np.dtype[Any]] = FLOAT32
    by_value: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the numbers of one row."""
        return (1,)

    @property
    def depth(self) -> int:
        """Of the lists that one row has in this column: 0 for a single value."""
        return 0

    @property
    def drops_rows(self) -> bool:
        """Whether rows without a value in this column are left out."""
        return getattr(self, "missing", None) == "drop"

    def statistics(self, kind: pa.DataType) -> Statistics | None:
        """What learns from a column of this type; None where there is nothing to learn."""
        return None

    def transform(self, column: pa.Array) -> Array:
        """(rows, *shape) numbers.

        Raises:
            RowError: of a value that cannot be used.
            ValueError: the column is of a type that does not fit.
        """
        y: Array = np.empty((len(column), *self.shape), self.dtype)
        self.write(column, y)
        return y

    def write(self, column: pa.Array, out: Array) -> None:
        """Write what :meth:`transform` gives, which is made of this where a class has no other."""
        out[:] = self.transform(column)

    def found(self, what: str) -> Any:
        """Something that was learned."""
        if self.learned is None:
            raise ValueError(f"column {self.name!r} has learned nothing yet: call adapt() with the training rows")
        return self.learned[what]

    def get_config(self) -> dict[str, Any]:
        return plain_config(self)


def plain_config(part: Any) -> dict[str, Any]:
    """A dataclass's name and fields as plain data."""
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(part).items()}
    return {"class_name": type(part).__name__} | fields


def missing_rows(column: pa.Array) -> Array | None:
    """Which rows have no value: NULL, or NaN; None where there are none."""
    kind = column.type
    if pa.types.is_floating(kind):
        missing = np.asarray(pc.is_null(column, nan_is_null=True))
        return missing if missing.any() else None
    return np.asarray(column.is_null()) if column.null_count else None


def as_type(column: pa.Array, kind: pa.DataType, name: str) -> pa.Array:
    """The column in another type, if each of its values has one there that says the same.

    Raises:
        RowError: one has not.
    """
    column = decoded(column)
    if column.type == kind:
        return column
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        row, misfit = first_misfit(column, kind)
        raise RowError(row, f"column {name!r} should hold values of type {kind}; received {misfit}") from None


def float64s(column: pa.Array, name: str) -> Array:
    """Numbers, booleans and texts of numbers as float64, NULL as NaN; without a copy where there is none to make."""
    kind = column.type
    if kind == _FLOAT64:  # most columns, and there may be many
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if pa.types.is_float32(kind):
        return column.to_numpy(zero_copy_only=False).astype(np.float64)  # type: ignore[no-any-return]
    if pa.types.is_integer(kind):
        column = column.cast(pa.float64(), safe=False)
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.uint8()).cast(pa.float64())
    elif pa.types.is_temporal(kind) or pa.types.is_nested(kind):
        raise ValueError(f"column {name!r} should hold numbers; received values of type {kind}")
    else:
        column = as_type(column, _FLOAT64, name)
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
