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


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="a model's answers for the rows of a source",
        description="Write a saved model's answers for the rows of a source, all of them or nothing.",
    )
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
    from dlbd.commands.tables import called, written
    from dlbd.data.features.block import spread

    model = loaded(options.model)
    features, source = model.features, opened(options)
    keep = options.order_by if options.keep is None else options.keep
    features.needed(source, targets=False)
    source = source.select(list(dict.fromkeys([*keep, *features.columns])))
    rows = 0

    def predicted() -> Iterator[Any]:
        nonlocal rows
        with closing(features.batches(source)) as batches:
            for batch, block in features.paired(_at_least_one(batches, source.schema)):
                outputs = model.predict(features.arrange(block.x, model), batch_size=options.batch_size, verbose=0)
                found = {name: spread(values, block.kept) for name, values in answers(model, outputs).items()}
                rows += batch.num_rows
                yield _table(batch.select(keep), found)

    written(options.out, options.out_table, options.if_exists, predicted(), options.timeout)
    print(f"{rows:,} rows: {called(options.out)}")


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
    return pa.RecordBatch.from_pydict({**dict(zip(kept.schema.names, kept.columns, strict=True)), **found})


def answers(model: Any, outputs: Any) -> dict[str, Any]:
    """Columns for what a model gives: "predicted" and "probability" of a class; "predicted" numbers; lists of them, or
    images, in the form of the target. Of several columns, outputs or rows ahead "predicted_<name>_<rows>".
    """
    target = model.features.target
    if isinstance(outputs, (list, tuple)):
        outputs = dict(zip(model.output_names, outputs, strict=True))
    if not isinstance(outputs, dict):
        return _answers(model.features, target, outputs, "")
    of = target if isinstance(target, dict) else {}
    return {
        name: values
        for output, y in outputs.items()
        for name, values in _answers(model.features, of.get(output), y, f"_{output}").items()
    }


def _answers(features: Any, target: Any, y: Array, end: str) -> dict[str, Any]:
    from dlbd.data import Image, Vector
    from dlbd.data.arrow import fixed_lists, pa

    if isinstance(target, Image) and y.shape[1:] == target.shape:
        return {f"predicted{end}": target.files(y)}
    ahead = 0 if features.window is None else features.window.horizon
    columns = y if y.shape[1:2] == (ahead,) and (ahead > 1 or y.ndim > 2) else y[:, None]  # (rows, rows ahead, ...)
    ends = [f"{end}_{i + 1}" for i in range(columns.shape[1])] if columns.shape[1] > 1 else [end]
    classes = getattr(target, "classes", None)
    if classes is not None and (columns.shape[2:] == (len(classes),) or (columns.shape[2:], len(classes)) == ((1,), 2)):
        found = [_classes(classes, columns[:, i], ends[i]) for i in range(len(ends))]
        return {name: values for part in found for name, values in part.items()}
    if isinstance(target, Vector) or columns.ndim > 3:
        return {f"predicted{end}": fixed_lists(y)}
    columns = columns.reshape(*columns.shape[:2], prod(columns.shape[2:]))
    named = [t.name for t in target] if isinstance(target, tuple) else range(columns.shape[2])
    places = [f"_{name}" for name in named] if columns.shape[2] > 1 else [""]
    return {
        f"predicted{place}{ends[i]}": pa.array(columns[:, i, k], from_pandas=True)
        for k, place in enumerate(places)
        for i in range(len(ends))
    }


def _classes(classes: list[Any], rows: Array, end: str) -> dict[str, Any]:
    from dlbd.data.arrow import pa

    if rows.shape[1] == 1:  # the probability of the second one
        rows = np.concatenate([1 - rows, rows], axis=1)
    known: Any = np.isfinite(rows).all(axis=1)
    best = np.nan_to_num(rows).argmax(axis=1)
    probability = pa.array(rows[np.arange(len(rows)), best], from_pandas=True)
    chosen = [classes[i] if k else None for i, k in zip(best, known, strict=True)]
    return {f"predicted{end}": pa.array(chosen, pa.array(classes).type), f"probability{end}": probability}
