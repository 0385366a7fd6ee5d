"""Nested documents, of MongoDB or of a Python program, as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np

from dlbd.data.arrow import pa
from dlbd.data.errors import SourceError

# What values of other types are here.
PLAIN: Mapping[type, Callable[[Any], Any]] = {UUID: str}

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)

# The classes of the values that columns hold.
_CLASSES: tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...]], ...] = (
    (pa.types.is_boolean, (bool, np.bool_)),
    (pa.types.is_integer, (int, np.integer)),
    (pa.types.is_floating, (float, int, np.floating, np.integer)),
    (pa.types.is_decimal, (Decimal, int)),
    (pa.types.is_string, (str,)),
    (pa.types.is_large_string, (str,)),
    (pa.types.is_binary, (bytes, bytearray, memoryview)),
    (pa.types.is_large_binary, (bytes, bytearray, memoryview)),
    (pa.types.is_fixed_size_binary, (bytes, bytearray, memoryview)),
    (pa.types.is_timestamp, (datetime,)),
    (pa.types.is_date, (date,)),
    (pa.types.is_time, (time,)),
    (pa.types.is_duration, (timedelta,)),
    *((is_list, (list, tuple, np.ndarray)) for is_list in _LISTS),
    (pa.types.is_struct, (Mapping,)),
    (pa.types.is_null, ()),
)

_REFUSED = (pa.ArrowException, ValueError, TypeError, OverflowError)


class Misfit(Exception):
    """A value that its type does not hold: where it stands, and what was wanted."""

    def __init__(self, row: int, field: str, value: Any, wanted: Any) -> None:
        super().__init__(row, field, value, wanted)
        self.row, self.field, self.value, self.wanted = row, field, value, wanted

    def within(self, row: int, field: str) -> Misfit:
        """The same, as the list or the document around it sees it."""
        return Misfit(row, field + self.field, self.value, self.wanted)


class Documents:
    """What becomes of documents.

    A column is named by its key, one in a nested document by the keys joined by dots: ``address.city``. A list is a
    list of Arrow, a document in a list a struct. What a document lacks is NULL. Numbers fit where they keep their
    value (3.0 is an integer, 3.5 is not, a float may round a decimal), a date where the time is midnight; all else has
    the class that the type says.

    Args:
        name: what errors call the source.
        schema: of the columns.
        misfits: what becomes of a value that does not fit: "error", or "null".
        plain: makes values of ours of the store's.
    """

    def __init__(
        self, name: str, schema: pa.Schema, misfits: str, plain: Mapping[type, Callable[[Any], Any]] = PLAIN
    ) -> None:
        if misfits not in ("error", "null"):
            raise ValueError(f'misfits is "error" or "null"; received {misfits!r}')
        self.name, self.schema, self.misfits, self._plain = name, schema, misfits, plain

    def batch(
        self, documents: Sequence[Mapping[str, Any]], columns: Sequence[str], label: Callable[[int], str]
    ) -> pa.RecordBatch:
        """These columns of the documents.

        Args:
            documents: a row each.
            columns: in this order.
            label: what errors call the document of a row.

        Raises:
            SourceError: a value does not fit; the message has its document and field.
        """
        schema = pa.schema([self.schema.field(name) for name in columns])
        try:
            arrays = [self._column(documents, field) for field in schema]
        except Misfit as misfit:
            raise SourceError(
                f"{self.name}: {label(misfit.row)}: field {misfit.field!r} holds {shown(misfit.value)}, and should be "
                f'{misfit.wanted}: declare another type (schema=), or have NULL there (misfits="null")'
            ) from None
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _column(self, documents: Sequence[Mapping[str, Any]], field: pa.Field) -> pa.Array:
        values = self._values(documents, field.name, "")
        try:
            return self._array(values, field.type)
        except Misfit as misfit:
            raise misfit.within(misfit.row, field.name) from None

    def _values(self, documents: Sequence[Mapping[str, Any]], name: str, outer: str) -> list[Any]:
        """The values of the key ``name``; where it has dots, those in nested documents too."""
        try:
            values = [d[name] for d in documents]
        except KeyError:
            values = [d.get(name) for d in documents]
        for head, rest in splits(name):
            inner: list[Any] = [d.get(head) for d in documents]
            kinds = set(map(type, inner))
            if kinds == {type(None)}:
                continue
            if kinds != {dict}:
                inner = [{} if v is None else self._document(i, outer + head, v) for i, v in enumerate(inner)]
            nested = self._values(inner, rest, f"{outer}{head}.")
            values = [n if v is None else v for v, n in zip(values, nested, strict=True)]
        return values

    def _document(self, row: int, field: str, value: Any) -> Mapping[str, Any]:
        return value if isinstance(value, Mapping) else self._misfit(row, field, value, "a document") or {}

    def _misfit(self, row: int, field: str, value: Any, wanted: Any) -> Any:
        """NULL, or the error."""
        if self.misfits == "error":
            raise Misfit(row, field, value, wanted)
        return None

    def _array(self, values: list[Any], kind: pa.DataType) -> pa.Array:
        classes = set(map(type, values))
        if not classes.isdisjoint(self._plain):
            for other in classes & self._plain.keys():
                plain = self._plain[other]
                values = [plain(v) if type(v) is other else v for v in values]
            classes = set(map(type, values))
        if not all(_fits(kind, cls) for cls in classes):
            values = [self._fitted(i, v, kind) for i, v in enumerate(values)]
        if any(is_list(kind) for is_list in _LISTS):
            return self._lists(values, kind)
        if pa.types.is_struct(kind):
            return self._structs(values, kind)
        try:
            return _made(values, kind)
        except _REFUSED:
            kept = [v if _is_made(v, kind) else self._misfit(i, "", v, kind) for i, v in enumerate(values)]
            return _made(kept, kind)

    def _fitted(self, row: int, value: Any, kind: pa.DataType) -> Any:
        """The value in a class that the type holds."""
        if isinstance(value, np.ndarray) and not value.ndim:
            value = value[()]
        if isinstance(value, np.generic):
            value = _item(value)
        if _fits(kind, value.__class__):
            return value
        if pa.types.is_integer(kind) and _is_whole(value):
            return int(value)
        if pa.types.is_floating(kind) and isinstance(value, Decimal) and not value.is_snan():
            return float(value)
        if pa.types.is_date(kind) and isinstance(value, datetime) and value.timetz() == time():
            return value.date()
        return self._misfit(row, "", value, kind)

    def _lists(self, values: list[Any], kind: pa.DataType) -> pa.Array:
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else None
        kept = [v if v is None or _is_list(v, size) else self._misfit(i, "", v, kind) for i, v in enumerate(values)]
        absent = [v is None for v in kept]
        empty = [None] * (size or 0)
        full = [empty if v is None else v for v in kept]
        ends = np.cumsum([0, *map(len, full)])
        try:
            child = _joined(full, kind.value_type)
            if child is None:
                child = self._array(list(chain.from_iterable(map(_listed, full))), kind.value_type)
        except Misfit as misfit:
            row = int(np.searchsorted(ends, misfit.row, side="right")) - 1
            raise misfit.within(row, f"[{misfit.row - ends[row]}]") from None
        mask = pa.array(absent, pa.bool_())
        if size is not None:
            return pa.FixedSizeListArray.from_arrays(child, type=kind, mask=mask)
        lists = pa.LargeListArray if pa.types.is_large_list(kind) else pa.ListArray
        offsets = pa.array(ends, pa.int64() if lists is pa.LargeListArray else pa.int32())
        return lists.from_arrays(offsets, child, type=kind, mask=mask)

    def _structs(self, values: list[Any], kind: pa.DataType) -> pa.Array:
        if not kind.num_fields:
            return pa.array([None if v is None else {} for v in values], kind)
        children = []
        for field in kind:
            try:
                children.append(self._array([None if v is None else v.get(field.name) for v in values], field.type))
            except Misfit as misfit:
                raise misfit.within(misfit.row, f".{field.name}") from None
        absent = pa.array([v is None for v in values], pa.bool_())
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=absent)


def splits(name: str) -> Iterator[tuple[str, str]]:
    """(what is before, what is after) for each dot in the name."""
    for at, letter in enumerate(name):
        if letter == ".":
            yield name[:at], name[at + 1 :]


def shown(value: Any) -> str:
    """A value and its class, for an error."""
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


@lru_cache(4096)
def _fits(kind: pa.DataType, cls: type) -> bool:
    """Whether Arrow makes the type of values of the class without a change of meaning."""
    if cls is type(None):
        return True
    if pa.types.is_dictionary(kind):
        return _fits(kind.value_type, cls)
    for is_kind, classes in _CLASSES:
        if is_kind(kind):
            # a boolean is an integer of Python, and a time a date
            special = next((c for c in (bool, datetime) if issubclass(cls, c)), None)
            return issubclass(cls, classes) and (special is None or special in classes)
    return True


def _is_list(value: Any, size: int | None) -> bool:
    """Whether it has so many items; None for any number."""
    return getattr(value, "ndim", 1) > 0 and (size is None or len(value) == size)


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value


def _joined(arrays: list[Any], kind: pa.DataType) -> pa.Array | None:
    """The items of NumPy arrays as they lie in memory; None if these are others, or of another type."""
    if not all(isinstance(a, np.ndarray) and a.ndim == 1 for a in arrays) or len({a.dtype for a in arrays}) != 1:
        return None
    try:
        return pa.array(np.concatenate(arrays)) if pa.from_numpy_dtype(arrays[0].dtype) == kind else None
    except pa.ArrowNotImplementedError:  # bytes in another order, text
        return None


def _is_whole(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, float) and value.is_integer()


def _item(value: np.generic) -> Any:
    """The Python object of a NumPy scalar; a time in nanoseconds has none."""
    if isinstance(value, np.datetime64):
        microseconds = value.astype("datetime64[us]")
        return microseconds.item() if microseconds == value or np.isnat(value) else value
    return value.item()


def _made(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind) and kind.unit in ("s", "ms"):
        return pa.array(values, pa.timestamp("us", kind.tz)).cast(kind)  # Arrow drops microseconds without a word
    return pa.array(values, kind)


def _is_made(value: Any, kind: pa.DataType) -> bool:
    try:
        _made([value], kind)
    except _REFUSED:
        return False
    return True
