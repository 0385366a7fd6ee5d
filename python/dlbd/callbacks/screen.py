"""Where progress is shown: a terminal, whose line is rewritten; a notebook, whose output is; a log, one line at a time.

A log gets whole lines and no control characters, so that what is followed with ``tail -f``, kept by a CI system or
written by several processes at once stays readable.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

INDENT = "    "


class Screen:
    """A log.

    Attributes:
        live: whether :meth:`show` shows anything.
    """

    live = False

    def begin(self, title: str) -> str:
        """Something with this title begins: gives what the line itself must say of it."""
        return title

    def show(self, parts: list[str]) -> None:
        """The line as of now."""

    def finish(self, parts: list[str]) -> None:
        """The line as it stays."""
        write(" - ".join(parts) + "\n")

    def abandon(self) -> None:
        """The line stays as it is."""


class Terminal(Screen):
    """The line is rewritten from its start, so it must not be longer than the terminal is wide."""

    live = True

    def __init__(self) -> None:
        self._shown = 0  # characters on the line

    def begin(self, title: str) -> str:
        if title:
            write(title + "\n")
        return ""

    def show(self, parts: list[str]) -> None:
        self._rewrite(_cut(parts, _columns() - 1))

    def finish(self, parts: list[str]) -> None:
        first, *others = _broken(parts, _columns() - 1)
        self._rewrite(first)
        write("".join(f"\n{INDENT}{line}" for line in others) + "\n")

    def abandon(self) -> None:
        if self._shown:
            write("\n")

    def _rewrite(self, line: str) -> None:
        if not write("\r" + line.ljust(self._shown)):
            self.live = False
        self._shown = len(line)


class Notebook(Screen):
    """A display of its own that is updated, so that a notebook keeps its last state only.

    What is quicker than the time between two updates is a line of text like in a log.
    """

    live = True

    def __init__(self) -> None:
        self._display: Any = None

    def show(self, parts: list[str]) -> None:
        content = {"text/plain": " - ".join(parts)}
        if self._display is None:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)
        else:
            self._display.update(content, raw=True)

    def finish(self, parts: list[str]) -> None:
        if self._display is None:
            super().finish(parts)
        else:
            self.show(parts)


def screen(verbose: int) -> Screen:
    """Where progress goes: to a log for ``verbose=2``, and otherwise to what stdout is."""
    if verbose == 2 or not is_live():
        return Screen()
    return Notebook() if _in_notebook() else Terminal()


def is_live() -> bool:
    """Whether what is written to stdout can be rewritten."""
    if _in_notebook():
        return True
    try:
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # None, or closed
        return False


def _in_notebook() -> bool:
    return type(sys.stdout).__module__.partition(".")[0] == "ipykernel"


def write(text: str) -> bool:
    """To stdout; a closed or broken one must not end a training run of hours."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def encodable(text: str) -> bool:
    """Whether stdout can show ``text``."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _columns() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _cut(parts: list[str], width: int) -> str:
    """As many of the parts as fit on a line."""
    dots = "…" if encodable("…") else "..."
    line = " - ".join(parts)
    while len(line) > width and len(parts) > 1:
        parts = parts[:-1]
        line = " - ".join([*parts, dots])
    return line[:width]


def _broken(parts: list[str], width: int) -> list[str]:
    """The parts on as many lines as they take; those after the first are to be indented."""
    lines = [parts[0]]
    for part in parts[1:]:
        room = width - (len(INDENT) if len(lines) > 1 else 0)
        if len(lines[-1]) + len(part) + 3 <= room:
            lines[-1] += f" - {part}"
        else:
            lines.append(part)
    return lines
