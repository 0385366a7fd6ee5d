"""Rows of batch and layer normalization."""

import numpy as np

from dlbd import Variable, ops

from .row import Row

EPSILON = 1e-3


def normalized(x, axes, gamma, beta, shape):
    """``shape``: of gamma and beta, so that they broadcast."""
    if x.size == 0:
        return x
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    y = (x - mean) / np.sqrt(variance + EPSILON)
    y = y if gamma is None else y * gamma.reshape(shape)
    return y if beta is None else y + beta.reshape(shape)


def _layer_norm(sizes, axis=-1, **kinds):
    axes = tuple(a % len(sizes) for a in (axis if isinstance(axis, tuple) else (axis,)))
    of = tuple(sizes[a] for a in sorted(axes))
    scale, center = kinds.get("scale", True), kinds.get("center", True)
    shift, spread = kinds.get("shift", 0.0), kinds.get("spread", 1.0)
    return {
        "run": lambda x, gamma, beta: ops.layer_normalization(x, gamma, beta, axis=axis, epsilon=EPSILON),
        "reference": lambda x, gamma, beta: normalized(
            x, axes, gamma, beta, tuple(n if i in axes else 1 for i, n in enumerate(sizes))
        ),
        "inputs": lambda rng: (
            shift + spread * rng.standard_normal(sizes),
            rng.standard_normal(of) if scale else None,
            rng.standard_normal(of) if center else None,
        ),
        "differentiable": (0, *([1] if scale else []), *([2] if center else [])),
        "rtol": 1e-5,
        "atol": 2e-5,
        "gradient_rtol": 1e-5,
        "gradient_atol": kinds.get("gradient_atol", 5e-5),
    }


def _batch_norm(sizes, axis=-1, training=True, **kinds):
    axis %= len(sizes)
    channels = sizes[axis]
    others = tuple(i for i in range(len(sizes)) if i != axis)
    shape = tuple(channels if i == axis else 1 for i in range(len(sizes)))
    scale, center = kinds.get("scale", True), kinds.get("center", True)
    rng = np.random.default_rng(5)
    mean, variance = rng.standard_normal(channels), rng.uniform(0.5, 2, channels)

    def run(x, gamma, beta):
        dtype = np.dtype(x.dtype.type)  # native byte order
        moving = [Variable(m, trainable=False, dtype=dtype) for m in (mean, variance)]
        return ops.batch_normalization(x, gamma, beta, *moving, axis=axis, epsilon=EPSILON, training=training)

    def reference(x, gamma, beta):
        if training:
            return normalized(x, others, gamma, beta, shape)
        y = (x - mean.reshape(shape)) / np.sqrt(variance.reshape(shape) + EPSILON)
        y = y if gamma is None else y * gamma.reshape(shape)
        return y if beta is None else y + beta.reshape(shape)

    return {
        "run": run,
        "reference": reference,
        "inputs": lambda rng: (
            rng.standard_normal(sizes),
            rng.standard_normal(channels) if scale else None,
            rng.standard_normal(channels) if center else None,
        ),
        "differentiable": (0, *([1] if scale else []), *([2] if center else [])),
        "path": ("batch_norm", kinds["path"]),
        "rtol": 1e-5,
        "atol": 2e-5,
        "gradient_rtol": 1e-5,
        "gradient_atol": kinds.get("gradient_atol", 5e-5),
    }


def _rows():
    for n in (1, 2, 7, 8, 15, 16, 17, 33, 64, 67, 300, 1000, 4100, 9001, 17000):
        yield Row(name=f"layer_norm-5x{n}", **_layer_norm((5, n)))
    yield Row(name="layer_norm-3d", **_layer_norm((3, 4, 10)))
    yield Row(name="layer_norm-two-axes", **_layer_norm((3, 4, 10), axis=(-2, -1)))
    yield Row(name="layer_norm-first-axis", **_layer_norm((7, 4, 10), axis=0))
    yield Row(name="layer_norm-axes-apart", **_layer_norm((3, 4, 10, 2), axis=(3, 1)))
    yield Row(name="layer_norm-whole-array", **_layer_norm((4, 6), axis=(0, 1)))
    yield Row(name="layer_norm-gamma-only", **_layer_norm((6, 20), center=False))
    yield Row(name="layer_norm-beta-only", **_layer_norm((6, 20), scale=False))
    yield Row(name="layer_norm-plain", **_layer_norm((6, 20), scale=False, center=False))
    # several chunks of rows in the sums of dgamma and dbeta, and a last one that is not full
    yield Row(name="layer_norm-chunks", **_layer_norm((1100, 40), gradient_atol=2e-4))
    yield Row(name="layer_norm-no-rows", **_layer_norm((0, 5)))
    yield Row(name="layer_norm-no-columns", **_layer_norm((5, 0), scale=False, center=False))

    for training in (True, False):
        mode = "training" if training else "inference"
        for channels in (2, 3, 8, 16, 17, 31, 33, 64, 100, 130):
            yield Row(
                name=f"batch_norm-{mode}-9x{channels}", **_batch_norm((9, channels), training=training, path="channels")
            )
        for sizes in [(4, 5, 6, 3), (300, 70), (2, 100, 100, 20)]:
            name = "x".join(map(str, sizes))
            yield Row(
                name=f"batch_norm-{mode}-{name}",
                **_batch_norm(sizes, training=training, path="channels", gradient_atol=5e-4),
            )
        for sizes, axis in [
            ((9, 1), -1),
            ((9, 5), 1),
            ((3, 4, 5), 1),
            ((2, 3, 7, 9), 1),
            ((4, 90), 0),
            ((20000, 1), -1),
        ]:
            name = "x".join(map(str, sizes))
            yield Row(
                name=f"batch_norm-{mode}-planes-{name}-axis{axis}",
                **_batch_norm(sizes, axis, training, path="planes", gradient_atol=5e-4),
            )
        for parameters in ({"scale": False}, {"center": False}, {"scale": False, "center": False}):
            yield Row(
                name=f"batch_norm-{mode}-without-{'-'.join(parameters)}",
                **_batch_norm((12, 6), training=training, path="channels", **parameters),
            )
    for path in ("channels", "planes"):
        yield Row(name=f"batch_norm-inference-empty-{path}", **_batch_norm((0, 6), training=False, path=path))


ROWS = list(_rows())
