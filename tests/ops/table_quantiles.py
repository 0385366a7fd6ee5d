"""Rows of quantiles and of reductions without NaN."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_sorting import apart

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")
REDUCTIONS = ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")


def _with_gaps(rng, *shape):
    x = apart(rng, *shape)
    x[rng.random(shape) < 0.3] = np.nan
    x[0] = np.arange(x[0].size).reshape(x[0].shape) / 4  # something everywhere
    return x


def _rows():
    for method in METHODS:
        for q in (0.0, 0.3, 0.5, 1.0, (0.25, 0.9)):
            yield Row(
                name=f"quantile-{method}-{q}",
                run=lambda x, q=q, m=method: ops.quantile(x, q, 1, m),
                reference=lambda x, q=q, m=method: np.quantile(x, q, 1, method=m),
                inputs=lambda rng: (apart(rng, 3, 8, 2),),
                differentiable=(0,),
                rtol=3e-6,
            )
        yield Row(
            name=f"nanquantile-{method}",
            run=lambda x, m=method: ops.nanquantile(x, (0.2, 0.5, 0.77), 0, m),
            reference=lambda x, m=method: np.nanquantile(x, (0.2, 0.5, 0.77), 0, method=m),
            inputs=lambda rng: (_with_gaps(rng, 9, 4),),
            rtol=3e-6,
        )
    for axis, keepdims in [(None, False), (None, True), ((0, 2), True), (-1, False)]:
        yield Row(
            name=f"median-{axis}-{keepdims}",
            run=lambda x, a=axis, k=keepdims: ops.median(x, a, k),
            reference=lambda x, a=axis, k=keepdims: np.median(x, a, keepdims=k),
            inputs=lambda rng: (apart(rng, 3, 4, 5),),
            differentiable=(0,),
        )
    yield Row(
        name="percentile",
        run=lambda x: ops.percentile(x, [10, 80], axis=0, keepdims=True),
        reference=lambda x: np.percentile(x, [10, 80], axis=0, keepdims=True),
        inputs=lambda rng: (apart(rng, 40, 3),),
        differentiable=(0,),
        rtol=3e-6,
    )
    yield Row(
        "nanmedian", lambda x: ops.nanmedian(x, 0), lambda x: np.nanmedian(x, 0), lambda rng: (_with_gaps(rng, 9, 4),)
    )
    for name in REDUCTIONS:
        for axis, keepdims in [(0, False), (None, False), (1, True)]:
            yield Row(
                name=f"{name}-{axis}-{keepdims}",
                run=lambda x, name=name, a=axis, k=keepdims: getattr(ops, name)(x, a, k),
                reference=lambda x, name=name, a=axis, k=keepdims: getattr(np, name)(x, a, keepdims=k),
                inputs=lambda rng: (_with_gaps(rng, 6, 5) / 4 + 0.01,),
                rtol=3e-6,
            )
    for name in ("nanargmax", "nanargmin", "nancumsum", "nancumprod"):
        yield Row(
            name=name,
            run=lambda x, name=name: getattr(ops, name)(x, 0),
            reference=lambda x, name=name: getattr(np, name)(x, 0),
            inputs=lambda rng: (_with_gaps(rng, 6, 5),),
            rtol=3e-6,
        )


ROWS = [*_rows()]
