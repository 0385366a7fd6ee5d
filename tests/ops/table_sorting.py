"""Rows of sorting and searching: short and long rows, few and many of them, equal values."""

import numpy as np

from dlbd import ops

from .row import Row

# Few different values: equal ones must keep their order. A GPU sorts up to 64, 512 and 2048 in one block, more of them
# digit by digit; the CPU takes up to 32 in one go.
SHAPES = [
    ((1,), -1),
    ((6, 5), -1),
    ((200, 3), -1),
    ((5, 6), 0),
    ((2, 33, 3), 1),
    ((3, 300), 1),
    ((2, 1500), 1),
    ((2, 2049), 1),
    ((5000,), 0),
]


def apart(rng, *shape):
    """Values that are far enough from each other for central differences."""
    count = int(np.prod(shape))
    return ((rng.permutation(count) - count // 2) / 64).reshape(shape)


def _equal(rng, *shape):
    return rng.integers(-4, 5, shape) / 2


def _largest(x, k):
    order = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, -1), order


def _rows():
    for shape, axis in SHAPES:
        yield Row(
            name=f"argsort-{shape}-{axis}",
            run=lambda x, axis=axis: ops.argsort(x, axis),
            reference=lambda x, axis=axis: np.argsort(x, axis, kind="stable"),
            inputs=lambda rng, shape=shape: (_equal(rng, *shape),),
        )
        yield Row(
            name=f"sort-{shape}-{axis}",
            run=lambda x, axis=axis: ops.sort(x, axis),
            reference=lambda x, axis=axis: np.sort(x, axis),
            inputs=lambda rng, shape=shape: (apart(rng, *shape),),
            differentiable=(0,),
        )
    yield Row("sort-flat", lambda x: ops.sort(x, None), lambda x: np.sort(x, None), lambda rng: (_equal(rng, 3, 4),))
    for shape, k in [
        ((7,), 3),
        ((4, 10), 10),
        ((3, 100), 5),
        ((3, 100), 40),
        ((2, 3000), 7),
        ((2, 3000), 100),
        ((0, 4), 2),
    ]:
        yield Row(
            name=f"top_k-{shape}-{k}",
            run=lambda x, k=k: ops.top_k(x, k),
            reference=lambda x, k=k: _largest(x, k),
            inputs=lambda rng, shape=shape: (_equal(rng, *shape),),
        )
    yield Row(
        name="top_k-gradient",
        run=lambda x: ops.top_k(x, 3)[0],
        reference=lambda x: _largest(x, 3)[0],
        inputs=lambda rng: (apart(rng, 4, 50),),
        differentiable=(0,),
    )
    for side in ("left", "right"):
        for n, shape in [(0, (3,)), (1, (2, 3)), (9, (4, 5)), (1000, (50,))]:
            yield Row(
                name=f"searchsorted-{side}-{n}",
                run=lambda s, v, side=side: ops.searchsorted(s, v, side),
                reference=lambda s, v, side=side: np.searchsorted(s, v, side),
                inputs=lambda rng, n=n, shape=shape: (np.sort(_equal(rng, n)), _equal(rng, *shape)),
            )


ROWS = [*_rows()]
