"""Where boxes stand: in rows, apart, with arrows that go down and rarely cross."""

from itertools import pairwise

import numpy as np
import pytest

from dlbd.pictures.layered import POINT, _crossings, layered


def check(widths, arrows, gap=0.5):
    layout = layered(widths, arrows, gap)
    boxes = layout.boxes
    assert sorted(boxes) == list(range(len(widths)))
    for start, end in arrows:
        assert boxes[start][0] < boxes[end][0]
    for row in layout.rows:
        for left, right in pairwise(row):
            assert right.x - left.x >= (left.width + right.width) / 2 + gap - 1e-9
    for (start, end), path in zip(arrows, layout.paths, strict=True):
        assert [path[0].box, path[-1].box] == [start, end]
        assert all(place.box == POINT for place in path[1:-1])
        assert len(path) == boxes[end][0] - boxes[start][0] + 1
    assert min(p.x - p.width / 2 for row in layout.rows for p in row) == pytest.approx(0)
    return layout


def test_a_chain_is_straight():
    layout = check([1.0, 3.0, 2.0, 1.0], [(0, 1), (1, 2), (2, 3)])
    assert [x for _, x in layout.boxes.values()] == pytest.approx([1.5] * 4)


def test_branches_lie_on_both_sides_and_meet_in_the_middle():
    layout = check([1.0] * 4, [(0, 1), (0, 2), (1, 3), (2, 3)])
    x = {box: x for box, (_, x) in layout.boxes.items()}
    assert x[0] == pytest.approx(x[3])
    assert x[0] == pytest.approx((x[1] + x[2]) / 2)


def test_an_arrow_past_rows_goes_straight_beside_the_boxes():
    layout = check([1.0] * 5, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)])
    passed = layout.paths[-1][1:-1]
    assert len(passed) == 3
    assert np.ptp([p.x for p in passed]) == pytest.approx(0, abs=1e-6)
    assert np.ptp([layout.boxes[n][1] for n in (1, 2, 3)]) == pytest.approx(0, abs=1e-6)


def test_an_input_that_is_used_late_stands_late():
    layout = check([1.0] * 5, [(0, 2), (2, 3), (3, 4), (1, 4)])
    assert layout.boxes[1][0] == layout.boxes[3][0]


def test_arrows_that_need_not_cross_do_not():
    layout = check([1.0] * 6, [(0, 5), (1, 4), (2, 3)])
    assert _crossings(layout.rows) == 0


def test_the_same_arrow_twice():
    check([1.0, 1.0], [(0, 1), (0, 1)])


def test_boxes_that_nothing_connects():
    assert len(check([1.0, 2.0, 3.0], []).rows) == 1
    assert layered([], [], 1.0).rows == []


@pytest.mark.parametrize("seed", range(10))
def test_any_graph(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    arrows = [(int(a), int(b)) for b in range(1, n) for a in rng.integers(0, b, rng.integers(0, 3))]
    check(list(rng.uniform(0.5, 3, n)), arrows)
