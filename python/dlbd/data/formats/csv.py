"""CSV, block by block."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Sequence
from typing import Any

import pyarrow.csv as pacsv

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.locations import File

_BLOCK_BYTES = 1 << 20
_END_FIELDS = 9973  # of the line that marks the end: no table has so many columns
_UNCLOSED = "a quote is never closed"
# The first bytes of files that are no text in UTF-8.
_MARKS = {
    b"\xff\xfe": 'UTF-16: pass encoding="utf16"',
    b"\xfe\xff": 'UTF-16: pass encoding="utf16"',
    b"\x1f\x8b": "gzip does: its name should end in .gz",
    b"\x28\xb5\x2f\xfd": "zstd does: its name should end in .zst",
    b"PK\x03\x04": "a zip archive or a spreadsheet does",
}


class Csv:
    """Types are the declared ones; those of other columns are found in the first block. Empty lines are left out.

    Args:
        declared: columns whose type the user has declared.
        delimiter: between values; "," by default, a tab for ``.tsv``.
        column_names: of a file without a line of names.
        encoding: "utf8" by default.
        null_values: what means NULL unless it is quoted; only the empty text by default.
        decimal_point: of numbers; "." by default.
        block_size: bytes that are parsed at once, 1 MiB by default; no row may be longer.
    """

    options = ("delimiter", "column_names", "encoding", "null_values", "decimal_point", "block_size")
    encodes = False

    def __init__(
        self,
        declared: pa.Schema,
        delimiter: str | None = None,
        column_names: Sequence[str] | None = None,
        encoding: str = "utf8",
        null_values: Sequence[str] = ("",),
        decimal_point: str = ".",
        block_size: int = _BLOCK_BYTES,
    ) -> None:
        for option, texts in (("column_names", column_names), ("null_values", null_values)):
            if isinstance(texts, str):
                raise TypeError(f"{option} is a list of texts; received {texts!r}")
        self._declared, self._delimiter, self._names = declared, delimiter, column_names
        self._encoding, self._nulls, self._block = encoding, list(null_values), block_size
        self._point = decimal_point
        if delimiter is not None and len(delimiter) != 1:
            raise ValueError(f"delimiter is one character; received {delimiter!r}")

    def schema(self, file: File) -> pa.Schema | None:
        error = None
        try:
            found = self._found(file)
            if found is not None:
                return found
        except pa.ArrowInvalid as raised:
            error = raised
        with file.stream() as source:
            begin = source.read(4)
        for mark, kind in _MARKS.items():
            if begin.startswith(mark):
                error = pa.ArrowInvalid(f"begins as {kind}")
        if error is not None:
            raise error
        return None

    def _found(self, file: File) -> pa.Schema | None:
        with file.stream() as source:
            try:
                schema = self._open(file, source, self._declared).schema
                names = schema.names
            except UnicodeDecodeError:
                raise pa.ArrowInvalid(f"the names of columns are not {self._encoding}: pass encoding=") from None
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return None
                raise self._explained(error, file) from None
        for name, kind in zip(names, schema.types, strict=True):
            if pa.types.is_binary(kind) and name not in self._declared.names:
                raise pa.ArrowInvalid(f"column {name!r} is not {self._encoding}: pass encoding=")
        return schema

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        with file.stream() as source:
            ended = _Ended(source, self._delimiter_of(file)) if self._marked else None
            try:
                yield from self._open(file, ended or source, wanted, wanted.names, ended)
                if ended and not ended.seen:
                    _, line = self._names_and_line(file, None)
                    raise pa.ArrowInvalid(f"line {line}: {_UNCLOSED}")
            except pa.ArrowInvalid as error:
                if "Empty CSV file" not in str(error):
                    raise self._explained(error, file) from None
            except pa.ArrowKeyError as error:
                raise pa.ArrowInvalid(f"has other columns than the first file: {error.args[0]}") from None

    def count(self, file: File) -> int | None:
        return None

    def _delimiter_of(self, file: File) -> str:
        return self._delimiter or ("\t" if ".tsv" in file.suffixes else ",")

    @property
    def _marked(self) -> bool:
        """Whether the end of a file can be marked: a line fits into a block, and is the same bytes in the encoding."""
        return self._block > 4 * _END_FIELDS and "\n,".encode(self._encoding) == b"\n,"

    def _open(
        self,
        file: File,
        source: Any,
        types: pa.Schema,
        columns: Sequence[str] | None = None,
        ended: _Ended | None = None,
    ) -> pacsv.CSVStreamingReader:
        return pacsv.open_csv(
            source,
            # one thread, since only then do errors know the row
            pacsv.ReadOptions(
                use_threads=False, block_size=self._block, column_names=self._names, encoding=self._encoding
            ),
            pacsv.ParseOptions(
                delimiter=self._delimiter_of(file),
                newlines_in_values=True,
                invalid_row_handler=ended.wrong if ended else None,
            ),
            pacsv.ConvertOptions(
                column_types=types,
                include_columns=columns,
                null_values=self._nulls,
                decimal_point=self._point,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _explained(self, error: pa.ArrowInvalid, file: File) -> pa.ArrowInvalid:
        """The error with the line in place of the row and the column's name in place of its number."""
        text = str(error).removeprefix("CSV parse error: ")
        if "straddling" in text:
            return pa.ArrowInvalid(
                f"a row is longer than {self._block} bytes, or its quote is never closed (block_size=)"
            )
        row = re.search(r"Row #(\d+): ", text)
        if row is None:
            return pa.ArrowInvalid(text)
        names, line = self._names_and_line(file, int(row[1]))
        if self._delimiter_of(file) * (_END_FIELDS - 1) in text:
            return pa.ArrowInvalid(f"line {line}: {_UNCLOSED}")
        column = re.match(r"In CSV column #(\d+): ", text)
        if column is None:
            return pa.ArrowInvalid(f"line {line}: {text[row.end() :]}")
        name = names[int(column[1])]
        if "invalid UTF8" in text:
            return pa.ArrowInvalid(f"line {line}, column {name!r}: is not {self._encoding}: pass encoding=")
        known = "declared" if name in self._declared.names else "inferred from the first rows: declare it by schema="
        return pa.ArrowInvalid(f"line {line}, column {name!r}: {text[row.end() :]}; its type is {known}")

    def _names_and_line(self, file: File, row: int | None) -> tuple[list[str], int]:
        """The columns' names, and the line on which a row begins, if the line of names or the first row is row 1; None
        is the last one.
        """
        with file.text(self._encoding, errors="replace", newline="") as text:
            reader = csv.reader(text, delimiter=self._delimiter_of(file))
            names, begin, end, count = list(self._names or ()), 1, 0, 0
            longest = csv.field_size_limit(self._block)  # of all readers in this process
            try:
                for values in reader:
                    if values:
                        begin, count, names = end + 1, count + 1, names or values
                    if count == row:
                        break
                    end = reader.line_num
            finally:
                csv.field_size_limit(longest)
        return names, begin


class _Ended:
    """A file with a line behind it that is no row of it: it is not met where a quote before is never closed.

    Attributes:
        seen: whether the line was met.
    """

    closed = False

    def __init__(self, file: pa.NativeFile, delimiter: str) -> None:
        self._file, self._rest = file, b""
        self._end = b"\n" + delimiter.encode() * (_END_FIELDS - 1) + b"\n"
        self.seen = False

    def read(self, size: int) -> pa.Buffer | bytes:
        """The next bytes; in memory of Arrow's, which is used again sooner than Python's."""
        found = self._file.read_buffer(size)
        if found.size:
            self._rest = self._rest or (self._end if found.to_pybytes().strip(b"\r\n") else b"")
            return found
        rest, self._rest = self._rest[:size], self._rest[size:]
        return rest

    def wrong(self, row: pacsv.InvalidRow) -> str:
        """What to do with a row of another length than the first one."""
        if row.actual_columns == _END_FIELDS and not row.text.strip(row.text[:1]):
            self.seen = True
            return "skip"
        return "error"

    def close(self) -> None:
        """Whoever opened the file closes it."""
