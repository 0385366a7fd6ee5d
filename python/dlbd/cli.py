"""The ``dlbd`` command: ``dlbd train``, ``evaluate``, ``predict``, ``inspect``, ``demo`` and ``info``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dlbd.commands import demo, evaluate, info, inspect, predict, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 on success, 1 on a failure that a person can act on, 2 on misuse, 130
    when it was interrupted.
    """
    parser = argparse.ArgumentParser(prog="dlbd", description="Deep learning on big data.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (train, evaluate, predict, inspect, demo, info):
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (ImportError, OSError, TypeError, ValueError) as error:
        print(f"dlbd {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
