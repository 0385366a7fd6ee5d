"""The line that a person sees while a model trains: what it says. Where it is written: :mod:`dlbd.callbacks.screen`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlbd.callbacks.screen import Screen, encodable, is_live, screen

# Seconds between two looks at the numbers: reading them more often would slow small models down.
REFRESH = 0.1
BAR_WIDTH = 20
SHOWN_ELEMENTS = 4  # of a metric that is a vector; a longer one is shown by its mean


class Bar:
    """The line that shows one epoch (or evaluation, or prediction) as it goes.

    Args:
        total: steps; None if unknown.
        onto: where it is written.
        title: what it is about: "Epoch 1/5".
    """

    def __init__(self, total: int | None, onto: Screen, title: str = "") -> None:
        self.total = total
        self._screen = onto
        self._title = onto.begin(title)
        self._start = time.perf_counter()
        self._next = self._start + REFRESH

    def due(self) -> bool:
        """Whether it is time to call :meth:`show` again."""
        return self._screen.live and time.perf_counter() >= self._next

    def show(self, step: int, logs: Mapping[str, Any]) -> None:
        seconds = time.perf_counter() - self._start
        self._next = self._start + seconds + REFRESH
        left = seconds if self.total is None or not step else seconds / step * max(self.total - step, 0)
        self._screen.show(self._parts(step, left, seconds, logs))

    def finish(self, steps: int, logs: Mapping[str, Any]) -> None:
        self.total = steps
        seconds = time.perf_counter() - self._start
        self._screen.finish(self._parts(steps, seconds, seconds, logs))

    def abandon(self) -> None:
        """The epoch was cut short: leave the line as it is."""
        self._screen.abandon()

    def _parts(self, step: int, shown: float, seconds: float, logs: Mapping[str, Any]) -> list[str]:
        """The line, cut where it may be broken."""
        times = duration(shown), per_step(seconds, step)
        values = [f"{name}: {value_text(value)}" for name, value in logs.items()]
        if self._screen.live:
            return [" ".join(filter(None, (self._title, self._progress(step), *times))), *values]
        return [*filter(None, (self._title, f"{step}/{self.total}", *times)), *values]

    def _progress(self, step: int) -> str:
        if self.total is None:
            return f"{step}/?"
        done, ahead = ("━", "─") if encodable("━─") else ("=", ".")
        filled = BAR_WIDTH * min(step, self.total) // max(self.total, 1)
        return f"{step:>{len(str(self.total))}}/{self.total} {done * filled}{ahead * (BAR_WIDTH - filled)}"


def value_text(value: Any) -> str:
    """'0.9812'; '[0.9100 0.8800]'; of a longer vector its mean, of a matrix its shape."""
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    if array.ndim == 0:
        size = abs(float(array))
        return f"{float(array):.4e}" if 0 < size < 1e-3 or 1e6 <= size < np.inf else f"{float(array):.4f}"
    if array.ndim == 1 and array.size <= SHOWN_ELEMENTS:
        return f"[{' '.join(value_text(v) for v in array)}]"
    if array.ndim == 1:
        return f"mean {value_text(array.mean())} of {array.size}"
    return f"({'x'.join(map(str, array.shape))})"


def duration(seconds: float) -> str:
    """'7s', '2:05' or '1:02:05'."""
    hours, rest = divmod(int(seconds), 3600)
    if hours:
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{rest // 60}:{rest % 60:02d}" if rest >= 60 else f"{rest}s"


def per_step(seconds: float, steps: int) -> str:
    """'3ms/step'."""
    each = seconds / max(steps, 1)
    if each >= 1:
        return f"{each:.0f}s/step"
    return f"{each * 1e3:.0f}ms/step" if each >= 1e-3 else f"{each * 1e6:.0f}us/step"


def verbosity(verbose: Any) -> int:
    """0 silent, 1 bar, 2 one line per epoch."""
    if verbose == "auto":
        return 1 if is_live() else 2
    if verbose not in (0, 1, 2, True, False):
        raise ValueError(f'verbose must be 0, 1, 2 or "auto"; received {verbose!r}')
    return int(verbose)


@contextmanager
def predicting(verbose: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Progress of ``predict``."""
    if not verbose:
        yield lambda steps: None
        return
    bar = Bar(total, screen(verbose))
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done = steps
        if bar.due():
            bar.show(steps, {})

    try:
        yield progress
    except BaseException:
        bar.abandon()
        raise
    bar.finish(done, {})
