"""JSON lines: an object on each line, block by block."""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence

import pyarrow.json as pajson

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression
from dlbd.data.formats.agreement import valid
from dlbd.data.formats.json_types import Paths, flat, merged, numbers_in, path_of, tree_of
from dlbd.data.keys import Keys, other
from dlbd.data.locations import File, naming

_BLOCK_BYTES = 1 << 20
_SAMPLE_BYTES = 8 << 20
_BIG = re.compile(rb"(?<![\w.\"-])-?\d{19,}(?![\w.\"])")  # a number that an int64 may not hold


class Json:
    """Types are the declared ones; other columns and their types are found in the first lines. An object in an object
    is columns of its own: ``address.city``. A key that a line lacks is NULL; one that is no column is an error, unless
    only some columns are read.

    Args:
        declared: columns whose type the user has declared.
        block_size: bytes that are parsed at once, 1 MiB by default; no line may be longer.
        sample: how many lines are looked at for columns and types, over all files; by default those of 8 MiB.

    Attributes:
        strict: whether a key that is no column is an error.
    """

    options = ("block_size", "sample")
    encodes = False

    def __init__(self, declared: pa.Schema, block_size: int = _BLOCK_BYTES, sample: int | None = None) -> None:
        if sample is not None and sample < 1:
            raise ValueError(f"sample is a number of lines, at least 1; received {sample}")
        self._declared, self._block, self._sample = declared, block_size, sample
        self._paths: Paths = {}
        self.strict = True

    # Columns and types

    def gathered(self, files: Sequence[File]) -> pa.Schema | None:
        """The columns of the first lines of as many files as it takes; None if there is no line."""
        found: pa.Schema | None = None
        room = self._sample or _SAMPLE_BYTES
        for file in files:
            number = 0
            with naming(file.name, file.secrets):
                for block in self._blocks(file):
                    if not number and block.lstrip().startswith(b"["):
                        raise pa.ArrowInvalid("holds an array, and not JSON lines, an object on each line")
                    lines = block.splitlines(keepends=True)[: max(room, 1) if self._sample else None]
                    schema = self._inferred(lines, number)
                    found = schema if found is None else merged(found, schema)
                    number += len(lines)
                    room -= len(lines) if self._sample else len(block)
                    if room <= 0:
                        break
            if room <= 0 and found is not None and not any(map(pa.types.is_null, found.types)):
                break  # otherwise a column without a value is looked for at the beginning of other files
        if found is None:
            return None
        self._paths = flat(found, self._declared)
        return pa.schema([(name, kind) for name, (_, kind) in self._paths.items()])

    def _blocks(self, file: File) -> Iterator[bytes]:
        """Whole lines."""
        rest = b""
        with file.stream() as source:
            while block := source.read(self._block):
                lines, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield lines + newline
                if len(rest) > self._block:
                    raise self._too_long()
        if rest.strip():
            yield rest

    def _inferred(self, lines: Sequence[bytes], first: int) -> pa.Schema:
        """The types of lines of which the first has this number."""
        try:
            schema = self._read(lines)
        except pa.ArrowInvalid as error:
            said = _said(error)
            good, bad = 0, len(lines)  # lines that can be read together, and lines that cannot
            while bad - good > 1:
                middle = (good + bad) // 2
                try:
                    self._read(lines[:middle])
                    good = middle
                except pa.ArrowInvalid as earlier:
                    bad, said = middle, _said(earlier)
            raise pa.ArrowInvalid(f"line {first + bad}: {said}") from None
        if any(map(_BIG.search, lines)):
            self._require_small(lines, schema, first)
        return schema

    def _read(self, lines: Sequence[bytes]) -> pa.Schema:
        whole = b"".join(lines)
        return _parsed(whole, pajson.ParseOptions()) if whole.strip() else pa.schema([])

    def _require_small(self, lines: Sequence[bytes], schema: pa.Schema, first: int) -> None:
        """Whole numbers that an int64 does not hold would become floats, which round them."""
        small = flat(self._read([_BIG.sub(b"0", line) for line in lines]), self._declared)
        found = flat(schema, self._declared)
        rounded = {name: path for name, (path, kind) in found.items() if name in small and small[name][1] != kind}
        for number, line in enumerate(lines, first + 1):
            if rounded and _BIG.search(line):
                document = json.loads(line)
                for name, path in rounded.items():
                    for value in numbers_in(path_of(document, path)):
                        if isinstance(value, int) and not -(2**63) <= value < 2**63:
                            raise pa.ArrowInvalid(
                                f"line {number}: key {name!r} holds {value}, which no int64 holds: declare its type, "
                                f'schema={{{name!r}: "uint64"}}, or "float64", which rounds it'
                            )

    # Rows

    def batches(
        self, file: File, wanted: pa.Schema, where: Expression | None, rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        keys = Keys(pa.schema([(name, kind) for name, (_, kind) in self._paths.items()]))
        strict = self.strict and keys.are(wanted.names)
        types = tree_of(wanted, self._paths)
        given = 0
        with file.stream() as source:
            try:
                for batch in self._open(source, types, "error" if strict else "ignore"):
                    columns = [path_of(batch, self._path(name)) for name in wanted.names]
                    yield valid(pa.RecordBatch.from_arrays(columns, wanted.names))
                    given += batch.num_rows
            except pa.ArrowInvalid as error:
                if "Empty JSON" not in str(error):
                    raise self._explained(error, file, types, given, keys if strict else None) from None

    def _path(self, name: str) -> tuple[str, ...]:
        return self._paths[name][0] if name in self._paths else (name,)

    def count(self, file: File) -> int | None:
        return None

    def _open(self, source: pa.NativeFile, types: pa.Schema, others: str) -> pa.RecordBatchReader:
        return pajson.open_json(
            source,
            pajson.ReadOptions(use_threads=False, block_size=self._block),
            pajson.ParseOptions(explicit_schema=types, unexpected_field_behavior=others),
        )

    def _explained(
        self, error: pa.ArrowInvalid, file: File, types: pa.Schema, given: int, keys: Keys | None
    ) -> pa.ArrowInvalid:
        """The error with the number of the line that causes it: of the block behind the ``given``, the last of the
        fewest lines that cannot be read together.
        """
        if "straddling" in str(error):
            return self._too_long()
        lines, numbers = self._behind(file, given)
        options = pajson.ParseOptions(explicit_schema=types, unexpected_field_behavior="ignore")
        said = {}

        def fails(last: int) -> bool:
            try:
                _parsed(b"".join(lines[: last + 1]), options)
            except pa.ArrowInvalid as cause:
                said[last] = _said(cause)
            return last in said

        bad = bisect_left(range(len(lines)), True, key=fails)
        for number, line in zip(numbers[:bad], lines, strict=False):
            if keys is not None and (found := keys.unknown([json.loads(line)])):
                return pa.ArrowInvalid(f"line {number} {other(found[1])}")
        return pa.ArrowInvalid(f"line {numbers[bad]}: {said[bad]}") if bad in said else error

    def _behind(self, file: File, given: int) -> tuple[list[bytes], list[int]]:
        """The lines of a block behind so many, without empty ones, and their numbers."""
        lines: list[bytes] = []
        numbers: list[int] = []
        count = size = 0
        with file.stream() as source:
            for number, line in enumerate(io.BufferedReader(source), 1):
                count += bool(line.strip())
                if count > given and line.strip():
                    lines.append(line)
                    numbers.append(number)
                    size += len(line)
                if size > self._block:
                    break
        return lines, numbers

    def _too_long(self) -> pa.ArrowInvalid:
        return pa.ArrowInvalid(f"a line is longer than {self._block} bytes (block_size=)")


def _parsed(lines: bytes, options: pajson.ParseOptions) -> pa.Schema:
    """What the lines hold.

    Raises:
        pa.ArrowInvalid: they cannot be read.
    """
    try:
        lines.decode()
    except UnicodeDecodeError:
        raise pa.ArrowInvalid("holds bytes that are no UTF-8") from None
    whole = pajson.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    return pajson.read_json(pa.BufferReader(lines), whole, options).schema


def _said(error: pa.ArrowInvalid) -> str:
    """Arrow's words, with the key as columns are named."""
    text = re.sub(r" in row \d+$", "", str(error).removeprefix("JSON parse error: "))
    changed = re.fullmatch(r"Column\(/?(.*)\) changed from (\w+) to (\w+)", text)
    if changed is None:
        return text
    key = changed[1].replace("/[]", "").replace("/", ".")
    return f"key {key!r} changed from {changed[2]} to {changed[3]}"
