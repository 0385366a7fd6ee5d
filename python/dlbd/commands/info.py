"""``dlbd info``: what a bug report needs."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "info",
        help="version, instruction set, threads, device",
        description="Version, instruction set, threads, device: what a bug report needs.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from dlbd.info import describe

    print(describe())
