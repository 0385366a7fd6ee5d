"""From where data lives to batches: files, SQL, MongoDB, Spark, tables in memory."""

from dlbd.data.errors import SourceError
from dlbd.data.expressions import col
from dlbd.data.opening import open
from dlbd.data.source import Source

__all__ = ["Source", "SourceError", "col", "open"]
