"""What a person sees while a model trains: a bar in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Seconds between two looks at the numbers: reading them more often would slow small models down.
REFRESH = 0.05
BAR_WIDTH = 20


class Bar:
    """The line that shows one epoch (or evaluation) as it goes.

    Args:
        total: steps; None if unknown.
        live: whether the line may be rewritten (a terminal) or is written once, at the end (a log).
    """

    def __init__(self, total: int | None, live: bool) -> None:
        self.total = total
        self.live = live
        self._start = time.perf_counter()
        self._next = self._start
        self._width = 0

    def due(self) -> bool:
        """Whether it is time to call :meth:`show` again."""
        return self.live and time.perf_counter() >= self._next

    def show(self, step: int, logs: dict[str, float]) -> None:
        self._next = time.perf_counter() + REFRESH
        self._write("\r" + self._line(step, logs, self._estimate(step)))

    def finish(self, steps: int, logs: dict[str, float]) -> None:
        self.total = steps
        seconds = time.perf_counter() - self._start
        line = self._line(steps, logs, f"{_duration(seconds)} {_per_step(seconds, steps)}")
        self._write(("\r" if self.live else "") + line, end="\n")

    def abandon(self) -> None:
        """The epoch was cut short: leave the line as it is."""
        if self.live and self._width:
            self._write("", end="\n")

    def _estimate(self, step: int) -> str:
        seconds = time.perf_counter() - self._start
        per_step = _per_step(seconds, step)
        if self.total is None or not step:
            return f"{_duration(seconds)} {per_step}"
        return f"{_duration(seconds / step * max(self.total - step, 0))} {per_step}"

    def _line(self, step: int, logs: dict[str, float], timing: str) -> str:
        if self.total is None:
            bar = f"{step}/?"
        else:
            filled = BAR_WIDTH * min(step, self.total) // max(self.total, 1)
            bar = f"{step:>{len(str(self.total))}}/{self.total} {'━' * filled}{'─' * (BAR_WIDTH - filled)}"
        return f"{bar} {timing}{values_text(logs)}"

    def _write(self, text: str, end: str = "") -> None:
        visible = len(text.lstrip("\r"))
        padding = " " * max(self._width - visible, 0) if self.live else ""
        self._width = visible
        if not write(text + padding + end):
            self.live = False


def write(text: str) -> bool:
    """To stdout; a closed or broken one must not end a training run of hours."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def values_text(logs: dict[str, float]) -> str:
    """' - accuracy: 0.9812 - loss: 0.0633'."""
    text = ""
    for name, value in logs.items():
        small = value != 0 and abs(value) < 1e-3
        text += f" - {name}: {value:.4e}" if small else f" - {name}: {value:.4f}"
    return text


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02d}:{int(seconds) % 60:02d}"
    if seconds >= 60:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
    return f"{int(seconds)}s"


def _per_step(seconds: float, steps: int) -> str:
    each = seconds / max(steps, 1)
    if each >= 1:
        return f"{each:.0f}s/step"
    return f"{each * 1e3:.0f}ms/step" if each >= 1e-3 else f"{each * 1e6:.0f}us/step"


def in_terminal() -> bool:
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):
        return False


def verbosity(verbose: Any) -> int:
    """0 silent, 1 bar, 2 one line per epoch."""
    if verbose == "auto":
        return 1 if in_terminal() else 2
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f'verbose must be 0, 1, 2 or "auto"; received {verbose!r}')
    return int(verbose)


@contextmanager
def predicting(verbose: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Progress of ``predict``: live only in a terminal."""
    if not verbose:
        yield lambda steps: None
        return
    bar = Bar(total, live=in_terminal())
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done = steps
        if bar.due():
            bar.show(steps, {})

    yield progress
    bar.finish(done, {})
