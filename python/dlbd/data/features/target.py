"""Target: what a model learns to tell."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa, value_type
from dlbd.data.features.column import FLOAT32, INT64, Column, RowError, float64s
from dlbd.data.features.statistics import Counts
from dlbd.data.features.tokens import tokens
from dlbd.data.features.vocabulary import Vocabulary
from dlbd.layers.arguments import one_of

_KINDS = ("class", "number")
_CLASSES_OF_INTEGERS = 100  # whole numbers from 0 on that are classes by themselves
_CLASSES = 100_000


@dataclass(frozen=True)
class Target(Column):
    """What a model learns to tell: a class, or a number.

    Classes become their place among the classes of the training rows, in ascending order: (rows,) int64, so that
    0 to 9 stay what they are. Numbers stay as they are: (rows,) float32.

    Args:
        name: of the column.
        kind: "class" or "number"; by default text and booleans are classes, whole numbers where the training rows have
            all of 0, 1, ..., n - 1 and no others, n at most 100, and all other numbers are numbers.

    Raises:
        ValueError: at :meth:`Features.adapt`: there is one class only; later: a class that was not there in training, a
            missing value, an infinity.

    Example:
        >>> features = dlbd.data.Features([dlbd.data.Number("x")], target=dlbd.data.Target("label"))
        >>> rows = dlbd.data.open({"x": [1.0, 2.0, 3.0], "label": ["cat", "ant", "cat"]})
        >>> features.adapt(rows)
        >>> features.classes, features.to_numpy(rows)[1]
        (['ant', 'cat'], array([1, 0, 1]))
    """

    by_value: ClassVar[bool] = True

    _: KW_ONLY
    kind: str | None = None

    def __post_init__(self) -> None:
        if self.kind is not None:
            object.__setattr__(self, "kind", one_of(self.kind, _KINDS, "kind", self.name))

    @property
    def classes(self) -> list[Any] | None:
        """Of the training rows, in order; None for a number."""
        return self.found("classes")  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        return FLOAT32 if self.classes is None else INT64

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    def statistics(self, kind: pa.DataType) -> _TargetStatistics:
        return _TargetStatistics(self)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.classes or [], 0, pa.type_for_alias(self.found("type")))

    def transform(self, column: pa.Array) -> Array:
        if self.classes is None:
            with np.errstate(over="ignore"):
                y = float64s(column, self.name).astype(np.float32)
            wrong = ~np.isfinite(y)
        else:
            y = self._vocabulary.find(tokens(column, self.name, self.found("type")), -1)
            wrong = y < 0
        if wrong.any():
            row = int(wrong.argmax())
            raise RowError(row, f"target {self.name!r} {self._trouble(column[row])}")
        return y

    def _trouble(self, value: pa.Scalar) -> str:
        if not value.is_valid or value.as_py() != value.as_py():
            return "has no value; rows=[DropMissing()] leaves such rows out"
        if self.classes is None:
            return f"holds {value.as_py()}, which is no number that float32 holds"
        return f"holds {value.as_py()!r}, a class that was not there in training"


class _TargetStatistics:
    def __init__(self, column: Target) -> None:
        self._column = column
        self._type: pa.DataType | None = None
        self._guessed = False  # whether whole numbers are taken for classes
        self._counts: Counts | None = None

    def add(self, column: pa.Array) -> None:
        kind, given = self._column.kind, column.type
        if kind == "number" or (kind is None and (pa.types.is_floating(given) or pa.types.is_decimal(given))):
            return
        values = tokens(column, self._column.name)
        if self._counts is None:
            self._guessed = kind is None and pa.types.is_integer(value_type(values))
            self._counts, self._type = Counts(_CLASSES_OF_INTEGERS if self._guessed else _CLASSES), value_type(values)
        self._counts.add(values)

    def result(self) -> dict[str, Any]:
        counts, name = self._counts, self._column.name
        number = {"classes": None, "type": None}
        if counts is None:
            return number
        if counts.overflow and not self._guessed:
            raise ValueError(f'target {name!r} has more than {_CLASSES:,} classes; kind="number" takes it as a number')
        classes = sorted(counts.of)
        if self._guessed and len(classes) != 1 and (counts.overflow or classes != list(range(len(classes)))):
            return number
        if len(classes) < 2:
            only = f"{classes[0]!r} only" if classes else "no value at all"
            raise ValueError(f"target {name!r} has {only} in the training rows: there is nothing to tell apart")
        return {"classes": classes, "type": str(self._type)}
