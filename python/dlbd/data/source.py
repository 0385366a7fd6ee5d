"""Source: a named, typed stream of record batches, wherever the rows live."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import and_
from typing import Any, TypeVar

from dlbd.backend import Array
from dlbd.data.arrow import alike, cast, decoded, pa, pc, require_distinct
from dlbd.data.deadline import watched
from dlbd.data.expressions import Expression, col, value_type
from dlbd.data.fitting import fitted
from dlbd.data.parts import Part, edges
from dlbd.data.reader import Reader
from dlbd.data.rechunking import rechunked
from dlbd.data.sorting import order_of, require_order, sorted_batches
from dlbd.data.streaming import Streaming, count_classes, learn_features
from dlbd.models.limits import bytes_of

T = TypeVar("T")

# Rows of a batch, unless another number is asked for.
ROWS = 16384
_BLOCK = 20  # rows among which a split meets its fractions


@dataclass(frozen=True)
class Source:
    """Rows that lie somewhere else, read batch by batch: what :func:`dlbd.data.open` gives.

    A source holds no rows. It is not changed by its methods, which give other sources.

    Attributes:
        schema: names and types of its columns, pyarrow's.
        name: where it comes from, without a password.
        order_by: the columns by which its rows are in order; empty for the store's own order.
        timeout: seconds without a sign of life from a server after which reading it is an error.

    Example:
        >>> rows = dlbd.data.open({"x": [1.0, 2.0, 3.0], "label": ["a", "b", "a"]})
        >>> rows.schema.names, rows.count()
        (['x', 'label'], 3)
        >>> rows.select(["x"]).to_numpy()["x"]
        array([1., 2., 3.])
    """

    reader: Reader
    schema: pa.Schema
    stored: pa.Schema  # all columns of the reader, in the types that they are declared to have
    order_by: tuple[str, ...] = ()
    timeout: float = 30.0
    filters: tuple[Expression | Part, ...] = ()
    encoded: frozenset[str] = frozenset()  # columns of text of which a batch may have indices of distinct values

    @property
    def name(self) -> str:
        return self.reader.name

    @property
    def ordered(self) -> bool:
        """Whether each reading gives the rows in the same order."""
        return bool(self.order_by) or self.reader.ordered

    def __repr__(self) -> str:
        columns = ", ".join(f"{f.name}: {f.type}" for f in self.schema)
        order = f"by {', '.join(self.order_by)}" if self.order_by else "as stored" if self.ordered else "none"
        return f"<Source {self.name} ({columns}); order: {order}>"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        rows = self._rows(self.schema.names)
        return pa.RecordBatchReader.from_batches(self.schema, rows).__arrow_c_stream__(requested_schema)

    # Other sources

    def select(self, columns: Sequence[str]) -> Source:
        """Only these columns, in this order.

        Raises:
            ValueError: one does not exist or is there twice, or there is none.
        """
        if isinstance(columns, str):
            raise TypeError(f"columns is a list of names; received {columns!r}")
        if not columns:
            raise ValueError(f"{self.name}: columns names none; it has {self.schema.names}")
        require_distinct(columns, self.name)
        return replace(self, schema=pa.schema([self._field(name, self.schema) for name in columns]))

    def where(self, condition: Expression) -> Source:
        """Only the rows that meet a condition on columns; see :func:`dlbd.data.col`.

        The store itself leaves rows out where it can.

        Raises:
            ValueError: a column does not exist, or does not compare with its value; the message has both.
        """
        if not isinstance(condition, Expression):
            raise TypeError(f'a condition is made of columns: dlbd.data.col("age") > 30; received {condition!r}')
        for name in sorted(condition.columns):
            self._field(name, self.stored)
        source = replace(self, filters=(*self.filters, condition))
        source.require_fitting()
        return source

    def require_fitting(self) -> None:
        """ValueError if a condition has a value that does not compare with its column."""
        _ = self._fitted

    @cached_property
    def _fitted(self) -> tuple[Expression | Part, ...]:
        """The filters, with values of their columns' types."""
        return tuple(f if isinstance(f, Part) else fitted(f, self.stored, self.name) for f in self.filters)

    def split(self, *, by: str | None = None, in_order: bool = False, seed: int = 0, **fractions: float) -> Any:
        """Disjoint parts of the rows, the same at every reading, without holding the rows.

        Args:
            by: the column whose hash decides: equal values stay together, and added rows change no other row's part.
                None (the default): the row's number decides, which needs an order of rows.
            in_order: divide by the values of ``by`` instead, the smallest into the first part (for times); equal
                values stay together. The column is read once for it; rows without a value there are in no part.
            seed: another one gives another division; 0 by default.
            fractions: name and size of each part: ``train=0.8, validation=0.1, test=0.1``. By the row's number they are
                met in every 20 rows, as far as they are multiples of 5%; by a column on average, as with any random
                division.

        Returns:
            A named tuple of sources.

        Raises:
            ValueError: the fractions are not positive or sum up to more than 1, the column does not exist, or there is
                no order of rows and no column.

        Example:
            >>> rows = dlbd.data.open({"x": np.arange(1000)})
            >>> train, test = rows.split(train=0.8, test=0.2, by="x")
            >>> train.count() + test.count()
            1000
            >>> rows.split(old=0.9, new=0.1, by="x", in_order=True).new.to_numpy()["x"].min().item()
            900
        """
        intervals = edges(list(fractions.values()))
        parts: list[Source]
        if in_order:
            parts = self._in_order(by, intervals)
        else:
            self._require_key(by)
            parts = [self._part(by, seed, (interval,), _BLOCK) for interval in intervals]
        return namedtuple("Split", tuple(fractions))(*parts)  # type: ignore[arg-type]

    def k_folds(self, k: int, *, by: str | None = None, seed: int = 0) -> list[tuple[Source, Source]]:
        """``k`` pairs (the other folds, one fold): each row is in the second of exactly one pair.

        Args:
            k: at least 2.
            by, seed: as for :meth:`split`. Without ``by`` the folds have the same size, but for a row.

        Example:
            >>> rows = dlbd.data.open({"x": np.arange(100)})
            >>> sum(held_out.count() for _, held_out in rows.k_folds(5))
            100
        """
        if k < 2:
            raise ValueError(f"there are at least 2 folds; received k={k}")
        self._require_key(by)
        folds = edges([1 / k] * k)
        return [
            (self._part(by, seed, tuple(f for f in folds if f is not fold), k), self._part(by, seed, (fold,), k))
            for fold in folds
        ]

    def _part(self, by: str | None, seed: int, intervals: tuple[tuple[float, float], ...], block: int) -> Source:
        # a part of a part divides by other numbers: of the same ones one half would have everything
        depth = sum(isinstance(f, Part) for f in self.filters)
        return replace(self, filters=(*self.filters, Part(by, seed * 1000 + depth, intervals, block)))

    def _require_key(self, by: str | None) -> None:
        if by is not None:
            self._divider(by)
        elif not self.ordered:
            raise ValueError(
                f"{self.name} has no order of rows, so that a row's number says nothing: pass by=COLUMN, or open it "
                "with order_by="
            )

    def _divider(self, by: str) -> pa.DataType:
        """The type of a column that tells rows apart."""
        kind = self._field(by, self.stored).type
        values = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        if pa.types.is_nested(values) or pa.types.is_interval(values):
            raise ValueError(f"{self.name}: column {by!r} holds values of type {kind}, which divide no rows")
        return kind

    def _in_order(self, by: str | None, intervals: list[tuple[float, float]]) -> list[Source]:
        if by is None:
            raise ValueError("in_order=True divides by the values of a column: pass by=COLUMN")
        kind = self._divider(by)
        require_order(self.stored.field(by), self.name)
        columns = [decoded(batch.column(0)) for batch in self._rows([by])]
        values = pc.drop_null(pa.concat_arrays(columns or [pa.array([], value_type(kind))]))
        if pa.types.is_floating(values.type):
            values = values.filter(pc.invert(pc.is_nan(values)))
        if not len(values):
            raise ValueError(f"{self.name}: column {by!r} has no values to divide by")
        order = order_of(pa.record_batch({by: values}), [by])
        ends = [min(round(end * len(values)), len(values)) for _, end in intervals]
        limits = [values[order[end].item()] if end < len(values) else None for end in ends]
        parts, column = [], col(by)
        for lower, upper in zip([None, *limits[:-1]], limits, strict=True):
            bounds = [column >= lower] * (lower is not None) + [column < upper] * (upper is not None)
            parts.append(self.where(reduce(and_, bounds or [column >= values[order[0].item()]])))
        return parts

    def _field(self, name: str, schema: pa.Schema) -> pa.Field:
        if schema.get_field_index(name) < 0:
            raise ValueError(f"{self.name} has no column {name!r}; it has {schema.names}")
        return schema.field(name)

    # Rows

    def batches(self, rows: int = ROWS, most_bytes: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        """All rows, in batches of exactly ``rows``; the last one has what is left.

        Args:
            rows: 16,384 by default.
            most_bytes: a batch has fewer rows where their values would take more bytes; None (the default): never.

        Raises:
            SourceError: the source cannot be read, or holds what its declared types do not allow.
        """
        if rows < 1:
            raise ValueError(f"rows must be at least 1; received {rows}")
        yield from rechunked(self._rows(self.schema.names), rows, most_bytes)

    def _rows(self, columns: Sequence[str]) -> Generator[pa.RecordBatch, None, None]:
        """What the reader gives, in the declared types, without the rows that the filters leave out."""
        pushed = self._pushed()
        where = reduce(and_, pushed) if pushed else None
        read = list(dict.fromkeys([*columns, *self.order_by, *(c for f in self.filters for c in _columns(f))]))
        schema = pa.schema([self.stored.field(name) for name in read])
        wanted = pa.schema([self.stored.field(name) for name in columns])
        numbers = [0] * len(self.filters)
        encoded = self.encoded.intersection(columns).difference(*map(_columns, self.filters), self.order_by)
        with closing(self._scan(schema, where, encoded)) as scan:
            for batch in scan:
                for i, condition in enumerate(self._fitted):
                    count = batch.num_rows
                    if isinstance(condition, Part):
                        batch = batch.filter(pa.array(condition.mask(batch, numbers[i])))
                    else:
                        batch = batch.filter(condition.to_arrow())
                    numbers[i] += count
                if batch.num_rows:
                    yield batch.select(wanted.names)

    def _scan(
        self, schema: pa.Schema, where: Expression | None, encoded: frozenset[str]
    ) -> Generator[pa.RecordBatch, None, None]:
        reader = copy(self.reader)  # what a scan opens is its own: abort ends no other
        order = self.order_by if reader.sorts and self._stored_alike(self.order_by) else ()
        if order != self.order_by:
            encoded = frozenset()
        elif hasattr(reader, "encoded"):
            reader.encoded = encoded

        def scan() -> Generator[pa.RecordBatch, None, None]:
            return reader.scan(schema.names, where, order, ROWS)

        def typed() -> Generator[pa.RecordBatch, None, None]:
            with closing(self._watched(reader, scan) if reader.remote else scan()) as batches:
                for batch in batches:
                    yield cast(batch, schema, self.name, encoded)

        return typed() if order == self.order_by else sorted_batches(typed(), self.order_by, ROWS)

    def _watched(self, reader: Reader, make: Callable[[], Generator[T, None, None]]) -> Generator[T, None, None]:
        return watched(make, self.timeout, self.name, reader.abort, getattr(reader, "progress", lambda: None))

    def _pushed(self) -> list[Expression]:
        """The conditions that the store may check itself: those before a part by the row's number, on columns that it
        compares as their declared types do.
        """
        pushed = []
        for condition in self._fitted:
            if isinstance(condition, Part):
                if condition.by is None:
                    break
            elif self._stored_alike(condition.columns):
                pushed.append(condition)
        return pushed

    def _stored_alike(self, columns: Iterable[str]) -> bool:
        return all(alike(self.stored.field(c).type, self.reader.schema.field(c).type) for c in columns)

    def count(self) -> int:
        """How many rows there are."""
        pushed = self._pushed()
        if len(pushed) == len(self.filters):
            reader, where = copy(self.reader), reduce(and_, pushed) if pushed else None

            def counted() -> Generator[int | None, None, None]:
                yield reader.count(where)

            known = next(self._watched(reader, counted) if reader.remote else counted())
            if known is not None:
                return known
        return sum(batch.num_rows for batch in self._rows(self.schema.names[:1]))

    def known_count(self) -> int | None:
        """How many rows there are, where the store says so at once; None where it would have to look at them."""
        if self.filters or self.reader.remote or getattr(self.reader, "counts_by_reading", False):
            return None
        return copy(self.reader).count(None)

    def head(self, rows: int = 5, most_bytes: int | None = None) -> pa.Table:
        """The first rows, as a table of pyarrow; fewer where they take more bytes, if ``most_bytes`` says so."""
        with closing(self.batches(rows, most_bytes)) as batches:
            return pa.Table.from_batches([b for b in [next(batches, None)] if b is not None], self.schema)

    def to_arrow(self) -> pa.Table:
        """All rows as one table of pyarrow, in memory."""
        return pa.Table.from_batches(self._rows(self.schema.names), self.schema)

    def to_numpy(self) -> dict[str, Array]:
        """All rows as one NumPy array per column, in memory. Integers with NULLs become floats, text objects."""
        table = self.to_arrow()
        return {name: _decoded(table[name]).to_numpy() for name in table.column_names}

    # Training: what dlbd.models.batches.RawRows says

    def learn_features(
        self, model: Any, target: Any, features: Any, weight: str | None, rows: int | None = None
    ) -> None:
        """Called by ``fit``: see :meth:`dlbd.Model.fit`."""
        learn_features(self, model, target, features, weight, rows)

    def batches_for(
        self,
        model: Any,
        adapt: Callable[[Any, Any, Any], tuple[Any, Any, Any]],
        *,
        targets: bool,
        batch_size: int,
        shuffle: bool = False,
        memory_limit: int | str | None = None,
        shuffle_buffer: int | None = None,
        rows: int | None = None,
    ) -> Streaming:
        """Called by ``fit``, ``evaluate`` and ``predict``: see :meth:`dlbd.Model.fit`."""
        return Streaming(
            self,
            model,
            adapt,
            batch_size=batch_size,
            shuffle=shuffle,
            targets=targets,
            memory_limit=None if memory_limit is None else bytes_of(memory_limit),
            shuffle_buffer=shuffle_buffer,
            ahead=rows if getattr(self.reader, "endless", False) else None,
        )

    def class_counts(self, model: Any) -> dict[int, int]:
        """Called by ``fit`` for ``class_weight="balanced"``."""
        return count_classes(self, model.features)


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # NumPy's own way takes NULL for the last of the distinct values
    return pa.chunked_array(map(decoded, column.chunks)) if column.null_count else column


def _columns(condition: Expression | Part) -> list[str]:
    if isinstance(condition, Part):
        return [] if condition.by is None else [condition.by]
    return sorted(condition.columns)
