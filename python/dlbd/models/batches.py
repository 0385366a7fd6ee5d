"""The protocol that ``fit``, ``evaluate`` and ``predict`` read: anything that yields batches.

A batch does not hold its rows; it knows where they are and copies them straight into the buffers of a recorded step,
in the dtype that the kernels take. So data of any size and dtype is read in place, and never copied as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from dlbd import backend, random
from dlbd.backend import BOOL, FLOAT32, INT32, INT64, UINT8, Array
from dlbd.layers.preprocessing.host import Hosted, HostedRows, HostInput, HostPlace, resolved
from dlbd.layers.preprocessing.reading import host_values
from dlbd.models.frames import Columns, frame_array, is_frame
from dlbd.models.py_dataset import PyDataset
from dlbd.structure import flatten, map_structure
from dlbd.tensor import Tensor, as_array, lies_on_gpu

# Shape and dtype of each of a batch's arrays, as the kernels get them.
Signature = tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]


class Batch:
    """Rows of some arrays.

    Attributes:
        arrays: inputs, then targets, then sample weights, flat.
        rows: which rows of the arrays; None for all.
        size: how many.
        signature: see :data:`Signature`.
    """

    __slots__ = ("arrays", "rows", "signature", "size")

    def __init__(self, arrays: Sequence[Array], rows: Array | slice | None, size: int, signature: Signature) -> None:
        self.arrays = arrays
        self.rows = rows
        self.size = size
        self.signature = signature

    def write(self, buffers: Sequence[Array]) -> None:
        """Copy the rows into ``buffers``, which have the shapes and dtypes of the signature."""
        rows = self.rows
        for source, buffer in zip(self.arrays, buffers, strict=True):
            if isinstance(source, (Columns, HostedRows)):
                source.write(rows, buffer)
            elif not isinstance(source, np.ndarray):
                _write_from_gpu(source, rows, buffer)
            elif rows is None:
                np.copyto(buffer, source, casting="same_kind")
            elif isinstance(rows, slice):
                np.copyto(buffer, source[rows], casting="same_kind")
            elif source.dtype == buffer.dtype:
                # mode="clip": the rows are ours and in range, and only then NumPy writes to `out` without a copy
                np.take(source, rows, axis=0, out=buffer, mode="clip")
            else:
                np.copyto(buffer, np.take(source, rows, axis=0), casting="same_kind")


def _write_from_gpu(source: Array, rows: Array | slice | None, buffer: Array) -> None:
    """Rows of an array that lies on a GPU already, into a buffer there (or on the host, when a model is built)."""
    if rows is None or isinstance(rows, slice):
        chosen = source if rows is None else source[rows]
    else:
        twin = backend.twin(source)
        chosen = backend.empty((len(rows), *source.shape[1:]), source.dtype, source)
        n, inner = source.shape[0], math.prod(source.shape[1:])
        twin.gather_forward(1, n, inner, False, source, backend.place(rows, source), chosen)
    if isinstance(buffer, np.ndarray):
        np.copyto(buffer, backend.on_host(chosen), casting="same_kind")
    elif chosen.dtype == buffer.dtype:
        backend.twin(chosen).assign(chosen, buffer)
    else:
        backend.twin(chosen).cast(chosen, buffer)


class Source(Protocol):
    """Where batches come from.

    Attributes:
        steps: batches per epoch; None if that is known only at its end.
        structure: (inputs, targets, sample weights), each a position in a batch's arrays, a nest of them, or None.
    """

    steps: int | None
    structure: tuple[Any, Any, Any]

    def epoch(self) -> Iterator[Batch]:
        """The batches of one more epoch. A batch is good until the next one is asked for."""
        ...


@contextmanager
def one_epoch(source: Source) -> Iterator[Iterator[Batch]]:
    """A source's batches; afterwards nothing of their making is left, whether all were taken or not."""
    batches = source.epoch()
    try:
        yield batches
    finally:
        close(batches)


def close(batches: Iterator[Batch]) -> None:
    if hasattr(batches, "close"):
        batches.close()


@runtime_checkable
class RawRows(Protocol):
    """Rows as they were recorded, of which a model's features make batches: what :class:`dlbd.data.Source` is."""

    def learn_features(
        self, model: Any, target: Any, features: Any, weight: str | None, rows: int | None = None
    ) -> None:
        """Let ``model.features`` be features that have learned from these rows, or from others before.

        Args:
            model: the model.
            target: name of the column, or of several, that the model is to predict; None if the features know.
            features: those to use; None for the model's own, or for new ones that suit the columns.
            weight: name of the column of sample weights; None for none.
            rows: of an epoch, where the caller has said so: how many are enough of rows without an end.
        """
        ...

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
    ) -> Source:
        """Batches made by ``model.features``; ``adapt`` gets (x, y, sample_weight) and gives them as the model takes
        them. ``rows`` are those of an epoch, where the caller has said so: of an endless source no more are read ahead.
        """
        ...

    def class_counts(self, model: Any) -> dict[int, int]:
        """How many rows there are of each class of the target."""
        ...

    def count(self) -> int:
        """How many rows there are."""
        ...


def step_dtype(dtype: np.dtype[Any], floating: np.dtype[Any]) -> np.dtype[Any]:
    """What an array's elements are in a step: the model's float for floats, int64 for integers without kernels."""
    kind = dtype.kind
    if kind == "f":
        return floating
    if dtype in (UINT8, INT32, INT64, BOOL):
        return dtype.newbyteorder("=")
    if kind in "iu":
        return INT64
    raise TypeError(
        f"expected arrays of numbers; received dtype {dtype}"
        + (". Text goes through dlbd.layers.StringLookup or TextVectorization first" if kind in "USTO" else "")
    )


def signature_of(arrays: Sequence[Array], size: int, floating: np.dtype[Any]) -> Signature:
    return tuple(((size, *a.shape[1:]), step_dtype(a.dtype, floating)) for a in arrays)


def host_array(x: Any) -> Array:
    """``x`` as a NumPy array, without a copy where it is one in any form; data on a GPU stays there."""
    if isinstance(x, np.ndarray):
        return x
    if isinstance(x, Tensor):
        return x.array
    if isinstance(x, HostInput):
        return x.source
    if lies_on_gpu(x):
        return as_array(x, x.dtype if hasattr(x, "__cuda_array_interface__") and x.dtype in backend.DTYPE else None)
    if isinstance(x, Columns):
        return x  # type: ignore[return-value]
    if is_frame(x):
        return frame_array(x)  # type: ignore[no-any-return]
    return host_values(x)


class ArrayBatches:
    """Batches of arrays that lie in memory (or are mapped into it).

    Args:
        x: inputs, or a nest of them.
        y: targets; None for none.
        sample_weight: one weight per sample; None for none.
        batch_size: rows per batch; the last one may be smaller.
        shuffle: another order in every epoch, from :mod:`dlbd.random`; "batch" shuffles batches, not rows.
        floating: the dtype that floats have in the step.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int = 32,
        shuffle: bool | str = False,
        floating: np.dtype[Any] = FLOAT32,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1; received {batch_size}")
        if shuffle not in (True, False, "batch"):
            raise ValueError(f'shuffle must be True, False or "batch"; received {shuffle!r}')
        self.structure, self.arrays = flat_structure(x, y, sample_weight)
        self.size = self._common_length()
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.steps: int | None = -(-self.size // batch_size)
        self._floating = floating
        self._hosted = any(isinstance(a, Hosted) for a in self.arrays)
        known = [a for a in self.arrays if not isinstance(a, Hosted)]
        self._whole = signature_of(known, batch_size, floating)
        self._last = signature_of(known, self.size % batch_size, floating)

    def _common_length(self) -> int:
        for a in self.arrays:
            if a.ndim == 0:
                raise ValueError("expected arrays with one row per sample; received a single number")
        lengths = [len(a) for a in self.arrays]
        if len(set(lengths)) != 1:
            named = zip(("x", "y", "sample_weight"), self.structure, strict=True)
            found = {
                name: restore(part, lengths) for name, part in named if part is not None and flatten(part) != [None]
            }
            raise ValueError(f"inputs, targets and weights must have equally many rows; received {found}")
        return lengths[0]

    def epoch(self) -> Iterator[Batch]:
        for rows, size in self._rows():
            yield self._batch(rows, size)

    def _batch(self, rows: Any, size: int) -> Batch:
        if self._hosted:
            arrays = resolved(self.arrays, rows)
            return Batch(arrays, rows, size, signature_of(arrays, size, self._floating))
        return Batch(self.arrays, rows, size, self._whole if size == self.batch_size else self._last)

    def _rows(self) -> Iterator[tuple[Any, int]]:
        """Which rows the batches have, and how many."""
        n, size = self.size, self.batch_size
        full = n - n % size
        if self.shuffle == "batch":
            starts = random.generator().permutation(full // size) * size
            for start in starts.tolist():
                yield slice(start, start + size), size
            if full < n:
                yield slice(full, n), n - full
            return
        order = random.generator().permutation(n) if self.shuffle else None
        for start in range(0, full, size):
            rows = slice(start, start + size)
            yield rows if order is None else order[rows], size
        if full < n:
            rows = slice(full, n)
            yield rows if order is None else order[rows], n - full


class StreamBatches:
    """Batches from an iterable of ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, each of them arrays.

    Args:
        stream: an iterable, or something with a length and indices; an iterator is read once.
        steps: batches per epoch, if that is known.
        adapt: gets (x, y, sample_weight) and gives them as the model takes them.
        floating: the dtype that floats have in the step.
        shuffle: another order in every epoch, for a :class:`dlbd.utils.PyDataset`; others have theirs.

    Attributes:
        once: whether the stream is an iterator, whose next epoch goes on where one ended.
    """

    def __init__(
        self, stream: Any, steps: int | None, adapt: Any, floating: np.dtype[Any], shuffle: bool | str = False
    ) -> None:
        self._stream = stream
        self._shuffle = bool(shuffle)
        self.once = isinstance(stream, Iterator)
        self._adapt = adapt
        self._floating = floating
        size = (
            stream.num_batches if isinstance(stream, PyDataset) else len(stream) if isinstance(stream, Sized) else None
        )
        self.steps = size if steps is None else steps
        self.structure: tuple[Any, Any, Any] = (0, None, None)

    def epoch(self) -> Iterator[Batch]:
        stream = self._stream
        items: Iterator[Any]
        if isinstance(stream, PyDataset):
            items = stream.epoch(self._shuffle)
        else:
            items = iter(stream) if hasattr(stream, "__iter__") else (stream[i] for i in range(len(stream)))
        for item in items:
            yield self.batch(item)

    def batch(self, item: Any) -> Batch:
        x, y, w = self._adapt(*unpack(item))
        self.structure, arrays = flat_structure(x, y, w)
        arrays = resolved(arrays, None)
        size = len(arrays[0])
        return Batch(arrays, None, size, signature_of(arrays, size, self._floating))


def unpack(item: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of what a stream yields; a list of arrays, PyTorch's way, is taken as a tuple."""
    if isinstance(item, list) and all(hasattr(part, "shape") for part in item):
        item = tuple(item)
    if isinstance(item, tuple):
        if not 1 <= len(item) <= 3:
            raise ValueError(f"a batch is x, (x, y) or (x, y, sample_weight); received a tuple of {len(item)}")
        return (*item, None, None)[:3]
    return item, None, None


def flat_structure(x: Any, y: Any, sample_weight: Any) -> tuple[tuple[Any, Any, Any], list[Array]]:
    """The arrays in a row, and where each belongs."""
    arrays: list[Array] = []

    def place(leaf: Any) -> int | HostPlace | None:
        if leaf is None:
            return None
        if isinstance(leaf, HostInput):
            return leaf.place(arrays)
        arrays.append(host_array(leaf))
        return len(arrays) - 1

    structure = tuple(None if part is None else map_structure(place, part) for part in (x, y, sample_weight))
    if not flatten(structure) or not arrays:
        raise ValueError("there is no data: x is empty or None")
    return structure, arrays  # type: ignore[return-value]


def restore(structure: Any, leaves: Sequence[Any]) -> Any:
    """``leaves`` in the place that ``structure`` says."""

    def leaf(i: Any) -> Any:
        return None if i is None else i.of(leaves) if isinstance(i, HostPlace) else leaves[i]

    return None if structure is None else map_structure(leaf, structure)
