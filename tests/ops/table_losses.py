"""Rows of the losses."""

import numpy as np

from dlbd import ops
from dlbd.ops import losses

from .row import Row

EPS = 1e-7


def _log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _one_hot(labels, classes):
    return np.eye(classes)[np.asarray(labels).astype(int)]


def _softmax(t, x):
    return -(t * _log_softmax(x)).sum(-1)


def _categorical(t, p):
    q = np.clip(p / p.sum(-1, keepdims=True), EPS, 1 - EPS)
    return -(t * np.log(q)).sum(-1)


def _sigmoid(t, x):
    return (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).mean(-1)


def _binary(t, p):
    q = np.clip(p, EPS, 1 - EPS)
    return -(t * np.log(q) + (1 - t) * np.log(1 - q)).mean(-1)


def _huber(t, p, delta=0.7):
    e = np.abs(p - t)
    return np.where(e <= delta, 0.5 * e * e, delta * e - 0.5 * delta * delta).mean(-1)


def _hinge(t, p):
    signs = 2.0 * t - 1 if np.isin(t, (0, 1)).all() else t
    return np.maximum(1 - signs * p, 0).mean(-1)


def _squared_hinge(t, p):
    signs = 2.0 * t - 1 if np.isin(t, (0, 1)).all() else t
    return (np.maximum(1 - signs * p, 0) ** 2).mean(-1)


def _kl(t, p):
    a, b = np.clip(t, EPS, 1), np.clip(p, EPS, 1)
    return (a * np.log(a / b)).sum(-1)


def _cosine(t, p):
    return -(t * p).sum(-1) / np.maximum(np.linalg.norm(t, axis=-1) * np.linalg.norm(p, axis=-1), EPS**2)


def _normal(rng, shape):
    return rng.standard_normal(shape)


def _positive(rng, shape):
    return rng.uniform(0.05, 0.95, shape)


# kind: (reference of one value per row, labels, predictions, which are differentiable, options)
ELEMENTWISE = {
    "squared": (lambda t, p: ((p - t) ** 2).mean(-1), _normal, _normal, (0, 1), {}),
    "absolute": (lambda t, p: np.abs(p - t).mean(-1), _normal, _normal, (0, 1), {}),
    "percentage": (lambda t, p: 100 * np.abs((t - p) / np.abs(t)).mean(-1), _positive, _normal, (1,), {}),
    "logarithmic": (lambda t, p: ((np.log1p(p) - np.log1p(t)) ** 2).mean(-1), _positive, _positive, (1,), {}),
    "huber": (_huber, _normal, _normal, (0, 1), {"delta": 0.7}),
    "log_cosh": (lambda t, p: np.log(np.cosh(p - t)).mean(-1), _normal, _normal, (0, 1), {}),
    "poisson": (lambda t, p: (p - t * np.log(p + EPS)).mean(-1), _positive, _positive, (1,), {}),
    "hinge": (_hinge, lambda rng, s: rng.integers(0, 2, s), _normal, (1,), {}),
    "squared_hinge": (_squared_hinge, lambda rng, s: np.sign(_normal(rng, s)), _normal, (1,), {}),
    "kl_divergence": (_kl, _positive, _positive, (1,), {}),
    "sigmoid_cross_entropy": (
        _sigmoid,
        lambda rng, s: rng.integers(0, 2, s),
        lambda rng, s: 4 * _normal(rng, s),
        (1,),
        {},
    ),
    "binary_cross_entropy": (_binary, _positive, _positive, (1,), {}),
    "cosine_similarity": (_cosine, _normal, _normal, (1,), {}),
    "softmax_cross_entropy": (_softmax, _positive, _normal, (1,), {}),
    "categorical_cross_entropy": (_categorical, _positive, _positive, (1,), {}),
}


def _rows():
    for kind, (reference, labels, predictions, differentiable, options) in ELEMENTWISE.items():
        for shape in [(5, 7), (2, 3, 40)]:
            yield Row(
                name=f"loss-{kind}-{'x'.join(map(str, shape))}",
                run=lambda t, p, k=kind, o=options: losses.sum_and_count(k, t, p, **o),
                reference=lambda t, p, r=reference: (r(t, p).sum(), np.array(float(r(t, p).size))),
                inputs=lambda rng, la=labels, pr=predictions, s=shape: (la(rng, s), pr(rng, s)),
                differentiable=differentiable,
                rtol=3e-6,
                gradient_atol=3e-5 if kind == "percentage" else 1e-5,
                gradient_rtol=5e-6,
            )
        yield Row(
            name=f"loss-{kind}-weighted-mean",
            run=lambda t, p, w, k=kind, o=options: losses.mean(k, t, p, sample_weight=w, **o),
            reference=lambda t, p, w, r=reference: (r(t, p) * w[:, None]).mean(),
            inputs=lambda rng, la=labels, pr=predictions: (la(rng, (4, 3, 6)), pr(rng, (4, 3, 6)), _positive(rng, 4)),
            differentiable=differentiable,
            rtol=3e-6,
            gradient_rtol=5e-6,
        )
        yield Row(
            name=f"loss-{kind}-each",
            run=lambda t, p, k=kind, o=options: losses.each(k, t, p, **o),
            reference=reference,
            inputs=lambda rng, la=labels, pr=predictions: (la(rng, (3, 2, 9)), pr(rng, (3, 2, 9))),
            differentiable=differentiable,
            rtol=5e-6,
            gradient_rtol=5e-6,
            gradient_atol=3e-5 if kind == "percentage" else 1e-5,
        )
    # more elements than one chunk takes, as rows of one and as long rows; weights force the path that walks rows
    for shape in [(40000, 1), (3, 20000)]:
        for weighted in (False, True):
            yield Row(
                name=f"squared-error-{shape[0]}x{shape[1]}-{'weighted' if weighted else 'flat'}",
                run=lambda t, p, w=None: ops.squared_error(t, p, sample_weight=w),
                reference=lambda t, p, w=None: (
                    (((p - t) ** 2).mean(-1) * (1 if w is None else w)).sum(),
                    np.array(float(len(p))),
                ),
                inputs=lambda rng, s=shape, w=weighted: (
                    _normal(rng, s),
                    _normal(rng, s),
                    *((_positive(rng, s[0]),) if w else ()),
                ),
                differentiable=(1,),
            )
    for batch, classes in [(1, 1), (5, 10), (32, 10), (33, 17), (700, 33), (3, 1000)]:
        yield Row(
            name=f"sparse-softmax-cross-entropy-{batch}x{classes}",
            run=lambda y, x: ops.softmax_cross_entropy(y, x, sparse=True),
            reference=lambda y, x: (_softmax(_one_hot(y, x.shape[-1]), x).sum(), np.array(float(len(x)))),
            inputs=lambda rng, b=batch, c=classes: (rng.integers(0, c, b), 3 * _normal(rng, (b, c))),
            differentiable=(1,),
        )
    for dtype in (np.int32, np.int64, np.uint8, np.int8, np.uint16, np.float64):
        yield Row(
            name=f"sparse-softmax-cross-entropy-labels-{np.dtype(dtype).name}",
            run=lambda y, x: ops.softmax_cross_entropy(y, x, sparse=True),
            reference=lambda y, x: (_softmax(_one_hot(y, 5), x).sum(), np.array(6.0)),
            inputs=lambda rng, d=dtype: (rng.integers(0, 5, 6).astype(d), _normal(rng, (6, 5))),
            differentiable=(1,),
        )
    yield Row(
        name="sparse-categorical-cross-entropy",
        run=lambda y, p: ops.categorical_cross_entropy(y, p, sparse=True),
        reference=lambda y, p: (_categorical(_one_hot(y, 5), p).sum(), np.array(6.0)),
        inputs=lambda rng: (rng.integers(0, 5, 6), _positive(rng, (6, 5))),
        differentiable=(1,),
        gradient_rtol=5e-6,
    )
    yield Row(
        name="softmax-cross-entropy-smoothed",
        run=lambda t, x: ops.softmax_cross_entropy(t, x, sparse=False, label_smoothing=0.1),
        reference=lambda t, x: (_softmax(0.9 * t + 0.1 / 5, x).sum(), np.array(6.0)),
        inputs=lambda rng: (_one_hot(rng.integers(0, 5, 6), 5), _normal(rng, (6, 5))),
        differentiable=(1,),
    )
    yield Row(
        name="sigmoid-cross-entropy-smoothed",
        run=lambda t, x: ops.sigmoid_cross_entropy(t, x, label_smoothing=0.2),
        reference=lambda t, x: (_sigmoid(0.8 * t + 0.1, x).sum(), np.array(6.0)),
        inputs=lambda rng: (rng.integers(0, 2, (6, 1)), _normal(rng, (6, 1))),
        differentiable=(1,),
    )
    mask = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], bool)
    yield Row(
        name="sparse-softmax-cross-entropy-masked",
        run=lambda y, x, m: losses.sum_and_count("softmax_cross_entropy", y, x, sparse=True, mask=m),
        reference=lambda y, x, m: ((_softmax(_one_hot(y, 7), x) * m).sum(), np.array(6.0)),
        inputs=lambda rng: (rng.integers(0, 7, (4, 3)), _normal(rng, (4, 3, 7)), mask),
        differentiable=(1,),
    )
    yield Row(
        name="squared-error-masked-mean",
        run=lambda t, p, m: losses.mean("squared", t, p, mask=m),
        reference=lambda t, p, m: (((p - t) ** 2).mean(-1) * m).sum() / m.sum(),
        inputs=lambda rng: (_normal(rng, (4, 3, 2)), _normal(rng, (4, 3, 2)), mask),
        differentiable=(0, 1),
    )
    yield Row(
        name="sparse-softmax-cross-entropy-ignored-class",
        run=lambda y, x: losses.mean("softmax_cross_entropy", y, x, sparse=True, ignore_class=-1),
        reference=lambda y, x: _softmax(_one_hot(np.maximum(y, 0), 4), x)[y >= 0].mean(),
        inputs=lambda rng: (np.array([0, -1, 3, 2, -1, 1]), _normal(rng, (6, 4))),
        differentiable=(1,),
    )


ROWS = list(_rows())
