"""Rows of the embedding family."""

import numpy as np

from dlbd import ops

from .row import Row


def row(name, shape, rows, columns, dtype=np.int64, often=0.0):
    """often: the part of the indices that are 1, whatever the others are."""

    def indices(rng):
        drawn = rng.integers(0, max(rows, 1), shape)
        return np.where(rng.random(shape) < often, 1, drawn).astype(dtype)

    return Row(
        name=f"embedding-{name}",
        run=ops.embedding,
        reference=lambda i, t: t[i],
        inputs=lambda rng: (indices(rng), rng.standard_normal((rows, columns))),
        differentiable=(1,),
        multilinear=True,
    )


ROWS = [
    row("one", (1,), 1, 1),
    row("repeats", (4, 9), 3, 5),
    row("unused-rows", (3, 2), 50, 17),
    row("many", (40, 50), 300, 33),
    row("wide", (6,), 4, 20000),
    # A GPU sorts more than 2048 positions by one digit, or two; a row's positions fill more than 32 of its windows.
    row("one-digit", (2500,), 2, 3),
    row("two-digits", (2, 1050), 300, 4),
    row("one-often", (3000,), 4, 8, often=0.99),
    row("one-in-two", (3000,), 200, 5, often=0.5),
    row("int32", (3, 5), 7, 16, np.int32),
    row("uint8", (3, 5), 7, 16, np.uint8),
    row("0-d", (), 7, 16),
    row("no-indices", (0, 4), 7, 3),
    row("no-rows", (0,), 0, 3),
    row("no-columns", (2,), 4, 0),
]
