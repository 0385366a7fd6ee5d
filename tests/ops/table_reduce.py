"""Rows of the reductions."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact

# (what is special, shape, axis, keepdims)
CASES = [
    ("all", (4, 35), None, False),
    ("last", (7, 33), -1, False),
    ("first", (70, 19), 0, False),
    ("first-few-columns", (300, 3), 0, True),
    ("middle", (3, 17, 20), 1, True),
    ("neighbours", (2, 3, 4, 5), (1, 2), False),
    ("strangers", (3, 4, 5, 6), (0, 2), False),
    ("strangers-kept", (3, 4, 5), (-1, 0), True),
    ("size-one", (5, 1, 3), 1, False),
    ("nothing", (4, 5), (), False),
    ("number", (), None, False),
    ("a-block", (3, 3001), 1, False),
    ("long", (2, 70000), 1, False),
    ("tall", (9000, 5), 0, False),
    ("wide", (70, 2100), 0, False),
]


def logsumexp(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def _rows():
    for what, shape, axis, keepdims in CASES:
        how = {"axis": axis, "keepdims": keepdims}
        for name, run, reference, multilinear in [
            ("sum", ops.sum, np.sum, True),
            ("mean", ops.mean, np.mean, False),
            ("max", ops.max, np.max, False),
            ("min", ops.min, np.min, False),
            ("prod", ops.prod, np.prod, False),
            ("var", ops.var, np.var, False),
            ("std", ops.std, np.std, False),
            ("logsumexp", ops.logsumexp, logsumexp, False),
        ]:
            big = int(np.prod(shape)) > 2000
            if (name == "prod" and big) or (name == "std" and what in ("size-one", "nothing", "number")):
                continue
            yield Row(
                name=f"{name}-{what}",
                run=lambda x, run=run, how=how: run(x, **how),
                reference=lambda x, reference=reference, how=how: reference(x, **how),
                inputs=lambda rng, shape=shape, name=name: (
                    exact(rng, *shape, low=0.7, high=1.4) if name == "prod" else exact(rng, *shape),
                ),
                differentiable=(0,),
                multilinear=multilinear,
                rtol=1e-5 if name == "prod" else 1.3e-6,
            )
        for name in ("any", "all"):
            yield Row(
                name=f"{name}-{what}",
                run=lambda x, name=name, how=how: getattr(ops, name)(x, **how),
                reference=lambda x, name=name, how=how: getattr(np, name)(x, **how),
                inputs=lambda rng, shape=shape, name=name: (
                    (rng.uniform(size=shape) < (0.03 if name == "any" else 0.97)).astype(bool),
                ),
            )
        if not isinstance(axis, tuple) and shape:
            for name in ("argmax", "argmin"):
                yield Row(
                    name=f"{name}-{what}",
                    run=lambda x, name=name, how=how: getattr(ops, name)(x, **how),
                    reference=lambda x, name=name, how=how: getattr(np, name)(x, **how),
                    inputs=lambda rng, shape=shape: (rng.integers(0, 9, shape).astype(np.float64),),
                )
    for shape, axis in [((0, 4), 0), ((3, 0), 1), ((0,), None)]:
        yield Row(
            name=f"sum-empty-{shape}",
            run=lambda x, axis=axis: ops.sum(x, axis),
            reference=lambda x, axis=axis: np.sum(x, axis),
            inputs=lambda rng, shape=shape: (np.zeros(shape),),
        )
    for name in ("sum", "max", "min", "prod"):
        for axis in (None, 0, 1):
            yield Row(
                name=f"{name}-int64-{axis}",
                run=lambda x, name=name, axis=axis: getattr(ops, name)(x, axis),
                reference=lambda x, name=name, axis=axis: getattr(np, name)(x, axis),
                inputs=lambda rng: (rng.integers(-9, 9, (5, 7)),),
            )


ROWS = list(_rows())
