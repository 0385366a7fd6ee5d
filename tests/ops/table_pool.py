"""Rows of the pooling family."""

import itertools

import numpy as np

from dlbd import ops

from .row import Row
from .table_conv import pads, per_axis


def reference_pool(x, pool_size, strides=None, padding="valid", average=False):
    rank = x.ndim - 2
    window = per_axis(pool_size, rank)
    strides = window if strides is None else per_axis(strides, rank)
    sizes = [pads(x.shape[1 + i], window[i], strides[i], 1, padding) for i in range(rank)]
    y = np.zeros((x.shape[0], *[out for out, _, _ in sizes], x.shape[-1]))
    for at in itertools.product(*[range(out) for out, _, _ in sizes]):
        cut = tuple(
            slice(max(o * s - before, 0), o * s - before + k)
            for o, s, k, (_, before, _) in zip(at, strides, window, sizes, strict=False)
        )
        part = x[(slice(None), *cut)]
        axes = tuple(range(1, rank + 1))
        y[(slice(None), *at)] = part.mean(axis=axes) if average else part.max(axis=axes)
    return y


def pool_row(kind, name, x, path, pool_size, **arguments):
    average = kind == "average_pool"

    def inputs(rng):
        # distinct values, far enough apart for central differences and for float32
        size = int(np.prod(x))
        return ((rng.permutation(size).reshape(x) - size / 2) / 16,)

    return Row(
        name=f"{kind}-{path}-{name}",
        run=lambda x: getattr(ops, kind)(x, pool_size, **arguments),
        reference=lambda x: reference_pool(x, pool_size, average=average, **arguments),
        inputs=inputs,
        differentiable=(0,),
        path=("pool", path),
        rtol=2e-6,
    )


DISJOINT = [
    ("2x2", (2, 6, 8, 32), 2, {}),
    ("2x2-rest", (2, 7, 5, 33), 2, {}),
    ("3x2", (2, 9, 7, 5), (3, 2), {}),
    ("same", (2, 7, 5, 17), (3, 2), {"padding": "same"}),
    ("gaps", (1, 11, 10, 3), 2, {"strides": (4, 3)}),
    ("gaps-same", (1, 10, 11, 1), (2, 1), {"strides": (3, 4), "padding": "same"}),
    ("1x1", (2, 3, 4, 5), 1, {}),
    ("whole", (2, 5, 7, 66), (5, 7), {}),
    ("whole-one-image", (1, 7, 7, 130), (7, 7), {}),
    ("1d", (3, 9, 4), 2, {}),
    ("3d", (1, 4, 5, 6, 15), 2, {}),
    ("3d-same", (1, 3, 5, 3, 16), 2, {"padding": "same"}),
    ("empty-batch", (0, 4, 4, 3), 2, {}),
]
OVERLAPPING = [
    ("3x3-by-2", (2, 9, 8, 31), 3, {"strides": 2}),
    ("3x3-by-2-same", (2, 8, 9, 16), 3, {"strides": 2, "padding": "same"}),
    ("2x3-by-1", (1, 5, 6, 65), (2, 3), {"strides": 1}),
    ("5x5-by-1-same", (1, 4, 3, 3), 5, {"strides": 1, "padding": "same"}),
    ("bands", (1, 60, 40, 20), (3, 3), {"strides": (2, 1), "padding": "same"}),
    ("1d-4-by-3-same", (2, 11, 3), 4, {"strides": 3, "padding": "same"}),
    ("3d-by-1-same", (1, 4, 5, 4, 3), (2, 3, 2), {"strides": 1, "padding": "same"}),
]


def _rows():
    for kind in ("max_pool", "average_pool"):
        for name, x, size, arguments in DISJOINT:
            for path in ("generic", "disjoint"):
                yield pool_row(kind, name, x, path, size, **arguments)
        for name, x, size, arguments in OVERLAPPING:
            yield pool_row(kind, name, x, "generic", size, **arguments)


ROWS = list(_rows())
