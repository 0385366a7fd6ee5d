"""Data frames of a session whose driver is this process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlbd.data.errors import SourceError, missing
from dlbd.data.inbox import Inbox
from dlbd.data.spark.columns import Columns, numbered
from dlbd.data.spark.executors import any_answers, asked
from dlbd.data.spark.frames import FrameReader, said

try:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
except ImportError as error:
    raise missing("spark", error) from error

_ENCRYPTED = ("spark.network.crypto.enabled", "spark.authenticate.enableSaslEncryption", "spark.ssl.rpc.enabled")


def reader(frame: Any, name: str = "Spark DataFrame") -> ClassicReader:
    """A reader of a data frame."""
    return ClassicReader(frame, name)


class ClassicReader(FrameReader):
    """Partitions are computed two at a time: no more of them are on disk here."""

    def __init__(self, frame: Any, name: str) -> None:
        super().__init__(Columns(frame.schema, name, connect=False), name)
        self._frame = numbered(frame, len(self.schema))
        self._group = ""  # of the jobs of a scan
        self._last: Any = None  # progress

    def abort(self) -> None:
        asked(lambda: self._context.cancelJobGroup(self._group))

    def progress(self) -> Any:
        """Something new while tasks end, bytes come, or an executor answers: a long task is no silence."""
        now = asked(self._progress)
        self._last = self._last if now is None else now
        return self._last

    def _progress(self) -> Any:
        tracker = self._context.statusTracker()
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(self._group)]
        stages = {stage for job in jobs if job is not None for stage in job.stageIds}
        found = [tracker.getStageInfo(stage) for stage in stages]
        ended = sum(stage.numCompletedTasks for stage in found if stage is not None)
        received = self._inbox.received if self._inbox is not None else 0
        return ended, received, object() if any_answers(self._context) else None

    @property
    def _context(self) -> Any:
        return self._frame.sparkSession.sparkContext

    def _listening(self) -> Inbox | None:
        settings = self._context.getConf()
        if any(settings.get(key) == "true" for key in _ENCRYPTED):
            return None
        host = settings.get("spark.driver.host")
        return Inbox(settings.get("spark.driver.bindAddress") or host, host)

    @contextmanager
    def _jobs(self) -> Iterator[Any]:
        """What this thread has Spark do is one group."""
        if self._context._jsc is None:
            raise SourceError(f"{self.name}: its session was stopped")
        self._group = f"dlbd-{uuid.uuid4()}"
        try:
            self._context.setJobGroup(self._group, self.name, interruptOnCancel=True)
            yield self._frame
        except (PySparkException, Py4JError, OSError, EOFError) as error:
            raise SourceError(f"{self.name}: {said(error)}") from None
