"""The drawing of a model: boxes of text, labels and arrows, in inches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from dlbd.layers.base import Shape
from dlbd.layers.configuration import plain
from dlbd.models.outline import Call, kind, outline
from dlbd.pictures.layered import POINT, Layout, layered
from dlbd.pictures.style import INK, MUTED

# Inches.
MARGIN, PADDING, BETWEEN = 0.2, 0.15, 0.3
LINE, LABEL = 0.18, 0.17  # heights of a line in a box, and of a label
STUB, ARROW = 0.07, 0.32  # from a box to its label, and from there to the next row
LEAST_ACROSS = 1.25
TITLE_SIZE, NAME_SIZE, LABEL_SIZE = 9.5, 8.0, 7.5  # points

LINES = "#7b8794"
# Fill and frame by what a layer does: the first of which a part of its class's name is.
COLOURS: Sequence[tuple[tuple[str, ...], tuple[str, str]]] = (
    (("Input",), ("#eef1f4", "#8896a4")),
    (("Attention",), ("#fde4ef", "#c04a82")),
    (("Conv",), ("#dcebfa", "#2b6cb0")),
    (("Pool",), ("#d9f2ee", "#24877a")),
    (("LSTM", "GRU", "RNN", "Bidirectional", "TimeDistributed"), ("#e9e3fb", "#6b4fc0")),
    (("Normalization",), ("#e2f3dc", "#4a8c34")),
    (("Dense",), ("#fdebd3", "#c7741a")),
    (("Embedding", "Lookup", "Vectorization", "Encoding"), ("#f5e6d8", "#98623a")),
    (("Activation", "ReLU", "ELU", "Softmax"), ("#fdf6cf", "#a88a12")),
    (("",), ("#f6f7f8", "#8896a4")),
)


@dataclass(frozen=True)
class Shown:
    shapes: bool
    dtypes: bool
    names: bool
    activations: bool
    trainable: bool

    def lines(self, call: Call) -> list[str]:
        """What stands in a box, its title first."""
        layer: Any = call.layer
        title = kind(layer).removeprefix("ops.")
        lines = [title]
        if self.names and title == kind(layer):  # the name of an operation says nothing new
            lines.append(layer.name)
        activation = getattr(layer, "activation", None)
        if self.activations and activation is not None:
            found = plain(activation)
            lines.append(found if isinstance(found, str) else getattr(activation, "__name__", "activation"))
        if self.trainable and layer.weights:
            lines.append("trainable" if layer.trainable_variables else "frozen")
        return lines

    def label(self, shape: Shape | None, dtype: Any) -> str:
        sizes = ["?" if n is None else str(n) for n in shape[1:]] if shape is not None else []
        text = " × ".join(sizes) or "1" if self.shapes and shape is not None else ""
        return f"{text} {dtype}".strip() if self.dtypes else text


@dataclass
class _Box:
    """A call, in inches; ``across`` is the side along a row of the drawing."""

    lines: list[str]
    labels: list[str]  # of its outputs
    colours: tuple[str, str]
    shared: bool
    sideways: bool
    inside: Drawing | None = None
    width: float = field(init=False)
    height: float = field(init=False)

    def __post_init__(self) -> None:
        sizes = (TITLE_SIZE, *[NAME_SIZE] * len(self.lines))
        texts = [_width(line, size, n == 0) for n, (line, size) in enumerate(zip(self.lines, sizes, strict=False))]
        self.width = max(LEAST_ACROSS, max(texts) + 2 * PADDING)
        self.height = len(self.lines) * LINE + 0.2
        if self.inside is not None:
            width, height = self.inside.size
            self.width = max(self.width, width + 2 * PADDING)
            self.height += height + PADDING
        if self.sideways:
            self.height = max(self.height, self.label_across)
        else:
            self.width = max(self.width, self.label_across)

    @property
    def label_across(self) -> float:
        return sum(self.port_widths) + 0.1 * (len(self.labels) - 1)

    @property
    def port_widths(self) -> list[float]:
        return [LABEL if self.sideways else _width(text, LABEL_SIZE) for text in self.labels]

    @property
    def label_along(self) -> float:
        """How far the labels stand out."""
        if not any(self.labels):
            return 0.0
        return STUB + (max(_width(text, LABEL_SIZE) for text in self.labels) + 0.06 if self.sideways else LABEL)

    @property
    def across(self) -> float:
        return self.height if self.sideways else self.width

    @property
    def along(self) -> float:
        return (self.width if self.sideways else self.height) + self.label_along

    def ports(self) -> list[float]:
        """Where the outputs leave, from the middle."""
        at, found = -self.label_across / 2, []
        for width in self.port_widths:
            found.append(at + width / 2)
            at += width + 0.1
        return found


class Drawing:
    """Boxes and arrows of one model. ``u`` runs across the rows, ``v`` from row to row."""

    def __init__(self, calls: Sequence[Call], shown: Shown, sideways: bool, expand_nested: bool) -> None:
        self.sideways = sideways
        times = Counter(id(call.layer) for call in calls)
        seen: Counter[int] = Counter()
        numbers: dict[tuple[int, int], int] = {}
        self.boxes: list[_Box] = []
        self.arrows: list[tuple[int, int, int]] = []  # box, port, box
        for number, call in enumerate(calls):
            numbers[id(call.layer), seen[id(call.layer)]] = number
            seen[id(call.layer)] += 1
            inner = _inside(call, expand_nested)
            self.boxes.append(
                _Box(
                    shown.lines(call),
                    [shown.label(shape, call.layer.output_dtype) for shape in call.outputs],
                    next(c for parts, c in COLOURS if any(part in type(call.layer).__name__ for part in parts)),
                    times[id(call.layer)] > 1,
                    sideways,
                    None if inner is None else Drawing(inner, shown, sideways, True),
                )
            )
            self.arrows += [(numbers[id(s.layer), s.call], s.output, number) for s in call.sources]
        self.layout = layered([box.across for box in self.boxes], [(a, b) for a, _, b in self.arrows], BETWEEN)
        self.tops = list(_tops(self.layout, self.boxes))

    @property
    def size(self) -> tuple[float, float]:
        u = max(place.x + place.width / 2 for row in self.layout.rows for place in row)
        v = self.tops[-1] - ARROW
        return (v, u) if self.sideways else (u, v)

    def draw(self, axes: Any, left: float, top: float, depth: int = 0) -> None:
        def at(u: float, v: float) -> tuple[float, float]:
            return (left + v, top + u) if self.sideways else (left + u, top + v)

        self._draw_arrows(axes, at, depth)
        used = {(start, port) for start, port, _ in self.arrows}
        for number, (row, u) in self.layout.boxes.items():
            leads_on = [(number, port) in used for port in range(len(self.boxes[number].labels))]
            _draw_box(axes, self.boxes[number], at, u, self.tops[row], leads_on, depth)

    def _draw_arrows(self, axes: Any, at: Any, depth: int) -> None:
        ends = self._ends()
        where = self.layout.boxes
        for n, ((start, port, end), path) in enumerate(zip(self.arrows, self.layout.paths, strict=True)):
            row, u = where[start]
            box = self.boxes[start]
            points = [(u + box.ports()[port], self.tops[row] + box.along)]
            for passed, place in enumerate(path[1:-1], row + 1):
                points += [(place.x, self.tops[passed]), (place.x, self.tops[passed + 1] - ARROW)]
            points.append((ends[n], self.tops[where[end][0]]))
            vertices, codes = [at(*points[0])], [Path.MOVETO]
            for (u0, v0), (u1, v1) in pairwise(points):
                middle = (v0 + v1) / 2
                vertices += [at(u0, middle), at(u1, middle), at(u1, v1)]
                codes += [Path.CURVE4] * 3
            axes.add_patch(
                FancyArrowPatch(
                    path=Path(vertices, codes),
                    arrowstyle="-|>",
                    mutation_scale=8,
                    color=LINES,
                    linewidth=1.1,
                    zorder=3 * depth,
                )
            )

    def _ends(self) -> list[float]:
        """Where each arrow arrives: side by side, in the order in which they come."""
        where, found = self.layout.boxes, [0.0] * len(self.arrows)
        for number, box in enumerate(self.boxes):
            coming = [n for n, (_, _, end) in enumerate(self.arrows) if end == number]
            coming.sort(key=lambda n: self.layout.paths[n][-2].x)
            step = min(0.22, box.across * 0.7 / max(len(coming), 1))
            for place, n in enumerate(coming):
                found[n] = where[number][1] + (place - (len(coming) - 1) / 2) * step
        return found


def _inside(call: Call, expand_nested: bool) -> list[Call] | None:
    if not expand_nested or not hasattr(call.layer, "layers"):
        return None
    calls = outline(call.layer)
    return calls if any(inner.sources for inner in calls) else None


def _tops(layout: Layout, boxes: Sequence[_Box]) -> Iterator[float]:
    """Where each row begins, and where one more would."""
    v = 0.0
    for row in layout.rows:
        yield v
        v += max(boxes[place.box].along for place in row if place.box != POINT) + ARROW
    yield v


def _draw_box(axes: Any, box: _Box, at: Any, u: float, v: float, leads_on: list[bool], depth: int) -> None:
    fill, frame = box.colours
    x, y = at(u - box.across / 2, v)
    axes.add_patch(
        FancyBboxPatch(
            (x + 0.05, y + 0.05),
            box.width - 0.1,
            box.height - 0.1,
            boxstyle="round,pad=0.05,rounding_size=0.07",
            facecolor="white" if box.inside else fill,
            edgecolor=frame,
            linewidth=1.1,
            linestyle=(0, (4, 2)) if box.shared else "-",
            zorder=3 * depth + 1,
        )
    )
    for n, line in enumerate(box.lines):
        _write(axes, x + box.width / 2, y + 0.1 + (n + 0.5) * LINE, line, title=n == 0, depth=depth)
    if box.inside is not None:
        width, _ = box.inside.size
        box.inside.draw(axes, x + (box.width - width) / 2, y + len(box.lines) * LINE + 0.2, depth + 1)
    edge = v + (box.width if box.sideways else box.height)
    for port, text, leads in zip(box.ports(), box.labels, leads_on, strict=True):
        if text:
            middle = at(u + port, (edge + STUB + v + box.along) / 2)
            (x0, y0), (x1, y1) = at(u + port, edge), at(u + port, v + box.along) if leads else middle
            axes.plot([x0, x1], [y0, y1], color=LINES, linewidth=1.1, zorder=3 * depth)
            axes.text(
                *middle, text, fontsize=LABEL_SIZE, color=MUTED, ha="center", va="center", zorder=3 * depth + 2,
                parse_math=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip


def _write(axes: Any, x: float, y: float, text: str, title: bool, depth: int) -> None:
    axes.text(
        x, y, text, ha="center", va="center", zorder=3 * depth + 2, parse_math=False,
        fontsize=TITLE_SIZE if title else NAME_SIZE,
        fontweight="bold" if title else "normal",
        color=INK if title else MUTED,
    )  # fmt: skip


@cache
def _width(text: str, size: float, bold: bool = False) -> float:
    """Inches."""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    width: float = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return width / 72
