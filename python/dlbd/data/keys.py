"""The keys of documents that are read as columns: no other one is left out without a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.documents import splits
from dlbd.data.errors import SourceError

# The keys that a document may have, each with those of the documents in it; None where anything may be.
_Known = dict[str, "_Known | None"]


class Keys:
    """The keys that become columns.

    Args:
        schema: of all columns, those in nested documents named by keys joined by dots.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._known = _tree(dict(zip(schema.names, schema.types, strict=True)))
        self._names = set(schema.names)

    def are(self, columns: Sequence[str]) -> bool:
        """Whether these columns are all of them."""
        return self._names <= set(columns)

    def require(self, documents: Sequence[Any], source: str, label: Callable[[int], str]) -> None:
        """SourceError if a document has another one; ``label`` is what it calls the document of a row."""
        found = self.unknown(documents)
        if found:
            row, key = found
            raise SourceError(f"{source}: {label(row)} {other(key)}")

    def unknown(self, documents: Sequence[Any]) -> tuple[int, str] | None:
        """The row and the key of a document that has another one."""
        return _unknown(documents, self._known)


def other(key: str) -> str:
    """What an error says of such a key."""
    return (
        f"has the key {key!r}, which no document had that was looked at for columns (sample=): declare its type, "
        f"schema={{{key!r}: ...}}, or name the columns to read, columns=[...], and other keys are left out"
    )


def _tree(types: Mapping[str, pa.DataType]) -> _Known:
    known: _Known = {name: _within(kind) for name, kind in types.items()}
    for head in {head for name in types for head, _ in splits(name)} - known.keys():
        known[head] = _tree({n.removeprefix(f"{head}."): k for n, k in types.items() if n.startswith(f"{head}.")})
    return known


def _within(kind: pa.DataType) -> _Known | None:
    if pa.types.is_struct(kind):
        return {field.name: _within(field.type) for field in kind}
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return _within(kind.value_type) if is_list else None


def _unknown(documents: Sequence[Any], known: _Known) -> tuple[int, str] | None:
    for key in set().union(*documents) - known.keys():
        return next(row for row, document in enumerate(documents) if key in document), str(key)
    for key, inner in known.items():
        if inner is not None:
            nested = [(row, value) for row, document in enumerate(documents) for value in _documents(document.get(key))]
            found = _unknown([value for _, value in nested], inner)
            if found:
                return nested[found[0]][0], f"{key}.{found[1]}"
    return None


def _documents(value: Any) -> list[Any]:
    """The documents that a value is, or that are in a list."""
    if isinstance(value, Mapping):
        return [value]
    return [document for item in value for document in _documents(item)] if isinstance(value, (list, tuple)) else []
