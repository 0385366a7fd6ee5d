"""The same rows in other batches, which depend on the rows alone, not on how their source delivers them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, pc

_UNKNOWN = 32  # bytes of a value of a type that is not measured, such as unions


def rechunked(batches: Iterable[pa.RecordBatch], rows: int, most_bytes: int | None = None) -> Iterator[pa.RecordBatch]:
    """Batches of exactly ``rows``, the last one of what is left.

    Args:
        batches: of any sizes.
        rows: of each.
        most_bytes: a batch ends before the row whose values would make it larger; None for no limit.
    """
    pending: list[pa.RecordBatch] = []
    held = size = 0
    for batch in batches:
        ends = None if most_bytes is None else np.cumsum(row_bytes(batch))
        at = 0
        while at < batch.num_rows:
            taken = min(rows - held, batch.num_rows - at)
            full = held + taken == rows
            if ends is not None and most_bytes is not None:
                before = int(ends[at - 1]) if at else 0
                fitting = int(np.searchsorted(ends, before + most_bytes - size, side="right")) - at
                fitting = max(fitting, 0 if held else 1)
                full = full or fitting < taken
                taken = min(taken, fitting)
                size += int(ends[at + taken - 1]) - before if taken else 0
            if taken:
                pending.append(batch.slice(at, taken))
            at, held = at + taken, held + taken
            if full:
                yield _joined(pending)
                pending, held, size = [], 0, 0
    if held:
        yield _joined(pending)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    schema = batches[0].schema
    if not all(batch.schema.equals(schema) for batch in batches):  # indices of distinct values here, values there
        batches = [pa.record_batch(list(map(decoded, batch.columns)), schema.names) for batch in batches]
    return pa.concat_batches(batches)


def row_bytes(batch: pa.RecordBatch) -> Array:
    """The bytes of each row's values, int64 of shape (rows,)."""
    fixed, others = _widths(batch.schema)
    total = np.full(batch.num_rows, fixed, np.int64)
    for i in others:
        total += _bytes(batch.column(i))
    return total


@lru_cache(maxsize=16)
def _widths(schema: pa.Schema) -> tuple[int, list[int]]:
    """The bytes of the columns whose values all take as many, and which columns are others."""
    sizes = [_bytes(pa.nulls(0, kind)) if pa.types.is_primitive(kind) else None for kind in schema.types]
    known = [size for size in sizes if isinstance(size, int)]
    return sum(known), [i for i, size in enumerate(sizes) if not isinstance(size, int)]


def _bytes(column: pa.Array) -> Array | int:
    kind = column.type
    types = pa.types
    if types.is_dictionary(kind):
        of_values = _bytes(column.dictionary)
        if isinstance(of_values, int):
            return of_values
        return np.append(of_values, 0)[np.asarray(column.indices.fill_null(len(of_values)))]  # type: ignore[no-any-return]
    if types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind) or types.is_large_binary(kind):
        return _numbers(pc.binary_length(column))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        lengths = _numbers(pc.list_value_length(column))
        of_items = _bytes(column.flatten())
        if isinstance(of_items, int):
            return lengths * of_items
        until: Array = np.concatenate([[0], np.cumsum(of_items)])
        ends = np.cumsum(lengths)
        widths: Array = until[ends] - until[ends - lengths]
        return widths
    if types.is_struct(kind):
        return sum((_bytes(child) for child in column.flatten()), 0)
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return _UNKNOWN


def _numbers(lengths: pa.Array) -> Array:
    return np.asarray(lengths.fill_null(0)).astype(np.int64)
