"""Rows put in order that their store does not sort, in bounded memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

from dlbd.data.arrow import pa, pc


def sorted_batches(
    batches: Iterable[pa.RecordBatch], by: Sequence[str], rows: int
) -> Generator[pa.RecordBatch, None, None]:
    """The same rows in ascending order of these columns, NULL first; rows that are equal in them stay as they were."""
    table = pa.Table.from_batches(batches)
    order = pc.sort_indices(table, [(name, "ascending", "at_start") for name in by])
    yield from table.take(order).combine_chunks().to_batches(max_chunksize=rows)
