"""Rows of the matmul family."""

import numpy as np

from dlbd import ops

from .row import Row


def _rows():
    sizes = [(1, 1, 1), (5, 7, 3), (16, 33, 64), (3, 130, 17)]
    for m, n, k in sizes:
        yield Row(
            name=f"matmul-{m}x{n}x{k}",
            run=ops.matmul,
            reference=np.matmul,
            inputs=lambda rng, m=m, n=n, k=k: (rng.standard_normal((m, k)), rng.standard_normal((k, n))),
            differentiable=(0, 1),
            path=("gemm", "generic"),
            multilinear=True,
        )
    yield Row(
        name="matmul-batched",
        run=ops.matmul,
        reference=np.matmul,
        inputs=lambda rng: (rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 5, 6))),
        differentiable=(0, 1),
        multilinear=True,
    )


ROWS = list(_rows())
