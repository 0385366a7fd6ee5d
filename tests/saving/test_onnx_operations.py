"""Every operation of dlbd.ops as ONNX: the same numbers in ONNX Runtime, or an error that names it."""

from __future__ import annotations

import numpy as np
import pytest

import dlbd
from dlbd import ops

from .onnx_models import assert_same, model_of, operators

F, N, L, U, B = "float32", "int32", "int64", "uint8", "bool"


def drawn(rng, shape, dtype):
    if dtype == F:
        return rng.standard_normal(shape).astype(F)
    if dtype == B:
        return rng.random(shape) < 0.5
    return rng.integers(0 if dtype == U else -5, 6, shape).astype(dtype)


class Applied(dlbd.layers.Layer):
    """A function as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(*inputs) if isinstance(inputs, list) else self.function(inputs)


def applied(function):
    layer = Applied(function)
    return lambda *x: layer(list(x) if len(x) > 1 else x[0])


def positive(function):
    return lambda x: function(ops.abs(x) + 0.5)


def of(function, *dtypes, shape=(3, 4)):
    """The function of one tensor, in these dtypes."""
    return [(function, [(shape, dtype)]) for dtype in dtypes or (F,)]


def of_two(function, *dtypes, shapes=((3, 4), (1, 4))):
    """The function of two tensors, or of one and a number."""
    pairs = [pair if isinstance(pair, tuple) else (pair, pair) for pair in dtypes]
    return [(function, list(zip(shapes, pair, strict=True))) for pair in pairs] + [
        (lambda x: function(x, 2), [((3, 4), N)]),
        (lambda x: function(2.5, x), [((3, 4), F)]),
    ]


def with_options(name, *options, dtypes=(F,), shape=(3, 4)):
    return of(lambda x: getattr(ops, name)(x, *options), *dtypes, shape=shape)


ALL = F, N, L, U, B
ELEMENTWISE = (
    *("absolute", "ceil", "celu", "cos", "elu", "erf", "exp", "exponential", "expm1", "floor", "gelu", "glu"),
    *("hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid", "mish", "reciprocal"),
    *("relu6", "selu", "sigmoid", "silu", "sin", "soft_shrink", "softplus", "softsign", "sparse_plus"),
    *("sparse_sigmoid", "squareplus", "tan", "tanh", "tanh_shrink", "cosh", "sinh"),
)
POSITIVE = "log", "log10", "log1p", "log2", "rsqrt", "sqrt"
BOUNDED = "arccos", "arcsin", "arctanh"
UNBOUNDED = (
    *("arcsinh", "arctan", "cbrt", "deg2rad", "fabs", "fliplr", "flipud", "isneginf", "isposinf", "rad2deg", "sinc"),
    "trunc",
)

CASES = {
    **{name: of(getattr(ops, name), F) for name in ELEMENTWISE},
    **{name: of(positive(getattr(ops, name)), F) for name in POSITIVE},
    **{name: of_two(getattr(ops, name), F, N, L, U, B, (F, N), (U, B)) for name in ("add", "multiply", "subtract")},
    **{name: of_two(getattr(ops, name), *ALL, (N, L)) for name in ("maximum", "minimum")},
    **{
        name: of_two(getattr(ops, name), *ALL, (F, N), (B, U))
        for name in ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal")
    },
    **{name: of_two(getattr(ops, name), B, (F, N)) for name in ("logical_and", "logical_or", "logical_xor")},
    **{
        name: [
            *with_options(name, 1, dtypes=ALL),
            *with_options(name, (0, 2), True, shape=(3, 4, 2)),
            *of(getattr(ops, name), F),
        ]
        for name in ("all", "any", "max", "mean", "min", "prod", "sum")
    },
    **{name: [*with_options(name, 1, True, dtypes=ALL), *of(getattr(ops, name), F)] for name in ("argmax", "argmin")},
    **{name: [*with_options(name, -1, True), *of(getattr(ops, name), F, N)] for name in ("logsumexp", "std", "var")},
    "arange": of(lambda x: ops.arange(x.shape[0]) + ops.arange(1, 7, 2)[:1], F),
    "append": of_two(ops.append, F, shapes=((3, 4), (1, 4)))[:1]
    + of_two(lambda a, b: ops.append(a, b, 1), (F, N), shapes=((3, 4), (1, 4)))[:1],
    "arctan2": of_two(ops.arctan2, F, N),
    "average_pool": of(lambda x: ops.average_pool(x, 2, 1, "same"), F, N, shape=(5, 6, 2)),
    "batch_normalization": of(lambda x: ops.batch_normalization(x, None, None, ops.ones(4), ops.ones(4)), F),
    "broadcast_to": of(lambda x: ops.broadcast_to(ops.expand_dims(x, 1), (x.shape[0], 5, 3, 4)), F),
    "cast": [c for to in ALL for c in of(lambda x, to=to: ops.cast(x * 2 if x.dtype != B else x, to), *ALL)],
    "clip": [
        *of(lambda x: ops.clip(x, -1, 1), F, N, L, U),
        *of(lambda x: ops.clip(x, -0.5, 1.5), F, N),
        *of(lambda x: ops.clip(x, np.array([-1.0, 0.0, -2.0, 1.0]), 1.5), F),
    ],
    "concatenate": of_two(lambda a, b: ops.concatenate([a, b], -1), F, (F, N), shapes=((3, 4), (3, 2)))[:2],
    "conv": of(lambda x: ops.conv(x, np.ones((3, 2, 4)), 2, "same"), F, N, shape=(5, 2)),
    "conv_transpose": of(lambda x: ops.conv_transpose(x, np.ones((3, 4, 2)), 2), F, shape=(5, 2)),
    "convert_to_tensor": of(lambda x: ops.convert_to_tensor(x) + 1.0, F),
    "dense": of(lambda x: ops.dense(x, np.ones((4, 2)), activation="leaky_relu"), F, N),
    "depthwise_conv": of(lambda x: ops.depthwise_conv(x, np.ones((3, 2, 2))), F, shape=(5, 2)),
    "divide": of_two(lambda a, b: ops.divide(a, b + 9), F, N, U, (F, N)),
    "dot_product_attention": [
        (lambda q, k: ops.dot_product_attention(q, k, k, bias=np.ones((3, 5))), [((3, 2, 4), F), ((5, 2, 4), F)]),
        (
            lambda q, m: ops.dot_product_attention(q, q, q, None, m[:, None, None], 0.5, True),
            [((3, 2, 4), F), ((3,), B)],
        ),
    ],
    "embedding": of(lambda x: ops.embedding(ops.abs(x), np.arange(12.0).reshape(6, 2)), N, L, U),
    "expand_dims": of(lambda x: ops.expand_dims(x, (0, -1)), F),
    "flip": [*of(lambda x: ops.flip(x, (1, -1)), F, N), *of(lambda x: ops.flip(ops.flip(x, 1), 1), F)],
    "floor_divide": of_two(ops.floor_divide, F, N, L, U, (F, N)),
    "full": of(lambda x: ops.full((x.shape[0], 2), 7, x.dtype), *ALL[:4]),
    "full_like": of(lambda x: ops.full_like(x, 7), *ALL[:4]),
    "gru": of(lambda x: ops.gru(x, np.ones((4, 6)), np.ones((2, 6)))[0], F),
    "isfinite": of(lambda x: ops.isfinite(1.0 / ops.relu(x)), F) + of(ops.isfinite, N),
    "isinf": of(lambda x: ops.isinf(1.0 / ops.relu(x)), F) + of(ops.isinf, N),
    "isnan": of(lambda x: ops.isnan(ops.log(x)), F) + of(ops.isnan, N),
    "layer_normalization": of(lambda x: ops.layer_normalization(x, np.ones(4, F)), F),
    "log_softmax": of(lambda x: ops.log_softmax(x, 1), F, N),
    "logical_not": of(ops.logical_not, *ALL),
    "lstm": of(lambda x: ops.lstm(x, np.ones((4, 8)), np.ones((2, 8)), reverse=True)[2], F),
    "matmul": of_two(ops.matmul, F, (F, N), shapes=((3, 4), (4, 2)))[:2],
    "max_pool": of(lambda x: ops.max_pool(x, 2, padding="same"), F, N, shape=(5, 6, 2)),
    "mod": of_two(ops.mod, F, N, L, U, (F, N)),
    "moveaxis": of(lambda x: ops.moveaxis(x, (0, -1), (1, 0)), F, shape=(3, 4, 2)),
    "multi_hot": of(lambda x: ops.multi_hot(x, 6), N, L, U),
    "ndim": of(lambda x: x * ops.ndim(x), F),
    "negative": of(ops.negative, *ALL),
    "one_hot": of(lambda x: ops.one_hot(x, 3), N, L, U, B) + of(lambda x: ops.one_hot(x, 3, 1, N), N),
    "ones": of(lambda x: ops.ones((x.shape[0], 2), N), F),
    "ones_like": of(ops.ones_like, F, N) + of(lambda x: ops.ones_like(x, "uint8"), F),
    "pad": [
        *(
            c
            for mode in ("edge", "reflect", "symmetric")
            for c in of(lambda x, m=mode: ops.pad(x, ((0, 0), (1, 2), (2, 1)), m), F)
        ),
        *of(lambda x: ops.pad(x, 1, constant_values=3), *ALL[:4]),
    ],
    "power": of_two(lambda a, b: ops.power(ops.abs(a) + 0.5, b), F)[:1] + of(lambda x: ops.power(x, 3), F, N),
    "ravel": of(ops.ravel, F),
    "relu": [
        *of(ops.relu, F, N, U),
        *of(lambda x: ops.relu(x, 0.25), F),
        *of(lambda x: ops.relu(x, 0.25, 1.0, 0.5), F),
        *of(lambda x: ops.relu(x, max_value=1.0), F),
        *of(lambda x: ops.relu(x, threshold=-0.5), F),
    ],
    "repeat": [
        *of(lambda x: ops.repeat(x, 2, 1), F, N, L),
        *of(lambda x: ops.repeat(x, [1, 2, 0, 3], -1), F),
        *of(lambda x: ops.repeat(x, 2), N),
    ],
    "reshape": of(lambda x: ops.reshape(x, (x.shape[0], 2, -1)), F, B),
    "rnn": of(lambda x: ops.rnn(x, np.ones((4, 2)), np.ones((2, 2)), activation="linear")[0], F)
    + of(lambda x: ops.rnn(x, np.ones((4, 2)), np.ones((2, 2)), np.ones(2), activation="elu")[0], F),
    "roll": [
        *of(lambda x: ops.roll(x, 5, 1), F),
        *of(lambda x: ops.roll(x, (1, -1), (0, 2)), F),
        *of(lambda x: ops.roll(x, 2), F),
    ],
    "round": [*of(ops.round, F, N), *of(lambda x: ops.round(x, 1), F), *of(lambda x: ops.round(x * 9, -1), F, N)],
    "separable_conv": of(lambda x: ops.separable_conv(x, np.ones((2, 2, 2)), np.ones((1, 4, 3))), F, shape=(5, 2)),
    "shape": of(lambda x: ops.reshape(x, (ops.shape(x)[0], 12)), F),
    "sign": of(ops.sign, F, N, U),
    "size": of(lambda x: ops.reshape(x, (ops.size(x),)), F),
    "slice": of(lambda x: ops.slice(x, (0, 1, 2), (x.shape[0], 2, 1)), F),
    "softmax": of(ops.softmax, F, N) + of(lambda x: ops.softmax(x, (1, 2)), F),
    "split": [
        *of(lambda x: ops.split(x, 2, -1)[1], F),
        *of(lambda x: ops.concatenate(ops.split(x, (1, 3), -1)[::-1], -1), F, N),
    ],
    "square": of(ops.square, *ALL),
    "squeeze": of(ops.squeeze, F, shape=(1, 4)) + of(lambda x: ops.squeeze(x, 1), F, shape=(1, 4)),
    "stack": of_two(lambda a, b: ops.stack([a, b], 1), F, (F, N), shapes=((3, 4), (3, 4)))[:2],
    "swapaxes": of(lambda x: ops.swapaxes(x, 0, -1), F),
    "take": [
        *of(lambda x: ops.take(x, [2, 0, -1], 1), F, B),
        *of(lambda x: ops.take(x, 1), F),
        *of(lambda x: ops.take(np.arange(18.0).reshape(3, 6), x, -1), N, U)[1:],
        *of(lambda x: ops.take(np.arange(24.0).reshape(12, 2), x, 0), L),
    ],
    "take_along_axis": [(lambda x, i: ops.take_along_axis(x, i // 2, 1), [((3, 4), F), ((5, 4), N)])],
    "threshold": of(lambda x: ops.threshold(x, 0.5, -3.0), F),
    "tile": of(lambda x: ops.tile(x, (2, 3)), F, N) + of(lambda x: ops.tile(x, (2, 1, 1, 2)), F),
    "transpose": of(ops.transpose, F) + of(lambda x: ops.transpose(x, (0, -1, 1)), N),
    "unstack": of(lambda x: ops.stack(ops.unstack(x, axis=1)[::-1]), F),
    "where": [
        *of_two(lambda a, b: ops.where(a, b, a), F, N, U, B, (B, F))[:5],
        *of(lambda x: ops.where(ops.greater(x, 0), x, 7), F, N),
    ],
    "average": of(lambda x: ops.average(x, 1, np.array([1.0, 2.0, 3.0])), F, N) + of(ops.average, F),
    "count_nonzero": of(lambda x: ops.count_nonzero(x, 1), F, N),
    "diag": of(lambda x: ops.diag(x[0, 0], 1) + ops.diag(x[0, :, :3], -1)[0], F),
    "diagonal": of(lambda x: ops.diagonal(x, 1, 1, 2), F),
    "divide_no_nan": of_two(ops.divide_no_nan, F, N),
    "dot": of(lambda x: ops.dot(x, np.ones((4, 2))), F),
    "einsum": of_two(lambda a, b: ops.einsum("bij,bkj->bik", a, b), F, (F, N), shapes=((3, 4), (2, 4)))[:2]
    + of(lambda x: ops.einsum("...i,ij", x, np.ones((4, 2))), F),
    "hstack": of(lambda x: ops.hstack([x, x]), F),
    "inner": of(lambda x: ops.inner(x, np.ones(4)), F),
    "isclose": of_two(lambda a, b: ops.isclose(a, b, 0.5), F),
    "logaddexp": of_two(ops.logaddexp, F, N),
    "meshgrid": of(lambda x: ops.meshgrid(x[0, 0], x[0, :, 1])[1], F),
    "moments": of(lambda x: ops.moments(x, (1, 2)), F),
    "nan_to_num": of(lambda x: ops.nan_to_num(1.0 / ops.relu(x), posinf=9.0) + ops.nan_to_num(ops.log(x), 5.0), F),
    "norm": [c for o in (None, 0, 1, 2, 3, np.inf, -np.inf) for c in of(lambda x, o=o: ops.norm(x, o, -1), F)],
    "normalize": of(ops.normalize, F),
    "outer": of(lambda x: ops.outer(x, np.arange(3.0)), F),
    "ptp": of(lambda x: ops.ptp(x, 1), F, N),
    "select": of(lambda x: ops.select([x > 1, x > 0], [x, -x], 7.0), F),
    "stop_gradient": of(lambda x: ops.stop_gradient(x) * 2, F),
    "tensordot": of(lambda x: ops.tensordot(x, np.ones((4, 3, 2)), ([1, 2], [1, 0])), F),
    "trace": of(lambda x: ops.trace(x, 0, 1, 2), F),
    "tril": of(lambda x: ops.tril(x, 1), F, N),
    "triu": of(lambda x: ops.triu(x, -1), F, N),
    "vdot": of_two(ops.vdot, F, shapes=((3, 4), (3, 4)))[:1],
    "vstack": of(lambda x: ops.vstack([x, x]), F),
    "zeros": of(lambda x: ops.zeros(x.shape), F),
    "zeros_like": of(ops.zeros_like, F, B),
    **{name: of(lambda x, name=name: getattr(ops, name)(ops.clip(x, -0.9, 0.9)), F, N) for name in BOUNDED},
    **{name: of(getattr(ops, name), F, N) for name in UNBOUNDED},
    **{name: of_two(getattr(ops, name), F, (F, N)) for name in ("fmax", "fmin", "hypot", "logaddexp2")},
    "arccosh": of(positive(lambda x: ops.arccosh(x + 1)), F),
    "allclose": of(lambda x: ops.allclose(x, x[0]), F),
    "argpartition": of(lambda x: ops.argpartition(x, 2, 1), F),
    "argsort": of(lambda x: ops.argsort(x, 1), F, N) + of(ops.argsort, F),
    "array_split": of(lambda x: ops.array_split(x, 3, -1)[0], F),
    "associative_scan": of(lambda x: ops.associative_scan(ops.multiply, x, axis=1), F, N),
    "cond": of(lambda x: ops.cond(True, lambda: x, lambda: -x), F),
    "copy": of(lambda x: ops.copy(x) + 1, F),
    "corrcoef": of(lambda x: ops.corrcoef(x[0]), F),
    "cross": of_two(ops.cross, F, (F, N), shapes=((4, 3), (4, 3)))[:2],
    "cumsum": of(lambda x: ops.cumsum(x, 1), F, N, U) + of(ops.cumsum, F),
    "depth_to_space": of(lambda x: ops.depth_to_space(x, 2), F, shape=(2, 3, 8)),
    "diagflat": of(lambda x: ops.diagflat(x[0, 0], 1), F),
    "diff": of(lambda x: ops.diff(x, 2), F, N) + of(ops.diff, B),
    "digitize": of(lambda x: ops.digitize(x, [-1.0, 0.0, 2.0]), F, N),
    "dsplit": of(lambda x: ops.dsplit(x, 2)[1], F),
    "dstack": of(lambda x: ops.dstack([x, x]), F),
    "dtype": of(lambda x: ops.cast(x, ops.dtype(x)), F),
    "exp2": of(ops.exp2, F, N),
    "extract_sequences": of(lambda x: ops.extract_sequences(x, 2, 2), F),
    "fmod": of_two(lambda a, b: ops.fmod(a, b + 9), F, N),
    "fori_loop": of(lambda x: ops.fori_loop(0, 3, lambda i, y: y + i, x), F),
    "get_item": of(lambda x: ops.get_item(x, (..., 0)), F),
    "heaviside": of_two(ops.heaviside, F, (F, N)),
    "hsplit": of(lambda x: ops.hsplit(x, 3)[1], F),
    "is_tensor": of(lambda x: x if ops.is_tensor(x) else -x, F),
    "isin": of(lambda x: ops.isin(x, [1, 3]), F, N),
    "kron": of(lambda x: ops.kron(x[0], np.ones((2, 3))), F),
    "ldexp": of_two(ops.ldexp, F, (F, N)),
    "map": of(lambda x: ops.map(lambda row: row * 2, ops.moveaxis(x, 1, 0)), F),
    "median": of(lambda x: ops.median(x, 1), F),
    "quantile": of(lambda x: ops.quantile(x, 0.3, (1, 2)), F),
    "percentile": of(lambda x: ops.percentile(x, [30, 60], -1), F),
    "nanargmax": of(lambda x: ops.nanargmax(ops.log(x), 1), F),
    "nanargmin": of(lambda x: ops.nanargmin(ops.log(x), 1), F),
    **{
        name: of(lambda x, name=name: getattr(ops, name)(ops.log(x), 1), F)
        for name in ("nancumsum", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar")
    },
    "rms_normalization": of(lambda x: ops.rms_normalization(x, np.arange(4.0)), F),
    "rot90": of(lambda x: ops.rot90(x, 1, (1, 2)), F),
    "saturate_cast": of(lambda x: ops.saturate_cast(x * 99, "uint8"), F, N),
    "scan": of(lambda x: ops.scan(lambda c, v: (c + v, c * v), ops.ones_like(x[:, 0]), ops.moveaxis(x, 1, 0))[1], F),
    "searchsorted": of(lambda x: ops.searchsorted([-1.0, 0.0, 2.0], x), F, N),
    "segment_sum": of(lambda x: ops.segment_sum(x, ops.cast(x[:, 0, 0] > 0, N), 3), F),
    "signbit": of(ops.signbit, F, N),
    "slice_update": of(lambda x: ops.slice_update(x[0], (1, 1), x[0, :1, :2] * 2), F),
    "sort": of(lambda x: ops.sort(x, 1), F, N, U) + of(ops.sort, F),
    "space_to_depth": of(lambda x: ops.space_to_depth(x, 2), F, shape=(4, 6, 2)),
    "sparsemax": of(ops.sparsemax, F) + of(lambda x: ops.sparsemax(x, 1), F),
    "switch": of(lambda x: ops.switch(1, [ops.abs, ops.negative], x), F),
    "top_k": of(lambda x: ops.top_k(x, 2)[0], F, N) + of(lambda x: ops.top_k(x, 3)[1], F, N, U),
    "trapezoid": of(lambda x: ops.trapezoid(x, dx=0.5), F) + of(lambda x: ops.trapezoid(x, np.arange(4.0) ** 2), F),
    "unravel_index": of(lambda x: ops.unravel_index(ops.abs(x), (3, 4))[0], N),
    "vander": of(lambda x: ops.vander(x[0, 0], 3), F),
    "vectorized_map": of(lambda x: ops.vectorized_map(lambda row: row * 2, ops.moveaxis(x, 1, 0)), F),
    "vsplit": of(lambda x: ops.vsplit(ops.moveaxis(x, 1, 0), 3)[1], F),
    "while_loop": of(lambda x: ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1], F),
    "image.resize": [
        *of(lambda x: ops.image.resize(x, (6, 5)), F, shape=(4, 7, 2)),
        *of(lambda x: ops.image.resize(x, (6, 5), "nearest"), U, N, shape=(4, 7, 2)),
    ],
    "getitem": [
        *of(lambda x: x[:, 1], F),
        *of(lambda x: x[..., -1], F),
        *of(lambda x: x[:, None, 1:, ::-2], F, N),
        *of(lambda x: x[:, ::2, None, 3], F),
        *of(lambda x: x[:, [0, 2], 1:], F),
        *of(lambda x: x[:, -1:0:-1], F),
        *of(lambda x: x[1:], F),
    ],
    "operators": [
        *of(lambda x: (1 - x) * 2 / (x * x + 1) - abs(-x) + x @ x, F, shape=(4, 4)),
        *of(lambda x: ops.cast((x > 1) & (x != 2) | ~(x <= 0) ^ (x == -1), N), N),
        *of(lambda x: x // 2 + x % 3 + 7 // (x * 0 + 2), N),
        *of(lambda x: sum(row for row in ops.moveaxis(x, 1, 0)), F),
    ],
}

# What has nothing to say in a file that predicts.
LEFT_OUT = {
    "convert_to_numpy": "leads out of the model",
    "eye": "no tensor goes in",
    "identity": "no tensor goes in",
    "linspace": "no tensor goes in",
    "tri": "no tensor goes in",
    **dict.fromkeys(("dropout", "random_normal", "random_uniform"), "random"),
    **dict.fromkeys(
        (
            *("absolute_error", "binary_cross_entropy", "categorical_cross_entropy", "sigmoid_cross_entropy"),
            *("softmax_cross_entropy", "squared_error"),
        ),
        "a loss",
    ),
    "image.affine_transform": "for augmentation",
    **dict.fromkeys(
        ("bartlett", "blackman", "empty", "geomspace", "hamming", "hanning", "kaiser", "logspace"), "no tensor goes in"
    ),
    "empty_like": "any numbers",
    "custom_gradient": "for training",
    **dict.fromkeys(("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"), "a loss"),
    **dict.fromkeys(("in_top_k", "histogram", "bincount"), "a measure"),
    **dict.fromkeys(
        (
            *("cumprod", "erfinv", "nancumprod", "nanmedian", "nanpercentile", "nanquantile", "scatter"),
            *("scatter_update", "segment_max", "segment_min", "segment_prod"),
        ),
        "ONNX has nothing for it",
    ),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_operation(name):
    rng = np.random.default_rng(0)
    for function, inputs in CASES[name]:
        model = model_of(applied(function), *(dlbd.Input(shape, dtype=dtype) for shape, dtype in inputs))
        batches = [[drawn(rng, (b, *shape), dtype) for shape, dtype in inputs] for b in (2, 5)]
        assert_same(model, *(b if len(b) > 1 else b[0] for b in batches))


def test_every_operation_has_a_row():
    public = {*ops.__all__, *(f"image.{name}" for name in ops.image.__all__)}
    functions = {name: getattr(ops, name) for name in ops.__all__}
    tested = {functions.get(name, name) for name in CASES | LEFT_OUT}
    assert not [name for name in public if functions.get(name, name) not in tested]


def test_what_a_file_cannot_say_is_named():
    counter = dlbd.Variable([1, 0], dtype="int64", trainable=False)
    for function, name in (
        (lambda x: ops.dropout(x, 0.5, counter), "dropout"),
        (lambda x: ops.squared_error(x, x)[0], "squared_error"),
    ):
        x = dlbd.Input((3,))
        model = dlbd.Model(x, dlbd.layers.Lambda(function, output_shape=(3,), name="odd")(x))
        with pytest.raises(ValueError, match=rf"layer 'odd' .*\[{name}\]"):
            model.export("/nowhere/m.onnx")


def test_a_flip_of_a_flip_is_nothing():
    model = model_of(lambda x: ops.flip(ops.flip(x, 1), 1), dlbd.Input((3, 4)))
    assert operators(assert_same(model, np.ones((2, 3, 4), F))) == ["Identity"]
