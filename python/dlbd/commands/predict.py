"""``dlbd predict``: a saved model's answers for the rows of a source, as a file or a table."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from math import prod
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.commands.arguments import add_batches, add_source, names, opened
from dlbd.commands.evaluate import loaded

_ROWS = 16384  # that are predicted and written at once


def add(commands: Any) -> None:
    parser = commands.add_parser("predict", help="a model's answers for the rows of a source")
    parser.add_argument("model", metavar="MODEL", help="a file of dlbd train, or of model.save()")
    add_source(parser)
    parser.add_argument(
        "--out",
        metavar="OUT",
        required=True,
        help="a file (.csv, .jsonl, .parquet), or a database (sqlite:///file, mysql://..., ...) with --out-table",
    )
    parser.add_argument("--out-table", metavar="T", default="predictions", help="of a database (default predictions)")
    parser.add_argument(
        "--if-exists",
        choices=("error", "replace", "append"),
        default="error",
        help="what becomes of a table that is there (default error)",
    )
    parser.add_argument(
        "--keep", metavar="A,B", type=names, help="columns that are written, too (default: those of --order-by)"
    )
    add_batches(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dlbd.commands.tables import written

    model = loaded(options.model)
    source = opened(options)
    keep = options.order_by if options.keep is None else options.keep
    source = source.select(list(dict.fromkeys([*keep, *model.features.columns])))
    at_once = _ROWS if model.features.window is None else max(1, source.count())  # windows go over the edges of batches
    rows = 0

    def predicted() -> Iterator[Any]:
        nonlocal rows
        with closing(source.batches(at_once)) as batches:
            for batch in _at_least_one(batches, source.schema):
                outputs = model.predict(batch, batch_size=options.batch_size)
                rows += batch.num_rows
                yield _table(batch.select(keep), answers(model.features, outputs))

    written(options.out, options.out_table, options.if_exists, predicted())
    print(f"{rows:,} rows: {options.out}")


def _at_least_one(batches: Iterator[Any], schema: Any) -> Iterator[Any]:
    """An empty table has columns, too."""
    from dlbd.data.arrow import pa

    first = next(batches, None)
    yield pa.RecordBatch.from_pylist([], schema=schema) if first is None else first
    yield from batches


def _table(kept: Any, found: dict[str, Any]) -> Any:
    from dlbd.data.arrow import pa

    twice = [name for name in found if name in kept.schema.names]
    if twice:
        raise ValueError(f"--keep: there is a column {twice[0]!r} already, the answers")
    given = dict(zip(kept.schema.names, kept.columns, strict=True))
    return pa.RecordBatch.from_pydict({**given, **{name: pa.array(a, from_pandas=True) for name, a in found.items()}})


def answers(features: Any, outputs: Any) -> dict[str, Any]:
    """Columns for a model's outputs: "predicted" and "probability" of a class, "predicted" numbers, or
    "predicted_<name>" where there are several.
    """
    if isinstance(outputs, dict):
        return {
            f"predicted_{name}": list(a) if a.ndim > 1 and a.shape[1] > 1 else a.ravel() for name, a in outputs.items()
        }
    if isinstance(outputs, (list, tuple)):
        return answers(features, dict(enumerate(outputs)))
    rows = outputs.reshape(len(outputs), prod(outputs.shape[1:]))
    if features.classes is not None:
        return _classes(features.classes, rows)
    if rows.shape[1] == 1:
        return {"predicted": rows[:, 0]}
    targets = features.target if isinstance(features.target, tuple) else ()
    called = [t.name for t in targets] if len(targets) == rows.shape[1] else range(rows.shape[1])
    return {f"predicted_{name}": rows[:, i] for i, name in enumerate(called)}


def _classes(classes: list[Any], rows: Array) -> dict[str, Any]:
    if rows.shape[1] == 1 and len(classes) == 2:  # the probability of the second one
        rows = np.concatenate([1 - rows, rows], axis=1)
    known: Any = np.isfinite(rows).all(axis=1)
    best = np.nan_to_num(rows).argmax(axis=1)
    probability = rows[np.arange(len(rows)), best]
    chosen = [classes[i] if k else None for i, k in zip(best, known, strict=True)]
    from dlbd.data.arrow import pa

    kind = pa.array(classes).type
    return {"predicted": pa.array(chosen, kind), "probability": probability}
