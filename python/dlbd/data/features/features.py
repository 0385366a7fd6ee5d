"""Features: from rows of a table to the arrays of a model, learned in one pass over the training rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa
from dlbd.data.features.block import Block, arranged
from dlbd.data.features.column import FLOAT32, Column, RowError, float64s, rows_named
from dlbd.data.features.configuration import part_from_config, target_config, target_from_config
from dlbd.data.features.matrix import Matrix
from dlbd.data.features.privacy import Pseudonyms
from dlbd.data.features.rows import DropMissing, RowStep, narrowed, remaining
from dlbd.data.features.target import Target
from dlbd.data.features.targets import as_targets, listed, transformed, with_columns
from dlbd.data.features.window import Window, Windows
from dlbd.data.source import ROWS, Source
from dlbd.saving import register_keras_serializable

# Bytes of a batch of wide rows: what is read, and what becomes of it, stays within some dozens of megabytes.
_BATCH_BYTES = 1 << 24
_LEAST_ROWS = 64
_IMAGE_BYTES = 1 << 16  # of an encoded image, about


class _Seen(NamedTuple):
    """The source that features have learned from, and how many rows that were."""

    reader: ref[Any]
    filters: tuple[Any, ...]
    rows: int


@register_keras_serializable("dlbd")
class Features:
    """What a model takes of the columns of a table: learned from the training rows, saved inside the model.

    Columns that are not named are never read.

    Args:
        columns: :class:`Number`, :class:`Category`, :class:`Vector`, ... each with the name of a column.
        target: what to learn to tell: a column's name, or one such object, :class:`Target` for classes and numbers; a
            list of them for several numbers; a dict of them for a model with several outputs; None for none.
        weight: the column with the weight of each row; None for none.
        rows: :class:`DropMissing`, :class:`DropDuplicates`: rows that are left out, in this order.
        window: a :class:`Window` makes samples of successive rows of a time series; None: each row is a sample.
        pseudonyms: {column: key}: columns whose values a keyed hash replaces before anything else sees them; 16 to 64
            bytes each, None for the key in the environment's ``DLBD_PSEUDONYM_KEY``. No file holds the keys.

    Example:
        >>> rows = dlbd.data.open({"age": [20, 40], "city": ["Oslo", "Bonn"], "buys": [True, False]})
        >>> features = dlbd.data.Features(
        ...     [dlbd.data.Number("age", scale="minmax"), dlbd.data.Category("city")], target="buys"
        ... )
        >>> features.adapt(rows)
        >>> x, y = features.to_numpy(rows)
        >>> x
        array([[0., 0., 0., 1.],
               [1., 0., 1., 0.]], dtype=float32)
        >>> y
        array([1, 0])
    """

    def __init__(
        self,
        columns: Sequence[Column],
        target: str | Column | Sequence[str | Column] | Mapping[str, str | Column] | None = None,
        *,
        weight: str | None = None,
        rows: Sequence[RowStep] = (),
        window: Window | None = None,
        pseudonyms: Mapping[str, str | bytes | None] | None = None,
    ) -> None:
        self.inputs = tuple(columns)
        self.target = as_targets(target)
        self.weight = weight
        self.rows = tuple(rows)
        self.window = window
        self.pseudonyms = Pseudonyms(pseudonyms)
        self._seen: _Seen | None = None
        if not self.inputs or not all(isinstance(c, Column) for c in self.inputs):
            raise TypeError(f'columns are objects such as dlbd.data.Number("age"), at least one; received {columns!r}')
        names = [c.name for c in self.inputs]
        twice = [name for i, name in enumerate(names) if name in set(names[:i])]
        if twice:
            raise ValueError(f"column {twice[0]!r} is there twice")
        known = set(self.columns_with_target)
        for name in [*self.pseudonyms.columns, *(c for step in self.rows for c in step.columns or ())]:
            if name not in known:
                raise ValueError(f"column {name!r} is not among those that the features read: {sorted(known)}")

    def __repr__(self) -> str:
        parts = ", ".join(map(repr, self.inputs))
        return f"Features([{parts}], target={self.target!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_seen": None}

    # What it is made of

    @property
    def columns(self) -> list[str]:
        """The columns that it reads, without target and weight."""
        by = [] if self.window is None or self.window.by is None else [self.window.by]
        return list(dict.fromkeys([*(c.name for c in self.inputs), *by]))

    @property
    def columns_with_target(self) -> list[str]:
        """The columns that it reads for training."""
        weight = [] if self.weight is None else [self.weight]
        return list(dict.fromkeys([*self.columns, *(t.name for t in listed(self.target)), *weight]))

    @property
    def adapted(self) -> bool:
        """Whether there is nothing left to learn."""
        kind = pa.null()
        return all(c.learned is not None or c.statistics(kind) is None for c in (*self.inputs, *listed(self.target)))

    @property
    def classes(self) -> list[Any] | None:
        """The classes of the target, in the order of a model's outputs; None where it is none, or has none."""
        return self.target.classes if isinstance(self.target, Target) else None

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one row of each column's numbers."""
        if self.window is not None:
            return {"window": (self.window.length, sum(prod(c.shape) for c in self.inputs))}
        return {c.name: c.shape for c in self.inputs}

    @property
    def output_dtypes(self) -> dict[str, np.dtype[Any]]:
        """The dtype of each column's numbers."""
        return {"window": FLOAT32} if self.window is not None else {c.name: c.dtype for c in self.inputs}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row in a model with one input: ``(width,)`` of all columns side by side; of a single column
        its own.
        """
        shapes = list(self.output_shapes.values())
        return shapes[0] if len(shapes) == 1 else (sum(prod(shape) for shape in shapes),)

    @property
    def width(self) -> int:
        """How many numbers one row has."""
        return sum(prod(shape) for shape in self.output_shapes.values())

    # Learning

    def adapt(self, source: Source) -> None:
        """Learn from all rows of a source, in one pass; what was learned before is replaced.

        What is learned depends on the rows, their types and their order alone, to the last bit.

        Args:
            source: the training rows, and no others.

        Raises:
            ValueError: a column does not exist, there are no rows, a value cannot be used, or the target has one class
                only.
            SourceError: the source cannot be read.
        """
        whole, source = source, self.needed(source, targets=True)
        parts = [*self.inputs, *listed(self.target)]
        learning = [(c, c.statistics(source.schema.field(c.name).type)) for c in parts]
        steps = self._steps(training=True)
        deciding = [c for step in steps for c in step.columns or self.columns_with_target]
        names = list(dict.fromkeys([*(c.name for c, statistics in learning if statistics is not None), *deciding]))
        if not names:
            return
        source, seen = source.select(names), 0
        with closing(source.batches(self.batch_rows(source.schema), _BATCH_BYTES)) as batches:
            for batch, first, kept in remaining(batches, names, steps, self.pseudonyms):
                seen += batch.num_rows
                given = dict(zip(batch.schema.names, batch.columns, strict=True))
                with rows_named(first, kept):
                    for column, statistics in learning:
                        if statistics is not None:
                            statistics.add(given[column.name])
        if not seen:
            raise ValueError(f"{source.name} has no rows to learn from")
        learned = [c if s is None else replace(c, learned=s.result()) for c, s in learning]
        self.inputs = tuple(learned[: len(self.inputs)])
        self.target = with_columns(self.target, learned[len(self.inputs) :])
        self._seen = _Seen(ref(whole.reader), whole.filters, seen)

    def set_keys(self, keys: Mapping[str, str | bytes]) -> None:
        """Give the keys of pseudonyms to features that were loaded from a file.

        Raises:
            ValueError: it is another key than that of training.
        """
        self.pseudonyms.set_keys(keys)

    # Transforming

    def read(self, source: Source, targets: bool = True, rows: int | None = None) -> Generator[Block, None, None]:
        """The blocks of all rows of a source.

        Args:
            source: it has all columns.
            targets: whether target and weight are read too.
            rows: of a batch; by default as many as memory likes.
        """
        return self.blocks(self.batches(self.needed(source, targets), rows), targets)

    def batches(self, source: Source, rows: int | None = None) -> Generator[pa.RecordBatch, None, None]:
        """All rows of a source, so many at a time that what becomes of them stays small, too."""
        rows = rows or min(self.batch_rows(source.schema), _rows_of(self.width * FLOAT32.itemsize))
        return source.batches(rows, _BATCH_BYTES)

    def paired(self, batches: Iterable[pa.RecordBatch]) -> Generator[tuple[pa.RecordBatch, Block], None, None]:
        """Each batch, and its block without targets."""
        read: deque[pa.RecordBatch] = deque()

        def noted() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                read.append(batch)
                yield batch

        for block in self.blocks(noted(), targets=False):
            yield read.popleft(), block

    def blocks(self, batches: Iterable[pa.RecordBatch], targets: bool) -> Generator[Block, None, None]:
        """One block per batch, of the rows that are not left out.

        Args:
            batches: with all columns, in any order; an iterator is closed at the end.
            targets: whether target and weight are read too, and rows left out that are in training only.

        Raises:
            ValueError: a column is missing, nothing was learned yet, or a value cannot be used; the message has the
                row, counted from 0.
        """
        with closing(batches) if isinstance(batches, Generator) else nullcontext():
            matrix = Matrix(self.inputs if len(self.inputs) > 1 else ())
            windows = None if self.window is None else Windows(self.window, targets)
            names = self.columns_with_target if targets else self.columns
            for batch, first, kept in remaining(batches, names, self._steps(targets), self.pseudonyms):
                with rows_named(first, kept):
                    block = self._block(batch, matrix, targets)
                if windows is not None:
                    by = self.window.by  # type: ignore[union-attr]
                    block = windows.block(block, None if by is None else decoded(batch.column(by)))
                if kept is not None:
                    block.kept = kept if block.kept is None else narrowed(kept, block.kept)
                yield block

    def _block(self, batch: pa.RecordBatch, matrix: Matrix, targets: bool) -> Block:
        given = dict(zip(batch.schema.names, batch.columns, strict=True))
        vectors = matrix.transform(given, batch.num_rows)
        x = {
            c.name: vectors[:, place] if (place := matrix.places.get(c.name)) else c.transform(given[c.name])
            for c in self.inputs
        }
        if not targets:
            return Block(x, None, None, batch.num_rows)
        return Block(x, transformed(self.target, given), self._weights(given), batch.num_rows)

    def _weights(self, given: Mapping[str, pa.Array]) -> Array | None:
        if self.weight is None:
            return None
        with np.errstate(over="ignore"):
            weight = float64s(given[self.weight], self.weight).astype(FLOAT32)
        wrong = ~((weight >= 0) & np.isfinite(weight))
        if wrong.any():
            row = int(wrong.argmax())
            raise RowError(row, f"weight {self.weight!r} is {given[self.weight][row].as_py()}: it must be at least 0")
        return weight

    def _steps(self, training: bool) -> list[RowStep]:
        dropping = tuple(c.name for c in self.inputs if c.drops_rows)
        steps = [*([DropMissing(dropping)] if dropping else []), *self.rows]
        return [step for step in steps if training or not step.training_only]

    def samples(self, source: Source, targets: bool) -> int | None:
        """How many samples it makes of a source, where that is known without reading its rows: as it has learned from
        them, or the store says how many there are.
        """
        if self.window is not None:
            return None
        seen = self._seen
        if targets and seen is not None and seen.reader() is source.reader and seen.filters == source.filters:
            return seen.rows
        return None if self._steps(targets) else source.known_count()

    def raw_rows(self, rows: Any) -> Source:
        """What a model gets in place of arrays, as a source: a table, a record (a dict), or a list of these."""
        from dlbd.data.opening import open

        if isinstance(rows, (list, tuple)):
            if not rows:
                return open({name: pa.nulls(0) for name in self.columns})
            if not self._is_record(rows[0]):
                return self.raw_stream(rows[0], rows)
            return open(rows, sample=len(rows))  # a column of whole numbers may have a fraction in the last one
        if self._is_record(rows):
            return open([rows])
        if (isinstance(rows, Mapping) or hasattr(rows, "iloc")) and all(name in rows for name in self.columns):
            names = [name for name in self.columns_with_target if name in rows]  # Arrow may not take the others
            rows = {name: rows[name] for name in names} if isinstance(rows, Mapping) else rows[names]
        return open(rows)

    def raw_stream(self, first: Any, stream: Iterable[Any]) -> Source:
        """Many of them, one after the other, as a source.

        Args:
            first: of them.
            stream: all of them; an iterator can be read once.
        """
        from dlbd.data.opening import open

        if self._is_record(first):
            return open(stream)

        def tables() -> Iterator[pa.Table]:
            return (self.raw_rows(item).to_arrow() for item in stream)

        return open(tables() if isinstance(stream, Iterator) else tables)

    def _is_record(self, row: Any) -> bool:
        """Whether a dict has the values of one row, and not columns."""
        if not isinstance(row, Mapping):
            return False
        for column in self.inputs:
            if column.name in row:
                return _depth(row[column.name]) <= column.depth
        return False

    def arrange(self, x: Mapping[str, Array], model: Any) -> Any:
        """The columns of a block as a model takes them.

        A model with one input gets all of them side by side, or a single one as it is. Of several inputs, one that is
        named like a column gets it; one, at most, has another name and gets all others side by side.

        Raises:
            ValueError: inputs and columns do not fit, or what should stand side by side are no vectors.
        """
        return arranged(x, getattr(model, "input_names", None))

    def to_numpy(self, source: Source, targets: bool = True) -> tuple[Any, Any]:
        """(x, y) of all rows, in memory: for scikit-learn, say. ``x`` is (rows, width); ``y`` is None without target.

        Args:
            source: it has all columns.
            targets: False for rows to predict: no target is read, and no row left out for being there twice.

        Raises:
            ValueError: the columns do not stand side by side in one array.
        """
        found = list(self.read(source, targets))
        x = [arranged(block.x, None) for block in found]
        whole = np.concatenate(x) if x else np.empty((0, *self.input_shape), FLOAT32)
        if self.target is None or not targets:
            return whole, None
        ys: list[Any] = [block.y for block in found]
        if isinstance(self.target, dict):
            return whole, {name: np.concatenate([y[name] for y in ys]) for name in self.target}
        return whole, np.concatenate(ys)

    def batch_rows(self, schema: pa.Schema) -> int:
        """How many rows a batch has to learn from: fewer where rows are wide. It depends on the schema alone."""
        return _rows_of(sum(_bytes_of(field.type) for field in schema))

    def needed(self, source: Source, targets: bool) -> Source:
        """The columns that it reads of a source.

        Raises:
            ValueError: one does not exist, or windows are to be made of rows without an order.
        """
        if self.window is not None and not source.ordered:
            raise ValueError(f"windows need rows in order, and {source.name} has none: open it with order_by=")
        parts = [*self.inputs, *(listed(self.target) if targets else ())]
        source = source.select(self.columns_with_target if targets else self.columns)
        return replace(source, encoded=frozenset(c.name for c in parts if c.by_value))

    # Saving

    def get_config(self) -> dict[str, Any]:
        """All of it as plain data, what was learned included, keys of pseudonyms not."""
        return {
            "columns": [c.get_config() for c in self.inputs],
            "target": target_config(self.target),
            "weight": self.weight,
            "rows": [step.get_config() for step in self.rows],
            "window": None if self.window is None else self.window.get_config(),
            "pseudonyms": self.pseudonyms.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Features:
        """What :meth:`get_config` said.

        Raises:
            ValueError: it names a kind of column that does not exist.
        """
        checks = config["pseudonyms"]
        features = cls(
            [part_from_config(c) for c in config["columns"]],
            target_from_config(config["target"]),
            weight=config["weight"],
            rows=[part_from_config(c) for c in config["rows"]],
            window=None if config["window"] is None else part_from_config(config["window"]),
            pseudonyms=dict.fromkeys(checks),
        )
        features.pseudonyms = Pseudonyms(dict.fromkeys(checks), checks)
        return features

    @classmethod
    def infer(
        cls,
        source: Source,
        target: str | Column | Sequence[str | Column] | Mapping[str, str | Column] | None = None,
        *,
        drop: Sequence[str] = (),
        **options: Any,
    ) -> Features:
        """Features of all columns of a source, chosen by their types and a look at the first 16,384 rows.

        - Numbers and booleans: ``Number(missing="mean", scale="standard")``.
        - Dates and times: a :class:`Date`.
        - Text: a :class:`Category`, of the 1,000 most frequent, where there are at most 100 different ones that are no
          sentences; otherwise a :class:`Text`, a bag of 1,000 words where there are other columns.
        - Lists of numbers: a :class:`Vector`, of bytes with ``scale=1/255``.
        - Bytes of images: an :class:`Image` of the first one's size. A column ``path`` beside it is left out.

        Left out are columns without any value, and those of more than 100 texts of one or two words, all different:
        they name the rows, and say nothing about others.

        Args:
            source: the training rows.
            target, options: see :class:`Features`. The name of a column of lists of numbers, or of images, is taken for
                a :class:`Vector` as it is, or an :class:`Image` of the first one's size.
            drop: columns that are not read.

        Raises:
            ValueError: a column does not exist, is of a type that no feature takes, or there is none.

        Example:
            >>> rows = dlbd.data.open({"id": [1, 2], "age": [20.0, 40.0], "city": ["Oslo", "Bonn"], "buys": [1, 0]})
            >>> dlbd.data.Features.infer(rows, target="buys", drop=["id"])
            Features([Number(name='age', missing='mean', clip=None, scale='standard'),
                      Category(name='city', encode='one_hot', most=1000, buckets=None, missing=None)],
                     target=Target(name='buys', kind=None))
        """
        from dlbd.data.features.inference import columns_of, target_of

        targets, weight = as_targets(target), options.get("weight")
        left_out = [*drop, *(t.name for t in listed(targets)), *([] if weight is None else [weight])]
        known = source.schema.names
        for name in left_out:
            if name not in known:
                raise ValueError(f"{source.name} has no column {name!r}; it has {known}")
        names = [name for name in known if name not in left_out]
        columns = columns_of(source.select(names), options.get("pseudonyms") or ()) if names else []
        if not columns:
            raise ValueError(f"{source.name} has no columns with values but {left_out}")
        return cls(columns, target_of(source, target) if isinstance(target, str) else targets, **options)


def _depth(value: Any) -> int:
    """0 for a single value, 1 for a list of some, 2 for a list of lists."""
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    single = isinstance(value, (str, bytes, bytearray)) or getattr(value, "ndim", 1) == 0
    if single or not hasattr(value, "__len__") or isinstance(value, Mapping):
        return 0
    return 1 + (_depth(next(iter(value))) if len(value) else 0)


def _rows_of(row_bytes: int) -> int:
    """How many rows, a power of two, a batch has at most."""
    return max(_LEAST_ROWS, min(ROWS, 1 << (max(1, _BATCH_BYTES // max(1, row_bytes)).bit_length() - 1)))


def _bytes_of(kind: pa.DataType) -> int:
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _bytes_of(kind.value_type)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _IMAGE_BYTES
    return 8 if pa.types.is_primitive(kind) else 64
