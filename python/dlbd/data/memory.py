"""Tables that are in memory: of pyarrow, pandas, polars and the like; dicts of columns."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from dlbd.data.arrow import cast, fixed_lists, pa, usual
from dlbd.data.expressions import Expression

_LIBRARIES = ("pandas", "polars", "pyarrow")


def is_table(what: Any) -> bool:
    """Whether ``what`` is a table in memory."""
    return isinstance(what, Mapping) or hasattr(what, "__dataframe__") or (_has_stream(what) and not is_stream(what))


def is_stream(what: Any) -> bool:
    """Whether ``what`` gives tables by Arrow's stream interface, perhaps more than memory holds."""
    if not _has_stream(what) or hasattr(what, "__dataframe__"):
        return False
    return isinstance(what, pa.RecordBatchReader) or type(what).__module__.partition(".")[0] not in _LIBRARIES


def _has_stream(what: Any) -> bool:
    return hasattr(what, "__arrow_c_stream__")


class TableReader:
    """Rows of a table in memory, read where they lie as far as Arrow can: text of pandas, say, is converted once."""

    ordered, remote, sorts = True, False, False

    def __init__(self, table: Any, name: str | None = None) -> None:
        library = type(table).__module__.partition(".")[0]
        self.name = name or f"{library} {type(table).__name__}".removeprefix("builtins ")
        if isinstance(table, Mapping):
            self._table = _table(table)
        elif isinstance(table, pa.Table):
            self._table = table
        elif isinstance(table, pa.RecordBatch):
            self._table = pa.Table.from_batches([table])
        elif type(table).__module__.startswith("pandas"):
            frame = table.to_frame() if table.ndim == 1 else table
            try:
                self._table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
            except pa.ArrowException as error:
                raise ValueError(f"{self.name}: {'. '.join(map(str, error.args))}") from None
        else:
            self._table = pa.table(table)
        self.schema = pa.schema([field.with_type(usual(field.type)) for field in self._table.schema])

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        schema = pa.schema([self.schema.field(name) for name in columns])
        for batch in self._table.select(list(columns)).to_batches(max_chunksize=rows):
            yield cast(batch, schema, self.name)

    @property
    def bytes(self) -> int:
        """What the values take, about."""
        return int(self._table.nbytes)

    def count(self, where: Expression | None) -> int | None:
        return int(self._table.num_rows) if where is None else None

    def abort(self) -> None:
        """Nothing waits here."""


def _table(columns: Mapping[str, Any]) -> pa.Table:
    made = {}
    for name, values in columns.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of columns are text; received {name!r}")
        try:
            several = isinstance(values, np.ndarray) and values.ndim > 1
            made[name] = fixed_lists(values) if several else pa.table({name: values}).column(0)
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise ValueError(f"column {name!r} is no list of values of one type: {error}") from None
    return pa.table(made)
