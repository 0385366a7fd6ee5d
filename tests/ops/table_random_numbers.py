"""Rows of random numbers: what is drawn is added to an input, and is that of a Philox 4x32-10 written in NumPy."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_dropout import POSITION, SEED, numbers


def row(name, shape):
    def run(x):
        counter = ops.convert_to_tensor(np.array([SEED, POSITION], np.int64))
        x = ops.convert_to_tensor(x)
        return ops.add(x, ops.random_uniform(shape, counter, dtype=x.dtype))

    return Row(
        name=f"random_uniform-{name}",
        run=run,
        reference=lambda x: x + (numbers(int(np.prod(shape)), SEED, POSITION) / 2**32).reshape(shape),
        inputs=lambda rng: (rng.standard_normal(shape),),
        differentiable=(0,),
    )


ROWS = [
    row("one", (1,)),
    row("0-d", ()),
    row("63", (63,)),
    row("64", (8, 8)),
    row("65", (5, 13)),
    row("chunks", (3, 16411)),
    row("empty", (0, 3)),
]
