"""CSV, block by block."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Sequence

import pyarrow.csv as pacsv

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.locations import File

_BLOCK_BYTES = 1 << 20


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

    def schema(self, file: File) -> pa.Schema | None:
        with file.stream() as source:
            try:
                schema = self._open(file, source, self._declared).schema
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return None
                raise self._explained(error, file) from None
        for field in schema:
            if pa.types.is_binary(field.type) and field.name not in self._declared.names:
                raise pa.ArrowInvalid(f"column {field.name!r} is not {self._encoding}: pass encoding=")
        return schema

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        with file.stream() as source:
            try:
                yield from self._open(file, source, wanted, wanted.names)
            except pa.ArrowInvalid as error:
                if "Empty CSV file" not in str(error):
                    raise self._explained(error, file) from None
            except pa.ArrowKeyError as error:
                raise pa.ArrowInvalid(f"has other columns than the first file: {error.args[0]}") from None

    def count(self, file: File) -> int | None:
        return None

    def _delimiter_of(self, file: File) -> str:
        return self._delimiter or ("\t" if ".tsv" in file.suffixes else ",")

    def _open(
        self, file: File, source: pa.NativeFile, types: pa.Schema, columns: Sequence[str] | None = None
    ) -> pacsv.CSVStreamingReader:
        return pacsv.open_csv(
            source,
            # one thread, since only then do errors know the row
            pacsv.ReadOptions(
                use_threads=False, block_size=self._block, column_names=self._names, encoding=self._encoding
            ),
            pacsv.ParseOptions(delimiter=self._delimiter_of(file), newlines_in_values=True),
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
        column = re.match(r"In CSV column #(\d+): ", text)
        if column is None:
            return pa.ArrowInvalid(f"line {line}: {text[row.end() :]}")
        name = names[int(column[1])]
        known = "declared" if name in self._declared.names else "inferred from the first rows: declare it by schema="
        return pa.ArrowInvalid(f"line {line}, column {name!r}: {text[row.end() :]}; its type is {known}")

    def _names_and_line(self, file: File, row: int) -> tuple[list[str], int]:
        """The columns' names, and the line on which a row begins, if the line of names or the first row is row 1."""
        with file.text(self._encoding, errors="replace", newline="") as text:
            reader = csv.reader(text, delimiter=self._delimiter_of(file))
            names, begin, count = list(self._names or ()), 1, 0
            longest = csv.field_size_limit(self._block)  # of all readers in this process
            try:
                for values in reader:
                    count += bool(values)
                    names = names or values
                    if count == row:
                        break
                    begin = reader.line_num + 1
            finally:
                csv.field_size_limit(longest)
        return names, begin
