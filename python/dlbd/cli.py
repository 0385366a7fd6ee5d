"""The ``dlbd`` command: ``dlbd train``, ``evaluate``, ``predict``, ``inspect``, ``demo`` and ``info``."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
from collections.abc import Sequence

from dlbd.commands import demo, evaluate, info, inspect, predict, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0 on success, 1 on a failure that a person can act on, 2 on misuse, 130
    when it was interrupted, 141 when nobody reads its output any more.
    """
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        return _unread()


def _run(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="dlbd", description="Deep learning on big data. dlbd COMMAND --help says more."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (train, evaluate, predict, inspect, demo, info):
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print(f"dlbd {options.command}: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except (ImportError, OSError, TypeError, ValueError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():  # and not the connection to a server
            raise
        print(f"dlbd {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _nobody_reads() -> bool:
    """Whether the other end of stdout is closed."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError):  # it is no file
        return False
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _unread() -> int:
    """Status of a program that ends because its output goes nowhere, as of ``| head``: nothing is to be said of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter writes out what is left
    return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
