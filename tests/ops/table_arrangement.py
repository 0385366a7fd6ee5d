"""Rows of turning, cutting and joining, differences, vector products and blocks."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact
from .table_shape import row


def difference(name, run, reference, *shapes):
    """Of terms with both signs: no sum of |a b|."""
    return Row(
        name=name,
        run=run,
        reference=reference,
        inputs=lambda rng: tuple(exact(rng, *shape) for shape in shapes),
        differentiable=tuple(range(len(shapes))),
    )


def _blocks(x, b):
    n, h, w, c = x.shape
    return x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)


def _rows():
    yield row("fliplr", ops.fliplr, np.fliplr, (3, 4))
    yield row("flipud", ops.flipud, np.flipud, (3, 4))
    for k in range(-1, 5):
        yield row(
            f"rot90-{k}", lambda x, k=k: ops.rot90(x, k, (0, 2)), lambda x, k=k: np.rot90(x, k, (0, 2)), (2, 3, 4)
        )
    yield row("diagflat", lambda x: ops.diagflat(x, 1), lambda x: np.diagflat(x, 1), (2, 2))
    for name in ("hsplit", "vsplit", "dsplit"):
        yield row(
            name,
            lambda x, n=name: tuple(getattr(ops, n)(x, 2)),
            lambda x, n=name: tuple(getattr(np, n)(x, 2)),
            (2, 4, 6),
        )
    yield row("hsplit-vector", lambda x: tuple(ops.hsplit(x, 2)), lambda x: tuple(np.hsplit(x, 2)), (6,))
    for cut in (3, [1, 4]):
        yield row(
            f"array_split-{cut}",
            lambda x, c=cut: tuple(ops.array_split(x, c, 1)),
            lambda x, c=cut: tuple(np.array_split(x, c, 1)),
            (2, 8),
        )
    for shape in ((3,), (2, 3), (2, 3, 2)):
        yield row(f"dstack-{shape}", lambda *x: ops.dstack(x), lambda *x: np.dstack(x), shape, shape)
    for n, axis in [(0, 0), (1, 0), (2, -1), (3, 1)]:
        yield difference(
            f"diff-{n}-{axis}",
            lambda x, n=n, a=axis: ops.diff(x, n, a),
            lambda x, n=n, a=axis: np.diff(x, n, a),
            (4, 6),
        )
    yield row(
        "trapezoid", lambda y: ops.trapezoid(y, dx=0.5, axis=0), lambda y: np.trapezoid(y, dx=0.5, axis=0), (5, 3)
    )
    yield difference("trapezoid-places", ops.trapezoid, np.trapezoid, (3, 5), (5,))
    yield row("kron", ops.kron, np.kron, (2, 3), (3, 2))
    yield row("kron-ranks", ops.kron, np.kron, (2,), (3, 1, 2))
    yield difference("cross", ops.cross, np.cross, (4, 3), (4, 3))
    yield difference(
        "cross-axes", lambda x, y: ops.cross(x, y, 0, 1, 0), lambda x, y: np.cross(x, y, 0, 1, 0), (3, 4), (4, 3)
    )
    yield row("extract_sequences", lambda x: ops.extract_sequences(x, 4, 3), _windows, (2, 12))
    yield row("space_to_depth", lambda x: ops.space_to_depth(x, 2), lambda x: _blocks(x, 2), (2, 4, 6, 3))
    yield row(
        "depth_to_space-back", lambda x: ops.depth_to_space(ops.space_to_depth(x, 3), 3), lambda x: x, (1, 6, 3, 2)
    )
    yield row(
        "depth_to_space-channels_first",
        lambda x: ops.depth_to_space(x, 2, "channels_first"),
        lambda x: np.moveaxis(_unblocked(np.moveaxis(x, 1, -1), 2), -1, 1),
        (2, 8, 2, 3),
    )


def _windows(x):
    return np.lib.stride_tricks.sliding_window_view(x, 4, axis=-1)[:, ::3]


def _unblocked(x, b):
    n, h, w, c = x.shape
    return x.reshape(n, h, w, b, b, c // b**2).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // b**2)


ROWS = [*_rows()]
