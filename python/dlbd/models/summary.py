"""The table that ``Model.summary`` prints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dlbd.layers.base import Layer


def summarize(
    model: Any,
    line_length: int | None,
    positions: Sequence[float] | None,
    print_fn: Callable[[str], Any] | None,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> None:
    """Print layers, output shapes and parameter counts as Keras does."""
    write = print if print_fn is None else print_fn
    header = ["Layer (type)", "Output Shape", "Param #", *(["Trainable"] if show_trainable else [])]
    rows = [
        [*row, *([_trainable_text(layer)] if show_trainable else [])]
        for layer, row in _rows(model, expand_nested, layer_range, "")
    ]
    width = line_length or min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)
    widths = _widths(width, positions, len(header))
    lines = [f'Model: "{model.name}"', _rule(("┏", "┳", "┓"), "━", widths)]
    lines += _wrapped(header, widths, "┃")
    lines.append(_rule(("┡", "╇", "┩"), "━", widths))
    for i, row in enumerate(rows):
        if i:
            lines.append(_rule(("├", "┼", "┤"), "─", widths))
        lines += _wrapped(row, widths, "│")
    lines.append(_rule(("└", "┴", "┘"), "─", widths))
    lines += _totals(model)
    for line in lines:
        write(line)


def _rows(
    model: Any, expand_nested: bool, layer_range: Sequence[str] | None, indent: str
) -> Iterator[tuple[Layer, list[str]]]:
    shown = model.layers_and_shapes()
    if layer_range is not None:
        shown = shown[_chosen([layer.name for layer, _ in shown], layer_range)]
    for layer, shape in shown:
        yield layer, [f"{indent}{layer.name} ({type(layer).__name__})", _shape_text(shape), _count_text(layer)]
        if expand_nested and hasattr(layer, "layers_and_shapes"):
            yield from _rows(layer, True, None, f"{indent.replace('└', ' ')}  └ ")


def _chosen(names: list[str], layer_range: Sequence[str]) -> slice:
    """From the first layer that the one pattern fits to the last that the other does."""
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(f"layer_range is the names of the first and the last layer to show; received {layer_range!r}")
    found = [[i for i, name in enumerate(names) if re.match(pattern, name)] for pattern in layer_range]
    if not all(found):
        raise ValueError(f"layer_range={list(layer_range)} fits none of the layers {names}")
    ends = found[0][0], found[1][-1]
    return slice(min(ends), max(ends) + 1)


def _widths(width: int, positions: Sequence[float] | None, columns: int) -> list[int]:
    """Characters inside each column, without the bars and the spaces around them."""
    inner = width - 3 * columns - 1
    if positions is None:
        positions = (0.45, 0.80, 1.0) if columns == 3 else (0.42, 0.70, 0.86, 1.0)
    if len(positions) != columns or list(positions) != sorted(positions):
        raise ValueError(f"positions must be {columns} rising numbers, one per column; received {list(positions)}")
    whole = 1 if positions[-1] <= 1 else width
    ends = [int(inner * p / whole) for p in positions]
    ends[-1] = inner
    return [max(end - start, 1) for start, end in zip([0, *ends], ends, strict=False)]


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


def _trainable_text(layer: Layer) -> str:
    return "-" if not layer.weights else "Y" if layer.trainable_variables else "N"


def _rule(corners: tuple[str, str, str], bar: str, widths: list[int]) -> str:
    left, middle, right = corners
    return left + middle.join(bar * (w + 2) for w in widths) + right


def _wrapped(cells: list[str], widths: list[int], bar: str) -> list[str]:
    """A row of the table, over as many lines as its longest cell takes."""
    pieces = [[c[i : i + w] for i in range(0, max(len(c), 1), w)] for c, w in zip(cells, widths, strict=True)]
    lines = []
    for i in range(max(map(len, pieces))):
        parts = [p[i] if i < len(p) else "" for p in pieces]
        aligned = [
            f"{part:>{w}}" if column == 2 else f"{part:<{w}}"
            for column, (part, w) in enumerate(zip(parts, widths, strict=True))
        ]
        lines.append(f"{bar} " + f" {bar} ".join(aligned) + f" {bar}")
    return lines
