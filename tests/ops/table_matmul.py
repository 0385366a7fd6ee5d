"""Rows of the matmul family."""

import numpy as np

from dlbd import _cpu, ops

from .row import Row

# The register tile is 14 x 32 with AVX-512, 6 x 16 with AVX2, 4 x 8 otherwise; k is summed in blocks of 256; a task of
# the packed path has up to 336 rows. Sizes lie on those edges and one beside.
SMALL = [(1, 1, 1), (5, 7, 3), (14, 32, 64), (15, 33, 65), (13, 31, 63), (16, 16, 8), (17, 17, 257), (3, 130, 256)]
PACKED = [(1, 1, 1), (14, 32, 256), (15, 33, 257), (336, 16, 20), (337, 17, 255), (13, 513, 31)]
SKINNY = [(1, 1, 1), (1, 64, 300), (2, 65, 255), (3, 1030, 17), (7, 129, 513), (8, 31, 256), (8, 33, 1), (4, 9, 33)]
COLUMN = [(1, 1, 5), (5, 1, 17), (300, 1, 40), (131, 1, 1)]


def _inputs(*shapes):
    return lambda rng: tuple(rng.standard_normal(shape) for shape in shapes)


def _products():
    generic = [(1, 1, 1), (5, 7, 3), (16, 33, 64), (3, 130, 17)]
    for path, sizes in (("generic", generic), ("small", SMALL), ("packed", PACKED), ("skinny", [*SKINNY, *COLUMN])):
        for m, n, k in sizes:
            yield Row(
                name=f"matmul-{path}-{m}x{n}x{k}",
                run=ops.matmul,
                reference=np.matmul,
                inputs=_inputs((m, k), (k, n)),
                differentiable=(0, 1),
                path=("gemm", path),
                multilinear=True,
            )


def _batches():
    shapes = {
        "batched": ((3, 4, 5), (3, 5, 6)),
        "shared-right": ((3, 4, 5), (5, 6)),
        "shared-right-of-one": ((2, 3, 4, 5), (1, 1, 5, 6)),
        "shared-left": ((4, 5), (3, 5, 6)),
        "shared-left-of-one": ((1, 4, 5), (2, 3, 5, 6)),
        "crossed": ((2, 1, 4, 5), (3, 5, 6)),
        "partly": ((2, 3, 4, 5), (3, 5, 6)),
        "vectors": ((5,), (5,)),
        "vector-matrix": ((5,), (5, 6)),
        "vector-matrices": ((5,), (3, 5, 6)),
        "matrix-vector": ((4, 5), (5,)),
        "matrices-vector": ((2, 3, 4, 5), (5,)),
        "no-rows": ((0, 5), (5, 6)),
        "no-columns": ((4, 5), (5, 0)),
        "no-terms": ((4, 0), (0, 6)),
        "no-batch": ((0, 4, 5), (0, 5, 6)),
        "empty-shared": ((0, 4, 5), (5, 6)),
    }
    for name, (a, b) in shapes.items():
        yield Row(
            name=f"matmul-{name}",
            run=ops.matmul,
            reference=np.matmul,
            inputs=_inputs(a, b),
            differentiable=(0, 1),
            multilinear=True,
        )


def _leaky(z):
    return np.where(z < 0, 0.25 * z, z)


ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": _leaky,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "elu": lambda z: np.where(z < 0, np.expm1(np.minimum(z, 0)), z),
    "softplus": lambda z: np.logaddexp(z, 0),
}


def _dense():
    for activation, function in ACTIVATIONS.items():
        # the kernels keep the slope in float32: one that is exact
        act = _cpu.Activation(activation, 0.25) if activation == "leaky_relu" else activation
        yield Row(
            name=f"dense-{activation}",
            run=lambda x, w, b, act=act: ops.dense(x, w, b, act),
            reference=lambda x, w, b, function=function: function(x @ w + b),
            inputs=lambda rng: (
                rng.standard_normal((9, 6)),
                0.5 * rng.standard_normal((6, 35)),
                rng.standard_normal(35),
            ),
            differentiable=(0, 1, 2),
            gradient_rtol=1e-5,
            gradient_atol=2e-5,
        )
    for path, m in (("generic", 17), ("small", 17), ("packed", 300), ("skinny", 7)):
        yield Row(
            name=f"dense-{path}",
            run=lambda x, w, b: ops.dense(x, w, b, "relu"),
            reference=lambda x, w, b: np.maximum(x @ w + b, 0),
            inputs=lambda rng, m=m: (
                rng.integers(-3, 4, (m, 6)).astype(float),
                rng.integers(-3, 4, (6, 35)).astype(float),
                rng.integers(-3, 4, 35) + 0.5,
            ),
            differentiable=(0, 1, 2),
            path=("gemm", path),
            gradient_rtol=1e-5,
            gradient_atol=1e-4,
        )
    yield Row(
        name="dense-without-bias",
        run=ops.dense,
        reference=np.matmul,
        inputs=_inputs((2, 5, 6), (6, 7)),
        differentiable=(0, 1),
        multilinear=True,
    )
    yield Row(  # more rows than one part of the bias's gradient
        name="dense-many-rows",
        run=lambda x, w, b: ops.dense(x, w, b),
        reference=lambda x, w, b: x @ w + b,
        inputs=_inputs((4, 40000, 2), (2, 3), (3,)),
        differentiable=(0,),
        rtol=1e-5,
    )
    yield Row(
        name="dense-no-rows",
        run=lambda x, w, b: ops.dense(x, w, b, "tanh"),
        reference=lambda x, w, b: np.tanh(x @ w + b),
        inputs=_inputs((0, 2), (2, 3), (3,)),
        differentiable=(0, 1, 2),
    )


ROWS = [*_products(), *_batches(), *_dense()]
