"""Rows of running sums and products: short and long lines, side by side and alone, zeros among the factors."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact

# (shape, axis): a GPU runs through lines by threads or by warps, whole or in chunks; so does the CPU
SHAPES = [
    ((7,), 0),
    ((3, 40), 1),
    ((3, 40), 0),
    ((2, 5, 3), 1),
    ((200, 3), 0),
    ((2, 700, 2), 1),
    ((300, 70), 0),
    ((40_000,), 0),
    ((2, 3000), 1),
    ((1, 1500, 20), 1),
    ((260, 2, 3), 1),
    ((3, 4), None),
    ((0, 3), 0),
    ((3, 0), 0),
]


def _with_zeros(rng, shape):
    x = exact(rng, *shape, low=0.5, high=1.5)
    x[rng.random(shape) < 0.02] = 0
    return x


def _rows():
    for shape, axis in SHAPES:
        yield Row(
            name=f"cumsum-{shape}-{axis}",
            run=lambda x, axis=axis: ops.cumsum(x, axis),
            reference=lambda x, axis=axis: np.cumsum(x, axis),
            inputs=lambda rng, shape=shape: (exact(rng, *shape),),
            differentiable=(0,),
            multilinear=True,
        )
        for name, low, high in (("", 0.9, 1.1), ("-signs", -1.5, 1.5)):
            yield Row(
                name=f"cumprod{name}-{shape}-{axis}",
                run=lambda x, axis=axis: ops.cumprod(x, axis),
                reference=lambda x, axis=axis: np.cumprod(x, axis),
                inputs=lambda rng, shape=shape, low=low, high=high: (exact(rng, *shape, low=low, high=high),),
                differentiable=(0,),
                rtol=3e-6,
                gradient_rtol=1e-5,
                gradient_atol=1e-3,
            )
    for shape, axis in [((9,), 0), ((30, 60), 0), ((4, 500), 1)]:
        yield Row(
            name=f"cumprod-zeros-{shape}",
            run=lambda x, axis=axis: ops.cumprod(x, axis),
            reference=lambda x, axis=axis: np.cumprod(x, axis),
            inputs=lambda rng, shape=shape: (_with_zeros(rng, shape),),
            differentiable=(0,),
            rtol=3e-6,
            gradient_rtol=1e-5,
            gradient_atol=1e-3,
        )


ROWS = [*_rows()]
