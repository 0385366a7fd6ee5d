"""``dlbd evaluate``: loss and metrics of a saved model."""

from __future__ import annotations

import argparse
from typing import Any

from dlbd.commands.arguments import add_batches, add_source, opened


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="loss and metrics of a model on the rows of a source",
        description="Loss and metrics of a saved model on the rows of a source.",
    )
    parser.add_argument("model", metavar="MODEL", help="a file of dlbd train, or of model.save()")
    add_source(parser)
    add_batches(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dlbd.callbacks.screen import is_live

    model = loaded(options.model)
    verbose = int(is_live())  # what others read is the result alone
    found = model.evaluate(opened(options), batch_size=options.batch_size, verbose=verbose, return_dict=True)
    for name, value in found.items():
        print(f"{name}: {value:.6g}")


def loaded(path: str) -> Any:
    """A model that takes raw rows.

    Raises:
        ValueError: it takes none.
    """
    from dlbd.models import load_model

    model = load_model(path)
    if model.features is None:
        raise ValueError(f"{path}: the model has no features that make inputs of raw rows: it was trained on arrays")
    return model
