"""JSON lines: an object on each line, block by block."""

from __future__ import annotations

import io
from collections.abc import Generator

import pyarrow.json as pajson

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.locations import File

_BLOCK_BYTES = 1 << 20


class Json:
    """Types are the declared ones; those of other columns are found in the first block. A key that a line lacks is
    NULL; one that the first block lacks is left out.

    Args:
        declared: columns whose type the user has declared.
        block_size: bytes that are parsed at once, 1 MiB by default; no line may be longer.
    """

    options = ("block_size",)

    def __init__(self, declared: pa.Schema, block_size: int = _BLOCK_BYTES) -> None:
        self._declared, self._block = _parsed(declared), block_size

    def schema(self, file: File) -> pa.Schema | None:
        with file.stream() as source:
            try:
                schema: pa.Schema = self._open(source, self._declared, "infer").schema
            except pa.ArrowInvalid as error:
                if "Empty JSON" in str(error):
                    return None
                raise self._explained(error, file, self._declared, 0) from None
        return schema

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        given = 0
        with file.stream() as source:
            try:
                for batch in self._open(source, wanted, "ignore"):
                    yield batch
                    given += batch.num_rows
            except pa.ArrowInvalid as error:
                if "Empty JSON" not in str(error):
                    raise self._explained(error, file, wanted, given) from None

    def count(self, file: File) -> int | None:
        return None

    def _open(self, source: pa.NativeFile, types: pa.Schema, others: str) -> pa.RecordBatchReader:
        return pajson.open_json(
            source,
            pajson.ReadOptions(use_threads=False, block_size=self._block),
            pajson.ParseOptions(explicit_schema=types, unexpected_field_behavior=others),
        )

    def _explained(self, error: pa.ArrowInvalid, file: File, types: pa.Schema, given: int) -> pa.ArrowInvalid:
        """The error with the number of the line that causes it: the first one behind the ``given`` that fails alone."""
        if "straddling" in str(error):
            return pa.ArrowInvalid(f"a line is longer than {self._block} bytes (block_size=)")
        with file.stream() as source:
            count = 0
            for number, line in enumerate(io.BufferedReader(source), 1):
                count += bool(line.strip())
                if count <= given:
                    continue
                try:
                    parse = pajson.ParseOptions(explicit_schema=types, unexpected_field_behavior="ignore")
                    pajson.read_json(io.BytesIO(line), parse_options=parse)
                except pa.ArrowInvalid as cause:
                    text = str(cause).removeprefix("JSON parse error: ").removesuffix(" in row 0")
                    return pa.ArrowInvalid(f"line {number}: {text}")
        return error


def _parsed(declared: pa.Schema) -> pa.Schema:
    """As Arrow's parser takes them: dates are numbers of days to it; their texts are cast afterwards."""
    return pa.schema([f.with_type(pa.string()) if pa.types.is_date(f.type) else f for f in declared])
