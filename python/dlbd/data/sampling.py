"""The columns and types of documents, found in the first of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from dlbd.data.arrow import pa
from dlbd.data.documents import PLAIN

# Documents looked at, unless another number is asked for.
SAMPLE = 1000

TYPES: Mapping[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
}


def sampled(
    documents: Iterable[Mapping[str, Any]],
    declared: pa.Schema,
    plain: Mapping[type, Callable[[Any], Any]] = PLAIN,
    types: Mapping[type, pa.DataType] = TYPES,
) -> tuple[pa.Schema, set[str]]:
    """The columns, and which of them have a key with a dot in it.

    Where the values at one place are of several kinds, the most frequent counts. Numbers are of one kind: integers and
    floats together are float64, integers and decimals a decimal of 38 digits. Where there are only NULLs the type is
    null, which holds nothing else.

    Args:
        documents: are read one after the other.
        declared: the types of columns that are known; these are columns whether they are found or not.
        plain: makes values of ours of the store's.
        types: of the classes of values that have the same type always.
    """
    root = _Place(plain, types)
    for document in documents:
        root.add(document)
    known = {field.name: field.type for field in declared}
    found: dict[str, pa.DataType] = {}
    dotted = set()
    for path, kind in root.columns((), known):
        name = ".".join(path)
        found.setdefault(name, kind)
        if any("." in key for key in path):
            dotted.add(name)
    return pa.schema(list((found | known).items())), dotted


class _Place:
    """What was seen at one place of the documents."""

    def __init__(self, plain: Mapping[type, Callable[[Any], Any]], types: Mapping[type, pa.DataType]) -> None:
        self._plain, self._types = plain, types
        self._kinds: Counter[Any] = Counter()  # "document", "list", "number" or a type of Arrow
        self._numbers: set[pa.DataType] = set()
        self._fields: dict[str, _Place] = {}
        self._items: _Place | None = None

    def add(self, value: Any, times: int = 1) -> None:
        """See a value."""
        if isinstance(value, np.ndarray):
            return self._add_array(value)
        if type(value) in self._plain:
            value = self._plain[type(value)](value)
        if value is None:
            return
        if isinstance(value, Mapping):
            self._kinds["document"] += 1
            for key, inner in value.items():
                if isinstance(key, str):
                    self._field(key).add(inner)
        elif isinstance(value, (list, tuple)):
            self._kinds["list"] += 1
            simple = Counter(cls for cls in map(type, value) if cls in self._types)
            for cls, count in simple.items():
                self._item().add(next(v for v in value if type(v) is cls), count)
            for inner in value:
                if type(inner) not in simple:
                    self._item().add(inner)
        else:
            kind = self._type_of(value)
            number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
            self._kinds["number" if number else kind] += times
            if number:
                self._numbers.add(kind)

    def _add_array(self, value: Any) -> None:
        place = self
        for _ in range(value.ndim):
            place._kinds["list"] += 1
            place = place._item()
        if value.size:
            place.add(value.flat[0])

    def _field(self, key: str) -> _Place:
        return self._fields.setdefault(key, _Place(self._plain, self._types))

    def _item(self) -> _Place:
        if self._items is None:
            self._items = _Place(self._plain, self._types)
        return self._items

    def _type_of(self, value: Any) -> pa.DataType:
        kind = self._types.get(type(value))
        if kind is None and isinstance(value, Decimal):
            exponent = value.as_tuple().exponent
            fits = isinstance(exponent, int) and -exponent <= 38
            kind = pa.decimal128(38, max(-int(exponent), 0)) if fits else pa.float64()
        if kind is None:
            try:
                kind = pa.infer_type([value])
            except (pa.ArrowException, ValueError, TypeError):
                kind = pa.null()
        return kind

    def columns(
        self, path: tuple[str, ...], known: Mapping[str, pa.DataType]
    ) -> Iterator[tuple[tuple[str, ...], pa.DataType]]:
        """The columns that this place is, under these keys."""
        name = ".".join(path)
        if path and name in known:
            yield path, known[name]
        elif self._fields and (not path or self._kind() == "document"):
            for key, field in self._fields.items():
                yield from field.columns((*path, key), known)
        elif path:
            yield path, self._type()

    def _kind(self) -> Any:
        return self._kinds.most_common(1)[0][0] if self._kinds else pa.null()

    def _type(self) -> pa.DataType:
        kind = self._kind()
        if kind == "document":
            return pa.struct([(key, field._type()) for key, field in self._fields.items()])
        if kind == "list":
            return pa.list_(pa.null() if self._items is None else self._items._type())
        return self._number() if kind == "number" else kind

    def _number(self) -> pa.DataType:
        if len(self._numbers) == 1:
            return next(iter(self._numbers))
        if any(pa.types.is_floating(kind) for kind in self._numbers):
            return pa.float64()
        scales = [kind.scale for kind in self._numbers if pa.types.is_decimal(kind)]
        return pa.decimal128(38, max(scales)) if scales else pa.int64()
