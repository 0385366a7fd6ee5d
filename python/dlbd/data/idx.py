"""IDX files as a source: images and labels, a row each."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from dlbd.data.arrow import fixed_lists, pa
from dlbd.data.errors import SourceError
from dlbd.data.expressions import Expression
from dlbd.data.locations import File, Location, naming
from dlbd.data.scans import FileReader, Server
from dlbd.datasets.idx import read_header

_BATCH_BYTES = 4 << 20


def is_idx(path: str) -> bool:
    """By the name, as MNIST's files are called."""
    return re.search(r"([-.]idx\d-[a-z]+|\.idx)(\.gz)?$", path, re.IGNORECASE) is not None


@dataclass(frozen=True)
class _Array:
    """One IDX file as a column; its first dimension are the rows."""

    file: File
    column: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.shape[1:]

    @property
    def row_bytes(self) -> int:
        return math.prod(self.row_shape) * self.dtype.itemsize

    @property
    def type(self) -> pa.DataType:
        return reduce(pa.list_, reversed(self.row_shape), pa.from_numpy_dtype(self.dtype.newbyteorder("=")))

    def opened(self) -> pa.NativeFile:
        """The file, where the data begin."""
        with naming(self.file.name, self.file.secrets):
            data = self.file.stream()
            read_header(data, self.file.name)
            return data

    def read(self, data: pa.NativeFile, rows: int) -> pa.Array:
        wanted = rows * self.row_bytes
        with naming(self.file.name, self.file.secrets):
            content = data.read(wanted)
        if len(content) != wanted:
            raise SourceError(f"{self.file.name}: claims shape {self.shape}, and ends before")
        numbers = np.frombuffer(content, self.dtype).astype(self.dtype.newbyteorder("="), copy=False)
        return fixed_lists(numbers.reshape(rows, *self.row_shape))

    def require_end(self, data: pa.NativeFile) -> None:
        with naming(self.file.name, self.file.secrets):
            if data.read(1):
                raise SourceError(f"{self.file.name}: claims shape {self.shape}, and goes on behind it")


class IdxReader(FileReader):
    """Rows of an IDX file: a column ``image`` of lists of lists of numbers, or ``label`` if the file has one dimension.

    Args:
        labels: the address of the file with the labels of these images; the rows have both columns then.
    """

    def __init__(
        self,
        files: Sequence[File],
        locate: Callable[[str], Location],
        name: str,
        remote: bool,
        servers: list[Server],
        labels: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(name, remote, servers)
        if len(files) != 1:
            raise ValueError(f"{name}: one IDX file is a source, with labels=FILE if it has images; found {len(files)}")
        if labels is not None:
            files = [*files, *locate(os.fspath(labels)).files()]
        self._arrays = [_described(file) for file in files]
        rows = [array.shape[0] for array in self._arrays]
        if len(set(rows)) > 1:
            raise SourceError(f"{name}: has {rows[0]} rows, and its labels {files[1].name} {rows[1]}")
        self._rows = rows[0]
        if len({array.column for array in self._arrays}) < len(files):
            raise ValueError(f"{name}: labels= is for a file of images, and names a file of one dimension")
        self.schema = pa.schema([(array.column, array.type) for array in self._arrays])

    def _batches(
        self, columns: Sequence[str], where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        arrays = [array for array in self._arrays if array.column in columns]
        step = max(min(rows, _BATCH_BYTES // max(sum(array.row_bytes for array in arrays), 1)), 1)
        with ExitStack() as stack:
            opened = [(array, stack.enter_context(array.opened())) for array in arrays]
            for begin in range(0, self._rows, step):
                count = min(step, self._rows - begin)
                yield pa.record_batch({array.column: array.read(data, count) for array, data in opened})
            for array, data in opened:
                array.require_end(data)

    def _count(self) -> int:
        return self._rows


def _described(file: File) -> _Array:
    with naming(file.name, file.secrets), file.stream() as data:
        try:
            dtype, shape = read_header(data, file.name)
        except ValueError as error:
            raise SourceError(f"{file.name}: {error}") from None
        if math.prod(shape[1:]) >= 2**31:
            raise SourceError(f"{file.name}: claims shape {shape}; a row has 2**31 - 1 numbers at most")
    return _Array(file, "label" if len(shape) == 1 else "image", dtype, shape)
