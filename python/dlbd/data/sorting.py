"""Rows put in order that their store does not sort, in bounded memory: an external merge sort (Knuth, TAOCP 3, 5.4)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, pc
from dlbd.data.errors import SourceError
from dlbd.data.expressions import compared_type

_RUN_BYTES = 16 << 20  # sorted at once; up to three times as much is in memory: the run before, the rows, their copy
_PIECE_BYTES = 256 << 10  # of a run, read at once
_FAN_IN = 32  # runs merged at once: twice a piece of each is in memory, and a file of each is open

_ORDERED = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_temporal,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
)


def sorted_batches(
    batches: Generator[pa.RecordBatch, None, None], by: Sequence[str], rows: int
) -> Generator[pa.RecordBatch, None, None]:
    """The same rows in ascending order of these columns, NULL first; rows that are equal in them stay as they were.

    What does not fit into a few tens of megabytes goes to temporary files without names, which are gone with the
    iterator or the process, in the folder that ``TMPDIR`` names.

    Raises:
        SourceError: a temporary file cannot be written.
    """
    with ExitStack() as files, closing(batches):
        spilled = _Spilled(by, files)
        last: pa.RecordBatch | None = None
        for chunk in _chunks(batches):
            if last is not None:
                spilled.add(last)
            last = _sorted(chunk, by)
        if last is None:
            return
        if spilled.goes_on_with(last):
            spilled.add(last)
            last = last.slice(last.num_rows)
        runs = spilled.runs()
        for batch in _merged([*runs, _pieces(last)], by) if runs else [last]:
            for begin in range(0, batch.num_rows, rows):
                yield batch.slice(begin, rows)


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches put together until they have the size of a run."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= _RUN_BYTES:
            chunk = pa.concat_batches(held)
            held, size = [], 0
            yield chunk
    if held:
        yield pa.concat_batches(held)


def require_order(field: pa.Field, source: str) -> None:
    """ValueError if the values of a column have no order."""
    kind = compared_type(field.type)
    if not any(is_kind(kind) for is_kind in _ORDERED) or pa.types.is_interval(kind):
        raise ValueError(
            f"{source}: rows have no order by column {field.name!r} ({field.type}): numbers, texts, bytes, times and "
            "booleans have one"
        )


def order_of(batch: pa.RecordBatch, by: Sequence[str]) -> Array:
    """The rows' numbers in order; stable, as Arrow's sort is."""
    keys = [_key(batch.column(name)) for name in by]
    names = [str(i) for i in range(len(keys))]
    order = pc.sort_indices(
        pa.RecordBatch.from_arrays(keys, names), [(name, "ascending", "at_start") for name in names]
    )
    return order.to_numpy()  # type: ignore[no-any-return]


def _key(column: pa.Array) -> pa.Array:
    """What Arrow sorts as the column should be."""
    column = decoded(column)
    kind = compared_type(column.type)
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.int8())
    return column if kind == column.type else column.cast(kind)


def _sorted(batch: pa.RecordBatch, by: Sequence[str]) -> pa.RecordBatch:
    order = order_of(batch, by)
    return batch if bool((order[1:] > order[:-1]).all()) else batch.take(pa.array(order))


def _pieces(run: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = max(_PIECE_BYTES * run.num_rows // max(run.nbytes, 1), 1)
    return (run.slice(begin, rows) for begin in range(0, run.num_rows, rows))


class _Run:
    """Rows in order, in a temporary file."""

    def __init__(self, files: ExitStack) -> None:
        with writing_temporary():
            handle, path = tempfile.mkstemp(prefix="dlbd-sort-")
            os.close(handle)
            try:
                self._out = files.enter_context(pa.OSFile(path, "w"))
                self._in = files.enter_context(pa.OSFile(path))
            finally:
                os.unlink(path)
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._last: pa.RecordBatch | None = None

    def goes_on_with(self, batch: pa.RecordBatch, by: Sequence[str]) -> bool:
        """Whether the batch, in order in itself, may stand behind what is there."""
        if self._last is None:
            return False
        edge = pa.concat_batches([self._last, batch.slice(0, 1)])
        return bool(order_of(edge, by)[0] == 0)

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        for batch in batches:
            with writing_temporary():
                if self._writer is None:
                    codec = "lz4" if pa.Codec.is_available("lz4") else None
                    options = pa.ipc.IpcWriteOptions(compression=codec)
                    self._writer = pa.ipc.new_stream(self._out, batch.schema, options=options)
                self._writer.write_batch(batch)
            self._last = batch.take([batch.num_rows - 1])  # a slice would keep all of its run in memory

    def read(self) -> Iterator[pa.RecordBatch]:
        """All of it, once; the file is gone then."""
        with writing_temporary():
            if self._writer is not None:
                self._writer.close()
            self._out.close()
        with self._in:
            yield from pa.ipc.open_stream(self._in)


@contextmanager
def writing_temporary(why: str = "rows are put in order") -> Iterator[None]:
    """SourceError where the folder of temporary files takes none, or no more."""
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{why} by temporary files in {tempfile.gettempdir()}, which cannot be written "
            f"(TMPDIR names another folder): {error}"
        ) from None


class _Spilled:
    """Runs in temporary files. Those of level n are of _FAN_IN runs of level n - 1 each."""

    def __init__(self, by: Sequence[str], files: ExitStack) -> None:
        self._by, self._files = by, files
        self._levels: list[list[_Run]] = [[]]

    def goes_on_with(self, batch: pa.RecordBatch) -> bool:
        """Whether the batch may stand behind the newest run."""
        newest = self._levels[0]
        return bool(newest) and newest[-1].goes_on_with(batch, self._by)

    def add(self, batch: pa.RecordBatch) -> None:
        if not self.goes_on_with(batch):
            self._make_room(0)
            self._levels[0].append(_Run(self._files))
        self._levels[0][-1].write(_pieces(batch))

    def _make_room(self, level: int) -> None:
        """Fewer than _FAN_IN runs of this level."""
        runs = self._levels[level]
        if len(runs) == _FAN_IN:
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._make_room(level + 1)
            run = _Run(self._files)
            run.write(piece for batch in _merged([r.read() for r in runs], self._by) for piece in _pieces(batch))
            self._levels[level + 1].append(run)
            runs.clear()

    def runs(self) -> list[Iterator[pa.RecordBatch]]:
        """All, in the order in which their rows came."""
        return [run.read() for run in chain.from_iterable(reversed(self._levels))]


class _Head:
    """What is in memory of a run: one to two pieces, and another one."""

    def __init__(self, run: Iterator[pa.RecordBatch], first: pa.RecordBatch) -> None:
        self._run, self._next = run, next(run, None)
        self._least = first.num_rows
        self.rows = first

    @property
    def goes_on(self) -> bool:
        """Whether rows are left behind those in memory."""
        return self._next is not None

    def fill(self) -> None:
        while self._next is not None and self.rows.num_rows < self._least:
            self.rows = pa.concat_batches([self.rows, self._next])
            self._next = next(self._run, None)


def _merged(runs: Sequence[Iterator[pa.RecordBatch]], by: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """One run of several.

    Each step sorts what is in memory of all of them. What is not comes behind the last row of its run that is: so all
    rows up to the first of these last ones are in place.
    """
    heads = [_Head(run, first) for run in runs if (first := next(run, None)) is not None]
    while heads:
        for head in heads:
            head.fill()
        sizes = np.array([head.rows.num_rows for head in heads])
        ends = sizes.cumsum()
        order = order_of(pa.concat_batches([head.rows.select(by) for head in heads]), by)
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        certain = min((place[end - 1] + 1 for end, head in zip(ends, heads, strict=True) if head.goes_on), default=None)
        order = order[:certain].astype(np.int64)
        # of each run they are the first ones: number the rows as if those alone stood one run after the other
        run = np.searchsorted(ends, order, side="right")
        taken = np.bincount(run, minlength=len(heads))
        order += ((taken.cumsum() - taken) - (ends - sizes))[run]
        parts = [head.rows.slice(0, count) for head, count in zip(heads, taken.tolist(), strict=True)]
        yield pa.concat_batches(parts).take(pa.array(order))
        for head, count in zip(heads, taken.tolist(), strict=True):
            head.rows = head.rows.slice(count)
        heads = [head for head in heads if head.rows.num_rows or head.goes_on]
