"""MonitorCallback: what callbacks share that watch one value of the logs."""

from __future__ import annotations

import re
import warnings

import numpy as np

from dlbd.callbacks.base import Callback, Logs
from dlbd.naming import snake_case

# Parts of names, between underscores or at the ends; asked in this order.
_SMALLER = re.compile(
    r"(^|_)(loss|mse|mae|mape|msle|rmse|logcosh|log_cosh|kl|poisson|perplexity|hinge|false_(posi|nega)tives)(_|$)"
    r"|error|entropy|divergence|deviation"
)
_LARGER = re.compile(
    r"(^|_)(acc|auc|iou|io_u|f1|fbeta|r2|cosine|true_(posi|nega)tives)(_|$)"
    r"|accuracy|precision|recall|similarity|correlation|sensitivity|specificity"
)


def direction(name: str) -> str | None:
    """Whether a value of this name, without "val_", is to become "min" or "max"; None if the name does not tell."""
    for mode, pattern in (("min", _SMALLER), ("max", _LARGER)):
        if pattern.search(name.lower()):
            return mode
    return None


class MonitorCallback(Callback):
    """The base of callbacks that watch one value of the epochs' logs.

    Args:
        monitor: the value's name in the logs.
        mode: "min", "max", or "auto", which tells from the name, or from the class of the metric with that name.
        min_delta: the least change that counts as better.

    Raises:
        ValueError: ``mode`` is none of these; or it is "auto" and nothing tells (at the end of the first epoch).
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'[{type(self).__name__}] mode must be "auto", "min" or "max"; received {mode!r}')
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self._warned = False

    def watched(self, logs: Logs | None) -> float | None:
        """The value; None, with a warning the first time, if it is not there."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            self._warn(logs or {})
            return None
        if np.ndim(value):
            raise ValueError(
                f"[{type(self).__name__}] monitor={self.monitor!r} is an array of shape {np.shape(value)}; only a "
                "single number can be better or worse than another"
            )
        return float(value)

    def _warn(self, logs: Logs) -> None:
        not_validated = self.monitor.startswith("val_") and "validation_freq" in self.params
        if self._warned or (not_validated and not any(name.startswith("val_") for name in logs)):
            return  # it will come with the next validation
        self._warned = True
        warnings.warn(
            f"{type(self).__name__} watches {self.monitor!r}, which is not among {sorted(logs)}: it does nothing",
            stacklevel=4,
        )

    @property
    def larger_is_better(self) -> bool:
        """Which way is up."""
        if self.mode == "auto":
            self.mode = self._told_by_names()
        return self.mode == "max"

    def _told_by_names(self) -> str:
        name = self.monitor.removeprefix("val_")
        metrics = getattr(self.model, "metrics", ())
        for n in (name, *(snake_case(type(m).__name__) for m in metrics if m.name == name)):
            found = direction(n)
            if found is not None:
                return found
        raise ValueError(
            f"[{type(self).__name__}] nothing tells whether a larger or a smaller {self.monitor!r} is better: pass "
            'mode="max" or mode="min"'
        )

    def improves(self, value: float, on: float | None) -> bool:
        """Whether ``value`` is better than ``on``, by ``min_delta``; anything is better than None."""
        larger = self.larger_is_better  # asked even where there is no best value yet: an error comes at once
        if on is None:
            return True
        return value - self.min_delta > on if larger else value + self.min_delta < on
