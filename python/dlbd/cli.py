"""The ``dlbd`` command: ``dlbd demo`` and ``dlbd info``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 on success, 1 on a failure that a person can act on, 2 on misuse."""
    parser = argparse.ArgumentParser(prog="dlbd", description="Deep learning on big data.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="version, instruction set, threads, device: what a bug report needs")
    demo = commands.add_parser("demo", help="train a small convolutional network on scanned digits and show the result")
    demo.add_argument("--seed", type=int, default=0, help="of the split, the weights and the order (default 0)")
    demo.add_argument("--epochs", type=int, default=8, help="passes over the training data (default 8)")
    demo.add_argument(
        "--out", default="dlbd-demo", metavar="FOLDER", help="where the pictures go (default ./dlbd-demo)"
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "info":
            from dlbd.info import describe

            print(describe())
        else:
            from dlbd.demo import run

            run(seed=options.seed, epochs=options.epochs, out=options.out)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (ImportError, OSError, ValueError) as error:
        print(f"dlbd {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
