"""History.plot: losses and metrics by epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from dlbd.callbacks.monitor import direction
from dlbd.pictures.style import BLUE, FAINT, INK, MUTED, ORANGE, Picture

MOST_COLUMNS = 3
WIDTH, HEIGHT = 3.6, 2.6  # inches of a panel
FEW_EPOCHS = 25  # so many are drawn as points with lines between them
WIDE = 30.0  # from so large a ratio on, a loss is drawn on a logarithmic scale

_Line = tuple[Any, Any, str]  # epochs, values, colour


def draw(history: dict[str, list[Any]], epochs: list[int], validation_freq: Any) -> Picture:
    """A panel for each loss and metric, in it the lines of training and validation."""
    drawn = {name: _scalars(values) for name, values in history.items() if values and np.ndim(values[0]) < 2}
    names = sorted({name.removeprefix("val_") for name in drawn}, key=_place)
    if not names:
        raise ValueError("[History.plot] there is no epoch to draw")
    columns = min(len(names), MOST_COLUMNS)
    rows = -(-len(names) // columns)
    figure = Picture(figsize=(WIDTH * columns, HEIGHT * rows), facecolor="white", layout="constrained", dpi=150)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        lines: dict[str, _Line] = {}
        for key, colour, label in ((name, BLUE, "training"), (f"val_{name}", ORANGE, "validation")):
            if key in drawn:
                lines[label] = (_epochs(epochs, len(drawn[key]), validation_freq), drawn[key], colour)
        _draw_panel(panel, name, lines, legend=name == names[0] and len(lines) > 1)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    return figure


def _scalars(values: list[Any]) -> Any:
    return np.array([np.mean(value) for value in values], np.float64)


def _place(name: str) -> tuple[int, str]:
    """Losses first, the learning rate last."""
    return (0 if name == "loss" else 1 if name.endswith("_loss") else 3 if name == "learning_rate" else 2), name


def _epochs(epochs: list[int], values: int, validation_freq: Any) -> Any:
    """The numbers, from 1, of the epochs that so many values belong to."""
    numbers = np.array(epochs) + 1
    if values < len(numbers):
        every = isinstance(validation_freq, int)
        validated = numbers[numbers % validation_freq == 0] if every else np.intersect1d(numbers, list(validation_freq))
        numbers = validated if len(validated) == values else numbers[-values:]
    return numbers[:values]


def _draw_panel(panel: Any, name: str, lines: dict[str, _Line], legend: bool) -> None:
    goal = None if name == "learning_rate" else direction(name)
    for label, (numbers, values, colour) in lines.items():
        few = len(numbers) <= FEW_EPOCHS
        panel.plot(
            numbers,
            values,
            color=colour,
            label=label,
            linewidth=1.6 if few else 1.1,
            marker="o" if few else "",
            markersize=3.5,
            drawstyle="steps-mid" if name == "learning_rate" else "default",
        )
    panel.margins(x=0.04, y=0.12)
    every = np.concatenate([values for _, values, _ in lines.values()])
    every = every[np.isfinite(every)]
    if goal == "min" and every.size and every.min() > 0 and every.max() / every.min() > WIDE:
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("")
    if goal is not None:
        _mark_best(panel, goal, *list(lines.values())[-1])
    panel.set_title(name, loc="left", fontsize=10, fontweight="bold", color=INK, parse_math=False)
    panel.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    left, right = panel.get_xlim()
    panel.set_xlim((0.5, 1.5) if right < 1.5 else (max(left, 0.5), right))
    panel.set_xlabel("epoch", fontsize=8, color=MUTED)
    panel.tick_params(which="both", labelsize=8, colors=MUTED, length=0)
    panel.grid(axis="y", color=FAINT, linewidth=0.7)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(FAINT)
    if legend:
        panel.legend(loc="best", fontsize=8, frameon=False, labelcolor="linecolor", handlelength=1.2)


def _mark_best(panel: Any, goal: str, numbers: Any, values: Any, colour: str) -> None:
    """A ring around the best value of the validation (or, without one, of the training); what it is, above."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return
    best = known[(np.argmin if goal == "min" else np.argmax)(values[known])]
    x, y = numbers[best], values[best]
    panel.plot([x], [y], marker="o", markersize=7, color="none", markeredgecolor=colour, markeredgewidth=1.2)
    panel.set_title(f"{y:.4g} in epoch {x}", loc="right", fontsize=8, color=colour)
