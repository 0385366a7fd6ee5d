"""Rows of the activations, with Keras 3's definitions."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import erf, exact


def sigmoid(x):
    return np.where(x < 0, np.exp(-np.abs(x)), 1.0) / (1 + np.exp(-np.abs(x)))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def relu6(x):
    return np.clip(x, 0, 6)


def shrink(x):
    return np.where(np.abs(x) > 0.5, x - np.copysign(0.5, x), 0)


def general_relu(x):
    y = np.where(x >= 0.5, np.minimum(x, 2.0), 0.1 * (x - 0.5))
    return y


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def glu(x):
    a, b = np.split(x, 2, axis=-1)
    return a * sigmoid(b)


ACTIVATIONS = [
    ("relu", ops.relu, lambda x: np.maximum(x, 0)),
    ("relu-slope", lambda x: ops.relu(x, negative_slope=0.3), lambda x: np.where(x < 0, 0.3 * x, x)),
    ("relu-max", lambda x: ops.relu(x, max_value=1.5), lambda x: np.clip(x, 0, 1.5)),
    ("relu-six", lambda x: ops.relu(x, max_value=6.0), relu6),
    ("relu-threshold", lambda x: ops.relu(x, threshold=0.5), lambda x: np.where(x > 0.5, x, 0)),
    ("relu-everything", lambda x: ops.relu(x, 0.1, 2.0, 0.5), general_relu),
    ("leaky_relu", ops.leaky_relu, lambda x: np.where(x < 0, 0.2 * x, x)),
    ("relu6", ops.relu6, relu6),
    ("sigmoid", ops.sigmoid, sigmoid),
    ("tanh", ops.tanh, np.tanh),
    ("gelu", ops.gelu, gelu_tanh),
    ("gelu-exact", lambda x: ops.gelu(x, approximate=False), lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2)))),
    ("silu", ops.silu, lambda x: x * sigmoid(x)),
    ("elu", ops.elu, lambda x: np.where(x < 0, np.expm1(x), x)),
    ("elu-alpha", lambda x: ops.elu(x, 0.5), lambda x: np.where(x < 0, 0.5 * np.expm1(x), x)),
    ("celu", lambda x: ops.celu(x, 2.0), lambda x: np.where(x < 0, 2 * np.expm1(x / 2), x)),
    ("selu", ops.selu, lambda x: 1.0507009873554805 * np.where(x < 0, 1.6732632423543772 * np.expm1(x), x)),
    ("softplus", ops.softplus, softplus),
    ("softsign", ops.softsign, lambda x: x / (1 + np.abs(x))),
    ("hard_sigmoid", ops.hard_sigmoid, lambda x: relu6(x + 3) / 6),
    ("hard_silu", ops.hard_silu, lambda x: x * relu6(x + 3) / 6),
    ("hard_tanh", ops.hard_tanh, lambda x: np.clip(x, -1, 1)),
    ("hard_shrink", ops.hard_shrink, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    ("soft_shrink", ops.soft_shrink, shrink),
    ("tanh_shrink", ops.tanh_shrink, lambda x: x - np.tanh(x)),
    ("threshold", lambda x: ops.threshold(x, 0.5, -2.0), lambda x: np.where(x > 0.5, x, -2.0)),
    ("log_sigmoid", ops.log_sigmoid, lambda x: -softplus(-x)),
    ("mish", ops.mish, lambda x: x * np.tanh(softplus(x))),
    ("squareplus", ops.squareplus, lambda x: (x + np.sqrt(x * x + 4)) / 2),
    ("exponential", ops.exponential, np.exp),
    ("glu", ops.glu, glu),
]


def _rows():
    for name, run, reference in ACTIVATIONS:
        for shape in [(2,), (5, 134), (3, 11000)]:
            yield Row(
                name=f"{name}-{'x'.join(map(str, shape))}",
                run=run,
                reference=reference,
                inputs=lambda rng, shape=shape: (exact(rng, *shape, low=-8, high=5),),
                differentiable=(0,),
                gradient_rtol=3e-6,
            )


ROWS = list(_rows())
