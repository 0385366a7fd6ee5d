"""``dlbd train``: from a source to a saved model."""

from __future__ import annotations

import argparse
import os
import runpy
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from dlbd.commands.arguments import add_batches, add_source, names, opened

if TYPE_CHECKING:
    from dlbd.data import Features, Source


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a model on the rows of a source",
        description="Train a model on the rows of a source, test it, save it with all it has learned of the columns.",
    )
    add_source(parser)
    parser.add_argument(
        "--target",
        metavar="A,B",
        type=names,
        required=True,
        help="the column to be predicted, a class, a number, a list of numbers or an image; or several numbers",
    )
    parser.add_argument("--drop", metavar="A,B", type=names, default=[], help="columns that are not used")
    parser.add_argument("--weight", metavar="COLUMN", help="the column with the weight of each row")
    parser.add_argument(
        "--model",
        metavar="M",
        help="mlp, cnn, lstm, gru, conv1d, unet (from images to images), or a Python file with a function "
        "build(features) that gives a compiled model; by default what suits the columns",
    )
    parser.add_argument("--window", metavar="N", type=int, help="for time series: N successive rows are one sample")
    parser.add_argument(
        "--horizon", metavar="N", type=int, default=1, help="of a window: how many rows ahead are predicted (default 1)"
    )
    parser.add_argument("--series", metavar="COLUMN", help="of windows: the column that tells apart series")
    parser.add_argument("--out", metavar="FILE", default="model.dlbd", help="the file (default model.dlbd)")
    parser.add_argument("--epochs", metavar="N", type=int, default=10, help="passes over the rows (default 10)")
    add_batches(parser)
    parser.add_argument("--learning-rate", metavar="R", type=float, default=0.001, help="of Adam (default 0.001)")
    parser.add_argument(
        "--split",
        metavar="F,F,F",
        type=names,
        default=["0.8", "0.1", "0.1"],
        help="parts of the rows to train, validate and test with (default 0.8,0.1,0.1); the last ones may be left out",
    )
    parser.add_argument("--split-by", metavar="COLUMN", help="rows equal in this column stay in one part")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of split, weights and order (default 0)")
    parser.add_argument("--balance", action="store_true", help="let rare classes weigh as much as frequent ones")
    parser.add_argument("--memory-limit", metavar="SIZE", help="what reading takes at most (default 64MB)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    import dlbd
    from dlbd.models.limits import bytes_of

    if options.epochs < 1:
        raise ValueError(f"--epochs must be at least 1; received {options.epochs}")
    limit = None if options.memory_limit is None else bytes_of(options.memory_limit)
    _require_writable(options.out)
    source = opened(options)
    parts = _parts(source, options)
    dlbd.utils.set_random_seed(options.seed)
    features = _features(parts[0], options)
    features.adapt(parts[0])
    model = _built(options, features, parts[0])
    model.summary()
    model.fit(
        parts[0],
        features=features,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_data=parts[1] if len(parts) > 1 else None,
        class_weight="balanced" if options.balance else None,
        memory_limit=limit,
    )
    if len(parts) > 2:
        found = model.evaluate(parts[2], batch_size=options.batch_size, verbose=0, return_dict=True)
        print("test: " + ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    model.save(options.out)
    print(f"model: {options.out}")


def _require_writable(path: str) -> None:
    folder = os.path.dirname(os.path.realpath(path))
    if not path.endswith(".dlbd"):
        raise ValueError(f'--out ends in ".dlbd"; received {path!r}')
    if not os.access(folder, os.W_OK):
        raise ValueError(f"--out: the folder {folder} is not there, or cannot be written to")


def _parts(source: Source, options: argparse.Namespace) -> list[Source]:
    try:
        fractions = [float(f) for f in options.split]
    except ValueError:
        raise ValueError(f"--split is one to three numbers, 0.8,0.1,0.1 for one; received {options.split}") from None
    if not 1 <= len(fractions) <= 3:
        raise ValueError(f"--split is one to three numbers, 0.8,0.1,0.1 for one; received {options.split}")
    if fractions == [1.0]:
        return [source]
    if not source.ordered and options.split_by is None:
        raise ValueError(f"{source.name} has no order of rows to be split by: pass --split-by or --order-by")
    if options.window is not None and not options.order_by:
        raise ValueError("--window needs the rows in order of time: pass --order-by")
    called: dict[str, Any] = dict(zip(("train", "validation", "test"), fractions, strict=False))
    if options.window is not None:
        return list(source.split(by=options.order_by[0], in_order=True, **called))
    return list(source.split(by=options.split_by, seed=options.seed, **called))


def _features(source: Source, options: argparse.Namespace) -> Features:
    from dlbd.data import Features, Window

    target = options.target[0] if len(options.target) == 1 else options.target
    if options.window is None:
        return Features.infer(source, target, drop=options.drop, weight=options.weight)
    by = options.series
    drop = [*options.drop, *options.order_by, *([] if by is None or by in options.order_by else [by])]
    inputs = Features.infer(source, drop=drop).inputs  # what is predicted is known up to now
    window = Window(options.window, horizon=options.horizon, by=by)
    return Features(inputs, target, weight=options.weight, window=window)


def _built(options: argparse.Namespace, features: Features, source: Source) -> Any:
    from dlbd.commands.networks import KINDS, network, target_shape, usual_kind

    kind = options.model or usual_kind(features)
    if kind in KINDS:
        known = features.classes is not None
        centers, widths = ([], []) if known else _moments(source, features, target_shape(features))
        return network(kind, features, centers, widths, options.learning_rate)
    if not kind.endswith(".py"):
        raise ValueError(f"--model is one of {', '.join(KINDS)}, or a file that ends in .py; received {kind!r}")
    build = runpy.run_path(kind).get("build")
    if build is None:
        raise ValueError(f"{kind} has no function build(features)")
    model = build(features)
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"{kind}: build(features) gives a compiled model; received {model!r}")
    return model


def _moments(source: Source, features: Features, shape: tuple[int, ...]) -> tuple[list[float], list[float]]:
    """Means and standard deviations of the targets, which are numbers, in a pass of its own: one of each for each place
    of the last axis.
    """
    from dlbd.layers.preprocessing.moments import Moments

    found = Moments()
    with closing(features.read(source)) as blocks:
        for block in blocks:
            if block.size:
                found.add(np.asarray(block.y).reshape(-1, *shape[-1:] or (1,)))
    if not found.count:
        raise ValueError(f"{source.name} has too few rows for one sample")
    return found.mean.tolist(), [width or 1.0 for width in np.sqrt(found.variance).tolist()]
