"""Batches of a source for a model, made by a thread while the model computes, in bounded memory.

The source's record batches become blocks of arrays by the model's features; blocks go through a pool that shuffles
their rows, or straight into one of three chunks of several batches each: one is trained on, one waits, one is filled.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlbd import random
from dlbd.backend import Array
from dlbd.data.arrow import pa
from dlbd.data.background import END, Background
from dlbd.data.shuffling import Pool
from dlbd.layers.preprocessing.host import resolved
from dlbd.models.batches import Batch, flat_structure, signature_of
from dlbd.models.limits import machine_memory
from dlbd.models.raw_rows import features_of

if TYPE_CHECKING:
    from dlbd.data.source import Source

MEMORY = 64_000_000  # bytes, unless another limit is asked for, or a few batches take more
_BATCHES = 24
_CHUNK = 1_000_000  # bytes: some batches, so that handing them over costs little, and they stay in the L2 cache
_CHUNKS = 3
_ROWS = 16384  # of a record batch, at most
_FIRST = 16  # rows that are transformed first, to see how large they are then
_READ = 10  # this part of the memory limit is read at a time
_COPIES = 5  # of a block's rows at once: read, joined, with some left out, as numbers, side by side
_SECONDS = 0.5  # what an interrupt waits for the thread


def learn_features(
    source: Source, model: Any, target: Any, features: Any, weight: str | None, rows: int | None = None
) -> None:
    """Let ``model.features`` be features that have learned: from the source, unless they have before.

    From all its rows, except those of records that may have no end: of an epoch's ``rows``, if they are given, and of
    an iterator's first ones, which can be read again.

    Raises:
        ValueError: there is no target, or another one than the model's features have.
        TypeError: ``weight`` is no column's name.
    """
    if weight is not None and not isinstance(weight, str):
        raise TypeError(f"sample_weight of a source is the name of a column; received a {type(weight).__name__}")
    if features is None:
        features = features_of(model)
    if features is None:
        if target is None:
            raise ValueError(f"fit(source) needs target=, one of the columns {source.schema.names}")
        from dlbd.data.features import Features  # which are learned from sources

        features = Features.infer(_to_learn_from(source, rows), target, weight=weight)
    else:
        _require_same("target", _names(features.target), _names(target))
        _require_same("weight", features.weight, weight)
    if not features.adapted:
        features.adapt(_to_learn_from(source, rows))
    model.features = features


def _to_learn_from(source: Source, rows: int | None) -> Source:
    """All rows, or the first ones of a source that may have no end."""
    reader = source.reader
    if getattr(reader, "once", False):
        source = replace(source, reader=reader.beginning())  # type: ignore[attr-defined]
    if rows is None or not getattr(reader, "endless", False):
        return source
    from dlbd.data.opening import open  # which makes sources

    return open(source.head(rows))


def _require_same(what: str, learned: Any, asked: Any) -> None:
    if asked is not None and asked != learned:
        raise ValueError(
            f"the features have the {what} {learned!r}; received {asked!r}: features= takes others, "
            "dlbd.data.Features.infer(source, target) for one"
        )


def _names(target: Any) -> Any:
    """The columns of a target, as a caller would name them."""
    if isinstance(target, Mapping):
        return {output: _names(column) for output, column in target.items()}
    if isinstance(target, (list, tuple)):
        return [_names(column) for column in target]
    return getattr(target, "name", target)


def count_classes(source: Source, features: Any) -> dict[int, int]:
    """How many rows there are of each class of the target, in a pass over the source.

    Raises:
        ValueError: the target is no class.
    """
    if features.classes is None:
        raise ValueError(
            f'class_weight="balanced" is for a target that is a class, dlbd.data.Target("label", kind="class"); '
            f"the features have {features.target!r}"
        )
    counts: Counter[int] = Counter()
    with closing(features.needed(source, True).batches()) as batches:
        for block in features.blocks(batches, True):
            classes, found = np.unique(block.y, return_counts=True)
            counts.update(dict(zip(classes.tolist(), found.tolist(), strict=True)))
    return dict(counts)


class Chunk(NamedTuple):
    """Some batches, one after the other."""

    arrays: Sequence[Array]
    size: int


class Streaming:
    """What :meth:`dlbd.data.Source.batches_for` gives: see :class:`dlbd.models.batches.Source`.

    Args:
        source: the rows.
        model: whose ``features`` make its inputs and targets of them.
        adapt: gets (x, y, sample_weight) and gives them as the model takes them.
        batch_size: rows per batch; the last one may be smaller.
        shuffle: another order in every epoch, from :mod:`dlbd.random`.
        targets: whether there are any: not for ``predict``.
        memory_limit: bytes that buffers, blocks and the pool take together at most; None for :data:`MEMORY`, or what
            batches and ``shuffle_buffer`` need.
        shuffle_buffer: places of the pool; None for as many as the limit allows.
        ahead: no more rows than these are waited for at a time; None for as many as the limit allows.

    Attributes:
        steps: batches of an epoch, where their number is known without reading the rows.
        kept: which rows became inputs, after an epoch without targets, where some did not; otherwise None.
        nothing: a batch's arrays without rows, once an epoch has begun.

    Raises:
        ValueError: a column is missing, or a batch or the pool does not fit into the memory limit.
    """

    def __init__(
        self,
        source: Source,
        model: Any,
        adapt: Callable[[Any, Any, Any], tuple[Any, Any, Any]],
        *,
        batch_size: int,
        shuffle: bool,
        targets: bool,
        memory_limit: int | None,
        shuffle_buffer: int | None,
        ahead: int | None = None,
    ) -> None:
        for name, n in (("batch_size", batch_size), ("shuffle_buffer", shuffle_buffer)):
            if n is not None and n < 1:
                raise ValueError(f"{name} must be at least 1; received {n}")
        self._model, self._features, self._adapt = model, model.features, adapt
        self._source = model.features.needed(source, targets)
        samples = model.features.samples(source, targets)
        self.steps = None if samples is None else -(-samples // batch_size)
        self._batch_size, self._shuffle, self._targets = batch_size, shuffle, targets
        self._asked, self._places = memory_limit, shuffle_buffer
        self._limit = memory_limit or MEMORY
        self._ahead = ahead or sys.maxsize
        self._rows_at_once = _FIRST  # of a block
        self._raw = 0  # bytes of a row that is read
        self._masks: list[Array] = []
        self.structure: tuple[Any, Any, Any] = (0, None, None)
        self.nothing: Sequence[Array] | None = None

    def epoch(self) -> Generator[Batch, None, None]:
        order = np.random.default_rng(random.generator().integers(2**63)) if self._shuffle else None
        size = self._batch_size
        reading = Background(lambda: self._chunks(order), f"dlbd.data {self._source.name}", 1)
        try:
            while (chunk := reading.get()) is not END:
                whole = signature_of(chunk.arrays, size, self._model.dtype)
                for start in range(0, chunk.size, size):
                    if reading.error is not None:
                        raise reading.error
                    n = min(size, chunk.size - start)
                    signature = whole if n == size else signature_of(chunk.arrays, n, self._model.dtype)
                    yield Batch(chunk.arrays, slice(start, start + n), n, signature)
        finally:
            reading.close(_SECONDS)

    @property
    def kept(self) -> Array | None:
        whole = all(mask.all() for mask in self._masks)
        return None if whole else np.concatenate(self._masks)

    def _chunks(self, order: np.random.Generator | None) -> Generator[Chunk, None, None]:
        """All rows, in the thread: a chunk may be written to again when two more have been taken."""
        filling: _Filling | None = None
        pool: Pool | None = None
        with closing(self._blocks()) as blocks:
            for arrays in blocks:
                n = len(arrays[0])
                if filling is None:
                    rows, places = self._sizes(arrays)
                    filling = _Filling(arrays, rows)
                    pool = None if order is None else Pool(arrays, places, rows, order)
                if not n:
                    continue
                if pool is None:
                    yield from filling.put(n, lambda begin, end, into: _copy(arrays, begin, end, into))  # noqa: B023
                    continue
                first = min(pool.free, n)
                pool.fill([a[:first] for a in arrays])
                exchange = pool.exchange
                yield from filling.put(
                    n - first,
                    lambda begin, end, into: exchange([a[first + begin : first + end] for a in arrays], into),  # noqa: B023
                )
        if filling is not None:
            if pool is not None:
                last, draw = pool.last(), pool.draw
                yield from filling.put(len(last), lambda begin, end, into: draw(last[begin:end], into))
            yield from filling.rest()

    def _blocks(self) -> Generator[Sequence[Array], None, None]:
        """The arrays of each block; of raw rows to predict one at least, perhaps without rows."""
        self._masks, self._rows_at_once = [], _FIRST
        with closing(self._pieces()) as pieces:
            for block in self._features.blocks(pieces, self._targets):
                x = self._features.arrange(block.x, self._model)
                self.structure, hosted = flat_structure(*self._adapt(x, block.y, block.weight))
                arrays: Sequence[Array] = resolved(hosted, None)
                if not self._targets:
                    self._masks.append(np.ones(block.size, bool) if block.kept is None else block.kept)
                if self.nothing is None:
                    self.nothing = [a[:0] for a in arrays]
                yield arrays

    def _pieces(self) -> Generator[pa.RecordBatch, None, None]:
        """Record batches of as many rows as fit; few at first, as nobody knows yet how large they get."""
        source = self._source
        self._raw = sum(_width(field.type) for field in source.schema)
        any_yet = False
        with closing(source.batches(self._rows_of(self._raw, self._limit), most_bytes=self._limit // _READ)) as batches:
            for batch in batches:
                start = 0
                while start < batch.num_rows:
                    piece = batch.slice(start, self._rows_at_once)
                    start += piece.num_rows
                    any_yet = True
                    yield piece
        if not any_yet and not self._targets:  # to know the arrays of no rows
            yield pa.RecordBatch.from_pylist([], schema=source.schema)

    def _rows_of(self, width: int, limit: int) -> int:
        """How many rows of so many bytes are read at a time."""
        return max(1, min(_ROWS, self._ahead, limit // _READ // max(1, width)))

    def _sizes(self, arrays: Sequence[Array]) -> tuple[int, int]:
        """Rows of a chunk, and places of the pool; and from now on the rows of a block."""
        row = max(1, sum(int(np.prod(a.shape[1:], dtype=np.int64)) * a.dtype.itemsize for a in arrays))
        batch = row * self._batch_size
        if self._asked is None:
            self._limit = max(MEMORY, _BATCHES * batch)
        wider = max(row, self._raw)

        def chunk_of(limit: int) -> int:
            return batch * max(1, min(limit // 16, _CHUNK, self._ahead * row) // batch)

        def places_of(limit: int) -> int:
            left = limit - _CHUNKS * chunk_of(limit) - _COPIES * wider * self._rows_of(wider, limit)
            return left // (row + 8)  # to draw places takes a number for each

        self._rows_at_once = self._rows_of(wider, self._limit)
        chunk, most = chunk_of(self._limit), places_of(self._limit)
        if most < 1:
            least = bisect_left(range(40 * (batch + wider + 8)), 1, key=places_of)
            raise ValueError(
                f"memory_limit={self._limit} is too small: one batch of {self._batch_size} rows takes {batch} bytes, "
                f"and several are read at a time; {least} is enough"
            )
        if self._places is not None and self._places * row > machine_memory():
            raise ValueError(
                f"shuffle_buffer={self._places} rows of {row} bytes are more memory than there is: "
                f"{machine_memory() // 10**6}MB"
            )
        if self._asked is not None and self._places is not None and self._places > most:
            raise ValueError(
                f"shuffle_buffer={self._places} rows of {row} bytes do not fit into memory_limit={self._limit}: "
                f"{most} would"
            )
        return chunk // row, self._places or min(most, self._ahead)


class _Filling:
    """Chunks of equal size, filled in turn."""

    def __init__(self, like: Sequence[Array], rows: int) -> None:
        self._chunks = [[np.empty((rows, *a.shape[1:]), a.dtype) for a in like] for _ in range(_CHUNKS)]
        self._rows, self._at, self._filled = rows, 0, 0

    def put(self, n: int, write: Callable[[int, int, Sequence[Array]], None]) -> Iterator[Chunk]:
        """Put in ``n`` rows, of which ``write(begin, end, into)`` copies some; gives the chunks that are full."""
        begin = 0
        while begin < n:
            end = min(n, begin + self._rows - self._filled)
            filled = self._filled + end - begin
            write(begin, end, [a[self._filled : filled] for a in self._chunks[self._at]])
            begin, self._filled = end, filled
            if filled == self._rows:
                yield from self.rest()

    def rest(self) -> Iterator[Chunk]:
        """The chunk that is being filled, if there is anything in it."""
        if self._filled:
            chunk = Chunk(self._chunks[self._at], self._filled)
            self._at, self._filled = (self._at + 1) % _CHUNKS, 0
            yield chunk


def _copy(arrays: Sequence[Array], begin: int, end: int, into: Sequence[Array]) -> None:
    for a, out in zip(arrays, into, strict=True):
        out[:] = a[begin:end]


def _width(kind: pa.DataType) -> int:
    """Bytes of a value; of text and the like a guess."""
    try:
        return max(1, kind.bit_width // 8)  # type: ignore[no-any-return]
    except ValueError:
        return 32
