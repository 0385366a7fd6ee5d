"""The table that ``Model.summary`` prints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from dlbd.layers.base import Layer


def summarize(model: Any, line_length: int | None, print_fn: Callable[[str], Any] | None) -> None:
    """Print layers, output shapes and parameter counts as Keras does."""
    write = print if print_fn is None else print_fn
    width = line_length or min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)
    header = ["Layer (type)", "Output Shape", "Param #"]
    rows = [[f"{layer.name} ({type(layer).__name__})", _shape_text(shape), _count_text(layer)]
            for layer, shape in model.layers_and_shapes()]  # fmt: skip
    inner = width - 10  # the bars and the spaces around three columns
    widths = [inner * 45 // 100, inner * 35 // 100]
    widths.append(inner - sum(widths))
    lines = [f'Model: "{model.name}"', _rule(("┏", "┳", "┓"), "━", widths), _row(header, widths, "┃")]
    lines.append(_rule(("┡", "╇", "┩"), "━", widths))
    for i, row in enumerate(rows):
        if i:
            lines.append(_rule(("├", "┼", "┤"), "─", widths))
        lines += _wrapped(row, widths)
    lines.append(_rule(("└", "┴", "┘"), "─", widths))
    lines += _totals(model)
    for line in lines:
        write(line)


def _totals(model: Any) -> list[str]:
    trained = {id(v): v for v in model.trainable_variables}
    trainable = sum(v.size for v in trained.values())
    rest = [v for v in model.weights if id(v) not in trained]
    fixed = sum(v.size for v in rest)
    optimizer = getattr(model, "optimizer", None)
    state = list(optimizer.variables) if optimizer is not None and optimizer.built else []
    extra = sum(v.size for v in state)
    text = [
        f" Total params: {_sized(trainable + fixed + extra, [*trained.values(), *rest, *state])}",
        f" Trainable params: {_sized(trainable, list(trained.values()))}",
        f" Non-trainable params: {_sized(fixed, rest)}",
    ]
    if extra:
        text.append(f" Optimizer params: {_sized(extra, state)}")
    return text


def _sized(count: int, variables: list[Any]) -> str:
    size = float(sum(v.array.nbytes for v in variables))
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{count:,} ({size:.2f} {unit})"
        size /= 1024
    raise AssertionError


def _shape_text(shape: Any) -> str:
    return "?" if shape is None else str(shape)


def _count_text(layer: Layer) -> str:
    return f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"


def _rule(corners: tuple[str, str, str], bar: str, widths: list[int]) -> str:
    left, middle, right = corners
    return left + middle.join(bar * (w + 2) for w in widths) + right


def _row(cells: list[str], widths: list[int], bar: str) -> str:
    aligned = [cells[0].ljust(widths[0]), cells[1].ljust(widths[1]), cells[2].rjust(widths[2])]
    return f"{bar} " + f" {bar} ".join(aligned) + f" {bar}"


def _wrapped(cells: list[str], widths: list[int]) -> list[str]:
    pieces = [[c[i : i + w] for i in range(0, max(len(c), 1), w)] for c, w in zip(cells, widths, strict=True)]
    height = max(len(p) for p in pieces)
    padded = [p + [""] * (height - len(p)) for p in pieces]
    return [_row([p[i] for p in padded], widths, "│") for i in range(height)]
