"""Rows of arithmetic, elementary functions, comparisons and choices."""

import math

import numpy as np

from dlbd import ops

from .row import Row


def exact(rng, *shape, low=-3.0, high=3.0):
    """Float64 values that float32 holds exactly: what is compared is the function, not the rounding of its input."""
    return rng.uniform(low, high, shape).astype(np.float32).astype(np.float64)


# (what is special, shape of x1, shape of x2): vector edges, chunk edges, and every kind of broadcasting
SHAPES = [
    ("same", (3, 17), (3, 17)),
    ("scalar", (2, 33), ()),
    ("scalar-first", (), (5, 7)),
    ("row", (4, 19), (19,)),
    ("column", (6, 5), (6, 1)),
    ("outer", (9, 1), (1, 35)),
    ("middle", (2, 3, 4, 5), (2, 1, 4, 1)),
    ("both", (3, 1, 5), (1, 4, 1)),
    ("one", (1,), (1, 1)),
    ("chunks", (3, 11000), (3, 1)),
    ("empty", (0, 3), (1, 3)),
]
ARITHMETIC = [
    ("add", ops.add, np.add),
    ("subtract", ops.subtract, np.subtract),
    ("multiply", ops.multiply, np.multiply),
    ("divide", ops.divide, np.divide),
    ("maximum", ops.maximum, np.maximum),
    ("minimum", ops.minimum, np.minimum),
]


def _binary_rows():
    for name, run, reference in ARITHMETIC:
        for what, first, second in SHAPES:
            away_from_zero = name == "divide"
            yield Row(
                name=f"{name}-{what}",
                run=run,
                reference=reference,
                inputs=lambda rng, a=first, b=second, z=away_from_zero: (
                    exact(rng, *a),
                    exact(rng, *b, low=0.5) if z else exact(rng, *b),
                ),
                differentiable=(0, 1),
                gradient_atol=2e-3 if what == "chunks" else 1e-4,  # sums of thousands of terms, or a scalar's
            )
    for name, run, reference in [
        ("power", ops.power, np.power),
        ("floor_divide", ops.floor_divide, np.floor_divide),
        ("mod", ops.mod, np.mod),
        ("arctan2", ops.arctan2, np.arctan2),
    ]:
        for what, first, second in SHAPES[:6]:
            yield Row(
                name=f"{name}-{what}",
                run=run,
                reference=reference,
                inputs=lambda rng, a=first, b=second, p=name == "power": (
                    exact(rng, *a, low=0.1) if p else exact(rng, *a),
                    exact(rng, *b, low=0.3),
                ),
                differentiable=(0, 1) if name in ("power", "arctan2") else (0,) if name == "mod" else (),
                rtol=3e-6,
                gradient_rtol=1e-5,
                gradient_atol=1e-3,
            )
    yield Row(
        name="power-square",
        run=lambda x: x**2,
        reference=np.square,
        inputs=lambda rng: (exact(rng, 40),),
        differentiable=(0,),
    )
    yield Row(
        name="multiply-itself",
        run=lambda x: ops.multiply(x, x),
        reference=np.square,
        inputs=lambda rng: (exact(rng, 5, 6),),
        differentiable=(0,),
    )
    yield Row(
        name="expression-with-operators",
        run=lambda x, y: (2.0 - x) * y / (1 + x * x) - (-y) % 1.5 + abs(x),
        reference=lambda x, y: (2.0 - x) * y / (1 + x * x) - (-y) % 1.5 + np.abs(x),
        inputs=lambda rng: (exact(rng, 7, 4), exact(rng, 4)),
        differentiable=(0, 1),
        gradient_atol=3e-5,
    )


erf = np.vectorize(math.erf, otypes=[np.float64])


@np.vectorize
def erfinv(x):
    """By halving the interval that holds it."""
    low, high = -6.0, 6.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return (low + high) / 2


FUNCTIONS = [
    ("negative", ops.negative, np.negative, -3, 3),
    ("absolute", ops.absolute, np.abs, -3, 3),
    ("square", ops.square, np.square, -3, 3),
    ("sqrt", ops.sqrt, np.sqrt, 0.01, 9),
    ("rsqrt", ops.rsqrt, lambda x: 1 / np.sqrt(x), 0.1, 9),
    ("reciprocal", ops.reciprocal, np.reciprocal, 0.3, 9),
    ("exp", ops.exp, np.exp, -9, 4),
    ("expm1", ops.expm1, np.expm1, -9, 4),
    ("log", ops.log, np.log, 0.1, 99),
    ("log1p", ops.log1p, np.log1p, -0.9, 9),
    ("log2", ops.log2, np.log2, 0.1, 99),
    ("log10", ops.log10, np.log10, 0.1, 99),
    ("sin", ops.sin, np.sin, -9, 9),
    ("cos", ops.cos, np.cos, -9, 9),
    ("tan", ops.tan, np.tan, -1.2, 1.2),
    ("erf", ops.erf, erf, -4, 4),
    ("arcsin", ops.arcsin, np.arcsin, -0.99, 0.99),
    ("arccos", ops.arccos, np.arccos, -0.99, 0.99),
    ("arctan", ops.arctan, np.arctan, -9, 9),
    ("arcsinh", ops.arcsinh, np.arcsinh, -9, 9),
    ("arccosh", ops.arccosh, np.arccosh, 1.1, 9),
    ("arctanh", ops.arctanh, np.arctanh, -0.9, 0.9),
    ("cbrt", ops.cbrt, np.cbrt, 0.1, 9),
    ("erfinv", ops.erfinv, erfinv, -0.99, 0.99),
]
STEPS = [
    ("sign", ops.sign, np.sign),
    ("floor", ops.floor, np.floor),
    ("ceil", ops.ceil, np.ceil),
    ("round", ops.round, np.round),
]


def _unary_rows():
    for name, run, reference, low, high in FUNCTIONS:
        for n in (1, 67, 16384 + 5):
            yield Row(
                name=f"{name}-{n}",
                run=run,
                reference=reference,
                inputs=lambda rng, n=n, low=low, high=high: (exact(rng, n, low=low, high=high),),
                differentiable=(0,),
                gradient_rtol=3e-6,
            )
    for name, run, reference in STEPS:
        yield Row(
            name=name,
            run=run,
            reference=reference,
            inputs=lambda rng: (np.concatenate([exact(rng, 50), np.arange(-6, 7) / 2, [4194305.5, -8388607.5, 1e9]]),),
        )
    yield Row(
        name="round-decimals",
        run=lambda x: ops.round(x, 1),
        reference=lambda x: np.round(x, 1),
        inputs=lambda rng: (np.array([0.12, -3.96, 2.6]),),
    )
    yield Row(
        name="clip-numbers",
        run=lambda x: ops.clip(x, -1.0, 2.0),
        reference=lambda x: np.clip(x, -1.0, 2.0),
        inputs=lambda rng: (exact(rng, 70),),
        differentiable=(0,),
    )
    yield Row(
        name="clip-arrays",
        run=ops.clip,
        reference=np.clip,
        inputs=lambda rng: (exact(rng, 7, 9), exact(rng, 9, low=-2, high=-1), exact(rng, 7, 1, low=1, high=2)),
        differentiable=(0, 1, 2),
    )


COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
LOGIC = ["logical_and", "logical_or", "logical_xor"]


def _choice_rows():
    for name in COMPARISONS + LOGIC:
        for what, first, second in SHAPES[:7]:
            yield Row(
                name=f"{name}-{what}",
                run=getattr(ops, name),
                reference=getattr(np, name),
                inputs=lambda rng, a=first, b=second: (
                    rng.integers(-1, 2, a).astype(np.float64),
                    rng.integers(-1, 2, b).astype(np.float64),
                ),
            )
    special = np.array([0.0, -0.0, 1.0, np.nan, np.inf, -np.inf] * 5)
    for name in ("isnan", "isinf", "isfinite", "logical_not"):
        yield Row(name=name, run=getattr(ops, name), reference=getattr(np, name), inputs=lambda rng: (special.copy(),))
    for what, c, a, b in [
        ("same", (4, 5), (4, 5), (4, 5)),
        ("scalar", (40,), (), (40,)),
        ("scalar-second", (40,), (40,), ()),
        ("condition-broadcast", (6, 1), (6, 7), (7,)),
        ("sides-broadcast", (3, 4, 5), (4, 1), (3, 1, 5)),
    ]:
        yield Row(
            name=f"where-{what}",
            run=ops.where,
            reference=np.where,
            inputs=lambda rng, c=c, a=a, b=b: (rng.integers(0, 2, c).astype(bool), exact(rng, *a), exact(rng, *b)),
            differentiable=(1, 2),
        )


ROWS = [*_binary_rows(), *_unary_rows(), *_choice_rows()]
