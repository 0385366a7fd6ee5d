"""``dlbd demo``: the whole way, from a database to pictures."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="from scanned digits in a database to a trained, tested network",
        description="Write scanned digits into a database, train a network on them, test it, save it, draw pictures.",
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of the split, the weights and the order (default 0)"
    )
    parser.add_argument("--epochs", metavar="N", type=int, default=8, help="passes over the training data (default 8)")
    parser.add_argument(
        "--out",
        default="dlbd-demo",
        metavar="FOLDER",
        help="where all files go (default ./dlbd-demo)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dlbd import demo

    demo.run(seed=options.seed, epochs=options.epochs, out=options.out)
