"""Where the boxes of a drawing stand that has arrows in one direction only.

K. Sugiyama, S. Tagawa, M. Toda: Methods for Visual Understanding of Hierarchical System Structures (1981): rows by the
longest path, an order within the rows with few crossings, then places that make arrows short and straight. Weights of
the arrows after E. Gansner et al.: A Technique for Drawing Directed Graphs (1993). An arrow that passes a row stands in
it as a point of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 12
POINT = -1  # in place of a box's number: an arrow passes here
POINT_WIDTH = 0.15


@dataclass(eq=False)
class Place:
    """Something that stands in a row: a box, or a point of an arrow."""

    box: int
    width: float
    x: float = 0.0
    order: float = 0.0
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)

    def pull(self, near: Sequence[Place]) -> tuple[float, float]:
        """Where these neighbours want it, and how strongly: chains and arrows that pass rows should be straight."""
        weights = [(other, 8 if self.in_line(other) else 1) for other in dict.fromkeys(near)]
        strength = sum(weight for _, weight in weights)
        if not strength:
            return self.x, 1.0
        return sum(other.x * weight for other, weight in weights) / strength, strength

    def in_line(self, other: Place) -> bool:
        """Whether the two neighbours have but each other there."""
        upper, lower = (self, other) if other in self.below else (other, self)
        return len(upper.below) == len(lower.above) == 1


@dataclass
class Layout:
    """Rows of places, from the top, each from the left; and the places that each arrow passes, its ends among them."""

    rows: list[list[Place]]
    paths: list[list[Place]]

    @property
    def boxes(self) -> dict[int, tuple[int, float]]:
        """The row and the middle of each box."""
        return {p.box: (n, p.x) for n, row in enumerate(self.rows) for p in row if p.box != POINT}


def layered(widths: Sequence[float], arrows: Sequence[tuple[int, int]], gap: float) -> Layout:
    """Places for boxes of these widths. Arrows go from a box to one with a larger number."""
    level = _levels(len(widths), arrows)
    boxes = [Place(n, width) for n, width in enumerate(widths)]
    rows: list[list[Place]] = [[] for _ in range(max(level, default=-1) + 1)]
    for place in boxes:
        rows[level[place.box]].append(place)
    paths = []
    for start, end in arrows:
        path = [boxes[start]]
        for row in rows[level[start] + 1 : level[end]]:
            path.append(Place(POINT, POINT_WIDTH))
            row.append(path[-1])
        path.append(boxes[end])
        paths.append(path)
        for upper, lower in pairwise(path):
            upper.below.append(lower)
            lower.above.append(upper)
    _order(rows)
    _move(rows, gap)
    return Layout(rows, paths)


def _levels(count: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """Each box below all that lead to it; one that nothing leads to just above the first that it leads to."""
    level = [0] * count
    for start, end in sorted(arrows, key=lambda arrow: arrow[1]):
        level[end] = max(level[end], level[start] + 1)
    ends = {end for _, end in arrows}
    for n in set(range(count)) - ends:
        level[n] = min((level[end] - 1 for start, end in arrows if start == n), default=0)
    return level


def _order(rows: list[list[Place]]) -> None:
    """Sort by the middle of the neighbours, down and up, and keep what crosses least."""
    for row in rows:
        _count(row)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        for row in rows if sweep % 2 == 0 else reversed(rows):
            for place in row:
                near = place.above if sweep % 2 == 0 else place.below
                place.order = sum(p.order for p in near) / len(near) if near else place.order
            row.sort(key=lambda p: p.order)
            _count(row)
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, order in zip(rows, best, strict=True):
        row[:] = order
        _count(row)


def _count(row: list[Place]) -> None:
    for n, place in enumerate(row):
        place.order = float(n)


def _crossings(rows: list[list[Place]]) -> int:
    found = 0
    for row in rows[:-1]:
        ends = [lower.order for upper in row for lower in sorted(upper.below, key=lambda p: p.order)]
        found += sum(a > b for n, a in enumerate(ends) for b in ends[n + 1 :])
    return found


def _move(rows: list[list[Place]], gap: float) -> None:
    """Put each place where its neighbours want it, as far as those in its row let it."""
    for row in rows:
        _settle(row, [(0.0, 1.0)] * len(row), gap)
    for sweep in range(2 * SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _settle(row, [place.pull([*place.above, *place.below]) for place in row], gap)
    for row in rows:  # what hangs on one thing above hangs straight down, as far as its row lets it
        _settle(row, [place.pull(place.above) for place in row], gap)
    for row in reversed(rows):  # and where it did not, the thing above comes
        _settle(row, [place.pull([p for p in place.below if place.in_line(p)]) for place in row], gap)
    left = min((p.x - p.width / 2 for row in rows for p in row), default=0.0)
    for row in rows:
        for place in row:
            place.x -= left


def _settle(row: list[Place], wishes: list[tuple[float, float]], gap: float) -> None:
    """The places nearest to the wishes (in squares, weighted) that keep the order and the distances.

    With the distances taken off, it is a regression by a rising function: neighbours that fall are pooled.
    """
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for (wish, weight), offset in zip(wishes, offsets, strict=False):
        mean, n = wish - offset, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, m = pools.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, n = weight + other_weight, n + m
        pools.append((mean, weight, n))
    settled = [mean for mean, _, n in pools for _ in range(n)]
    for place, mean, offset in zip(row, settled, offsets, strict=False):
        place.x = mean + offset
