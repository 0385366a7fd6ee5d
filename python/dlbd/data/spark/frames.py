"""What reading a data frame is, whichever way its session reaches Spark."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.inbox import Inbox
from dlbd.data.spark.columns import Columns
from dlbd.data.spark.sending import HANDED_OVER, sender


class FrameReader(ABC):
    """Rows of a data frame. Executors send its partitions here themselves, where they lie on disk until they are read,
    in order: Spark's driver sees their keys alone.
    """

    ordered, remote, sorts = False, True, True

    def __init__(self, columns: Columns, name: str) -> None:
        self.name = name
        self.schema: pa.Schema = columns.schema
        self._columns = columns
        self._inbox: Inbox | None = None

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        with self._jobs() as frame, ExitStack() as ending:
            frame = self._columns.filtered(frame, where)
            if order_by:
                frame = frame.orderBy(*(key for name in order_by for key in self._columns.keys(name)))
            readable = (self._columns.readable(name).alias(f"r{i}") for i, name in enumerate(columns))
            inbox = self._inbox = self._listening()
            if inbox is not None:
                ending.enter_context(closing(inbox))
            sent = frame.select(*readable).mapInArrow(sender(inbox, rows), HANDED_OVER)
            handed_over = ending.enter_context(closing(sent.toLocalIterator(prefetchPartitions=True)))
            for key, piece in handed_over:
                parcel = io.BytesIO(piece) if inbox is None or key is None else inbox.take(bytes(key))
                with closing(parcel):
                    for batch in pa.ipc.open_stream(parcel):
                        yield batch.rename_columns(list(columns))

    def count(self, where: Expression | None) -> int | None:
        if not self._columns.filters_all(where):
            return None
        with self._jobs() as frame:
            return int(self._columns.filtered(frame, where).count())

    @abstractmethod
    def abort(self) -> None:
        """Spark is told to end the jobs of this scan, and what waits for them here waits no longer."""

    @abstractmethod
    @contextmanager
    def _jobs(self) -> Iterator[Any]:
        """The frame, numbered, for jobs that :meth:`abort` ends; Spark's errors are the source's."""
        yield

    @abstractmethod
    def _listening(self) -> Inbox | None:
        """An inbox where executors may reach it; None if all rows should go through Spark."""


def said(error: BaseException) -> str:
    """The line that says what happened: of the deepest cause, and of a Python error on an executor its last."""
    cause, text = getattr(error, "java_exception", None), str(error)
    while cause is not None:
        cause, text = cause.getCause(), cause.getMessage() or cause.toString()
    lines = text.strip().splitlines() or [type(error).__name__]
    frames = [i for i, line in enumerate(lines) if line.startswith("  ")]
    of_python = "Traceback (most recent call last)" in text and frames and frames[-1] + 1 < len(lines)
    if not of_python:
        return lines[0]
    line = lines[frames[-1] + 1]
    hint = " (PYSPARK_PYTHON says which Python executors use)" if line.startswith("ModuleNotFoundError") else ""
    return f"Python on an executor: {line}{hint}"
