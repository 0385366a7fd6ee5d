"""Rows of remainders, steps, powers of two and the like."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact

# (name, NumPy's function, bounds of each operand, which are differentiable)
PAIRS = [
    ("fmod", np.fmod, (-9, 9), (0.3, 3), (0, 1)),
    ("fmax", np.fmax, (-3, 3), (-3, 3), (0, 1)),
    ("fmin", np.fmin, (-3, 3), (-3, 3), (0, 1)),
    ("hypot", np.hypot, (-3, 3), (-3, 3), (0, 1)),
    ("heaviside", np.heaviside, (-3, 3), (0, 1), ()),
    ("logaddexp2", np.logaddexp2, (-5, 5), (-5, 5), (0, 1)),
]
SINGLE = [
    ("trunc", np.trunc, -5, 5, False),
    ("fabs", np.fabs, -5, 5, True),
    ("exp2", np.exp2, -4, 4, True),
    ("sinc", np.sinc, -3, 3, True),
    ("deg2rad", np.deg2rad, -360, 360, True),
    ("rad2deg", np.rad2deg, -9, 9, True),
]


def _rows():
    for name, reference, first, second, differentiable in PAIRS:
        for what, a, b in [("same", (3, 17), (3, 17)), ("broadcast", (6, 1), (5,)), ("empty", (0, 2), (2,))]:
            yield Row(
                name=f"{name}-{what}",
                run=getattr(ops, name),
                reference=reference,
                inputs=lambda rng, a=a, b=b, first=first, second=second: (
                    exact(rng, *a, low=first[0], high=first[1]),
                    exact(rng, *b, low=second[0], high=second[1]),
                ),
                differentiable=differentiable,
                rtol=3e-6,
                gradient_rtol=1e-5,
                gradient_atol=1e-4,
            )
    for name, reference, low, high, differentiable in SINGLE:
        yield Row(
            name=name,
            run=getattr(ops, name),
            reference=reference,
            inputs=lambda rng, low=low, high=high: (exact(rng, 70, low=low, high=high),),
            differentiable=(0,) if differentiable else (),
            rtol=3e-6,
            gradient_rtol=2e-5,
            gradient_atol=2e-5,
        )
    yield Row(
        name="ldexp",
        run=ops.ldexp,
        reference=lambda x, n: np.ldexp(x, n.astype(int)),
        inputs=lambda rng: (exact(rng, 20), rng.integers(-4, 5, 20).astype(float)),
        differentiable=(0,),
        rtol=3e-6,
        gradient_rtol=3e-6,
    )


ROWS = [*_rows()]
