"""The table that ``Model.summary`` prints."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dlbd.layers.input import InputLayer
from dlbd.models.flops import flops, total
from dlbd.models.outline import Call, kind, outline

LEAST_WIDTH, MOST_WIDTH = 60, 120
# Where less than this is left for each column of text, the columns of memory and FLOPs give way.
LEAST_TEXT = 18


class _Column(NamedTuple):
    title: str
    alignment: str = "<"
    flexible: bool = False  # wraps
    optional: bool = False  # left out where the line is too short, or positions speak of Keras's columns


_LAYER, _SHAPE = _Column("Layer (type)", flexible=True), _Column("Output Shape", flexible=True)
_PARAMS, _SOURCES = _Column("Param #", ">"), _Column("Connected to", flexible=True)
_TRAINABLE = _Column("Trainable", "^")
_MEMORY, _FLOPS = _Column("Memory", ">", optional=True), _Column("FLOPs", ">", optional=True)


def summarize(
    model: Any,
    line_length: int | None,
    positions: Sequence[float] | None,
    print_fn: Callable[[str], Any] | None,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> None:
    """Print layers, output shapes, parameter counts and connections as Keras does, and what a sample costs."""
    calls = outline(model)
    branches = _branches(calls)
    columns = [_LAYER, _SHAPE, _PARAMS, *([_SOURCES] if branches else []), *([_TRAINABLE] if show_trainable else [])]
    columns += [_MEMORY, _FLOPS]
    rows = list(_rows(model, calls, branches, expand_nested, layer_range, ""))
    columns, widths = _layout(columns, rows, line_length, positions)
    table = [{column: column.title for column in columns}, *rows]
    lines = [f'Model: "{model.name}"', _rule(("┏", "┳", "┓"), "━", widths)]
    for i, row in enumerate(table):
        if i:
            lines.append(_rule(("┡", "╇", "┩"), "━", widths) if i == 1 else _rule(("├", "┼", "┤"), "─", widths))
        lines += _wrapped(row, columns, widths, "│" if i else "┃")
    lines.append(_rule(("└", "┴", "┘"), "─", widths))
    for line in [*lines, *_totals(model, calls)]:
        (print if print_fn is None else print_fn)(line)


def _branches(calls: list[Call]) -> bool:
    """Whether the layers are more than a chain, so that the table must say what is connected to what."""
    connected = [call for call in calls if call.sources]
    layers = {id(call.layer) for call in calls}
    sources = [call.sources[0] for call in connected]
    return len(layers) < len(calls) or len(set(sources)) < len(sources) or any(len(c.sources) > 1 for c in connected)


def _rows(
    model: Any, calls: list[Call], branches: bool, expand_nested: bool, layer_range: Sequence[str] | None, indent: str
) -> Iterator[dict[_Column, str]]:
    """A row per layer, in the model's order, and of a nested model one per layer inside."""
    layers = model.layers
    if layer_range is not None:
        layers = layers[_chosen([layer.name for layer in layers], layer_range)]
    for layer in layers:
        own = [call for call in calls if call.layer is layer]
        shapes = {str(call.shapes) for call in own if call.shapes is not None}
        sources = [f"{s.layer.name}[{s.call}][{s.output}]" for call in own for s in call.sources]
        is_input = isinstance(layer, InputLayer)
        yield {
            _LAYER: f"{indent}{layer.name} ({kind(layer)})",
            _SHAPE: shapes.pop() if len(shapes) == 1 else "multiple" if shapes else "?",
            _PARAMS: f"{layer.count_params():,}" if layer.built else "0 (unbuilt)",
            _SOURCES: ", ".join(sources) if branches and sources else "-",
            _TRAINABLE: "-" if not layer.weights else "Y" if layer.trainable_variables else "N",
            _MEMORY: "-" if is_input else _summed([call.output_bytes for call in own], _sized),
            _FLOPS: "-" if is_input else _summed([flops(call) for call in own], _scaled),
        }
        if expand_nested and hasattr(layer, "layers"):
            yield from _rows(layer, outline(layer), branches, True, None, f"{indent.replace('└', ' ')}  └ ")


def _summed(numbers: Sequence[int | None], text: Callable[[int], str]) -> str:
    return "?" if None in numbers or not numbers else text(sum(n for n in numbers if n is not None))


def _chosen(names: list[str], layer_range: Sequence[str]) -> slice:
    """From the first layer that the one pattern fits to the last that the other does."""
    if isinstance(layer_range, str) or len(layer_range) != 2:
        raise ValueError(f"layer_range is the names of the first and the last layer to show; received {layer_range!r}")
    found = [[i for i, name in enumerate(names) if re.match(pattern, name)] for pattern in layer_range]
    if not all(found):
        raise ValueError(f"layer_range={list(layer_range)} fits none of the layers {names}")
    ends = found[0][0], found[1][-1]
    return slice(min(ends), max(ends) + 1)


# Columns


def _layout(
    columns: list[_Column], rows: list[dict[_Column, str]], length: int | None, positions: Sequence[float] | None
) -> tuple[list[_Column], list[int]]:
    """The columns that are shown, and the characters inside each, without the bars and the spaces around them."""
    keras = [column for column in columns if not column.optional]
    screen = shutil.get_terminal_size((100, 24)).columns  # a hundred in a notebook or a file
    width = length or min(max(screen, LEAST_WIDTH), MOST_WIDTH)
    if positions is not None:
        columns = columns if len(positions) == len(columns) else keras
        return columns, _placed(width, positions, len(columns))
    needed = {column: max(len(row[column]) for row in [{column: column.title}, *rows]) for column in columns}
    for shown in (columns, keras):
        flexible = [column for column in shown if column.flexible]
        room = width - 3 * len(shown) - 1 - sum(needed[c] for c in shown if not c.flexible)
        if room >= LEAST_TEXT * len(flexible):
            break
    widths = needed | dict(zip(flexible, _shared(room, [needed[c] for c in flexible], length is not None), strict=True))
    return shown, [widths[column] for column in shown]


def _shared(room: int, wanted: list[int], all_of_it: bool) -> list[int]:
    """How wide each column of text becomes: as it wants where there is room; otherwise the widest give way."""
    given = list(wanted)
    while sum(given) > room and max(given) > 1:
        given[given.index(max(given))] -= 1
    for i in range(max(room - sum(given), 0) if all_of_it else 0):
        given[i % len(given)] += 1
    return given


def _placed(width: int, positions: Sequence[float], columns: int) -> list[int]:
    inner = width - 3 * columns - 1
    if len(positions) != columns or list(positions) != sorted(positions):
        raise ValueError(f"positions must be {columns} rising numbers, one per column; received {list(positions)}")
    whole = 1 if positions[-1] <= 1 else width
    ends = [int(inner * p / whole) for p in positions]
    ends[-1] = inner
    return [max(end - start, 1) for start, end in zip([0, *ends], ends, strict=False)]


# Totals


def _totals(model: Any, calls: list[Call]) -> list[str]:
    trained = {id(v): v for v in model.trainable_variables}
    trainable = sum(v.size for v in trained.values())
    rest = [v for v in model.weights if id(v) not in trained]
    fixed = sum(v.size for v in rest)
    optimizer = getattr(model, "optimizer", None)
    state = list(optimizer.variables) if optimizer is not None and optimizer.built else []
    extra = sum(v.size for v in state)
    text = [
        f" Total params: {_counted(trainable + fixed + extra, [*trained.values(), *rest, *state])}",
        f" Trainable params: {_counted(trainable, list(trained.values()))}",
        f" Non-trainable params: {_counted(fixed, rest)}",
    ]
    if extra:
        text.append(f" Optimizer params: {_counted(extra, state)}")
    return text + _costs(calls)


def _costs(calls: list[Call]) -> list[str]:
    """What the layers' outputs take for one sample, and the multiplications and additions that make them."""
    sizes = [call.output_bytes for call in calls]
    known = sum(n for n in sizes if n is not None)
    products, silent = total(calls)
    if silent == len(calls):
        return []
    return [
        f" Outputs per sample: {'more than ' if None in sizes else ''}{_sized(known)}",
        f" FLOPs per sample: {'more than ' if silent else ''}{products:,}",
    ]


def _counted(count: int, variables: list[Any]) -> str:
    return f"{count:,} ({_sized(sum(v.array.nbytes for v in variables))})"


def _sized(size: float) -> str:
    """In units of 1024 bytes."""
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"


def _scaled(number: float) -> str:
    """In units of 1000."""
    if number < 10_000:
        return f"{number:,}"
    for unit in ("K", "M", "G"):
        number /= 1000
        if number < 1000:
            return f"{number:.2f} {unit}"
    return f"{number / 1000:.2f} T"


# Lines


def _rule(corners: tuple[str, str, str], bar: str, widths: list[int]) -> str:
    left, middle, right = corners
    return left + middle.join(bar * (w + 2) for w in widths) + right


def _wrapped(row: dict[_Column, str], columns: list[_Column], widths: list[int], bar: str) -> list[str]:
    """A row of the table, over as many lines as its longest cell takes."""
    pieces = [
        textwrap.wrap(row[column], w, break_on_hyphens=False) or [""] for column, w in zip(columns, widths, strict=True)
    ]
    lines = []
    for i in range(max(map(len, pieces))):
        parts = [p[i] if i < len(p) else "" for p in pieces]
        cells = [f"{part:{c.alignment}{w}}" for part, c, w in zip(parts, columns, widths, strict=True)]
        lines.append(f"{bar} " + f" {bar} ".join(cells) + f" {bar}")
    return lines
