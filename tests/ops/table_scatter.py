"""Rows of writing and adding at positions, sums over segments, and counts."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact
from .table_sorting import apart

# Of several segments, and of two without rows: (name, segments of the rows, how many, shape of a row)
IDS = np.array([1, 0, 1, 2, 0, 0, 1])
SEGMENTS = [
    ("", IDS, 3, ()),
    ("-matrix", IDS.astype(np.uint8), 3, (3,)),
    ("-many", np.random.default_rng(0).permutation(np.arange(3000) % 900), 900, (2, 2)),
    ("-empty", 2 * IDS, 6, (2,)),
    ("-none", IDS[:0], 2, (2,)),
]
UFUNC = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}
EMPTY = {"sum": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}


def _segments(kind, x, ids, count):
    y = np.full((count, *x.shape[1:]), EMPTY[kind])
    UFUNC[kind].at(y, ids, x)
    return y


def _scattered(index, values, shape):
    y = np.zeros(shape)
    np.add.at(y, tuple(index.T), values)
    return y


def _updated(x, index, values, ufunc):
    y = x.copy()
    if ufunc is None:
        y[tuple(index.T)] = values
    else:
        ufunc.at(y, tuple(index.T), values)
    return y


def _rows():
    for kind in UFUNC:
        values = apart if kind in ("max", "min") else exact
        for name, ids, count, shape in SEGMENTS:
            finite = kind in ("sum", "prod") or name not in ("-empty", "-none")
            yield Row(
                name=f"segment_{kind}{name}",
                run=lambda x, kind=kind, ids=ids, count=count: getattr(ops, f"segment_{kind}")(x, ids, count),
                reference=lambda x, kind=kind, ids=ids, count=count: _segments(kind, x, ids, count),
                inputs=lambda rng, sizes=ids.shape + shape, values=values: (values(rng, *sizes),),
                differentiable=(0,) if finite else (),
                rtol=3e-6,
                gradient_rtol=1e-5,
                gradient_atol=1e-4,
            )
    points = np.array([[0, 1], [2, 3], [0, 1], [1, 1]])
    for depth, shape in [(2, (3, 4)), (1, (3, 5)), (2, (3, 4, 2))]:
        index = points[:, :depth]
        yield Row(
            name=f"scatter-{depth}-{shape}",
            run=lambda v, index=index, shape=shape: ops.scatter(index, v, shape),
            reference=lambda v, index=index, shape=shape: _scattered(index, v, shape),
            inputs=lambda rng, rest=shape[depth:]: (exact(rng, 4, *rest),),
            differentiable=(0,),
            multilinear=True,
        )
        for reduction, ufunc in [
            (None, None),
            ("add", np.add),
            ("max", np.maximum),
            ("min", np.minimum),
            ("mul", np.multiply),
        ]:
            yield Row(
                name=f"scatter_update-{reduction}-{depth}-{shape}",
                run=lambda x, v, i=index, r=reduction: ops.scatter_update(x, i, v, r),
                reference=lambda x, v, i=index, u=ufunc: _updated(x, i, v, u),
                inputs=lambda rng, shape=shape, rest=shape[depth:]: (
                    apart(rng, *shape),
                    apart(rng, 4, *rest) + 1 / 128,
                ),
                differentiable=(0, 1),
                rtol=3e-6,
                gradient_rtol=1e-5,
            )
    yield Row(
        name="slice_update",
        run=lambda x, v: ops.slice_update(x, (1, 0, 2), v),
        reference=lambda x, v: np.concatenate(
            [x[:1], np.concatenate([np.concatenate([x[1:, :2, :2], v], 2), x[1:, 2:]], 1)]
        ),
        inputs=lambda rng: (exact(rng, 3, 4, 5), exact(rng, 2, 2, 3)),
        differentiable=(0, 1),
        multilinear=True,
    )


ROWS = [*_rows()]
