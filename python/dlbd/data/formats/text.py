"""Text, line by line."""

from __future__ import annotations

from collections.abc import Generator

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.locations import File

_BATCH_CHARACTERS = 4 << 20


class Text:
    """One column, ``text``: the lines, without their ends.

    Args:
        encoding: "utf8" by default.
    """

    options = ("encoding",)
    encodes = False

    def __init__(self, declared: pa.Schema, encoding: str = "utf8") -> None:
        self._encoding = encoding

    def schema(self, file: File) -> pa.Schema:
        file.stream().close()
        return pa.schema([("text", pa.string())])

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        lines: list[str] = []
        size = 0
        with file.text(self._encoding) as text:
            for line in text:
                lines.append(line.removesuffix("\n"))
                size += len(line)
                if len(lines) == rows or size >= _BATCH_CHARACTERS:
                    yield pa.record_batch({"text": pa.array(lines, pa.string())})
                    lines, size = [], 0
        yield pa.record_batch({"text": pa.array(lines, pa.string())})

    def count(self, file: File) -> int | None:
        return None
