"""Rows of the convolution family: every path at its block edges and one beside."""

import itertools

import numpy as np

from dlbd import ops

from .row import Row


def per_axis(value, rank):
    return tuple(value) if isinstance(value, tuple) else (value,) * rank


def pads(size, kernel, stride, dilation, padding):
    """(output size, zeros before, zeros after)"""
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return (size - reach) // stride + 1, 0, 0
    out = -(-size // stride)
    total = max((out - 1) * stride + reach - size, 0)
    return out, total // 2, total - total // 2


def reference_conv(x, w, b=None, strides=1, padding="valid", dilation=1, groups=1, activation=None):
    rank = x.ndim - 2
    strides, dilation = per_axis(strides, rank), per_axis(dilation, rank)
    sizes = [pads(x.shape[1 + i], w.shape[i], strides[i], dilation[i], padding) for i in range(rank)]
    around = [(before, after + s) for (_, before, after), s in zip(sizes, strides, strict=True)]
    x = np.pad(x, [(0, 0), *around, (0, 0)])
    cg, kg = x.shape[-1] // groups, w.shape[-1] // groups
    y = np.zeros((x.shape[0], *[out for out, _, _ in sizes], w.shape[-1]))
    for tap in itertools.product(*[range(k) for k in w.shape[:rank]]):
        cut = tuple(
            slice(t * d, t * d + (out - 1) * s + 1, s) if out else slice(0, 0)
            for t, d, s, (out, _, _) in zip(tap, dilation, strides, sizes, strict=False)
        )
        part = x[(slice(None), *cut)]
        for g in range(groups):
            y[..., g * kg : (g + 1) * kg] += part[..., g * cg : (g + 1) * cg] @ w[tap][:, g * kg : (g + 1) * kg]
    if b is not None:
        y = y + b
    return np.maximum(y, 0) if activation == "relu" else np.tanh(y) if activation == "tanh" else y


def reference_conv_transpose(x, w, b=None, strides=1, padding="valid", output_padding=None, dilation=1):
    """Spread every input pixel over what it reaches, then crop or fill up, as Keras does."""
    rank = x.ndim - 2
    strides, dilation = per_axis(strides, rank), per_axis(dilation, rank)
    extra = (None,) * rank if output_padding is None else per_axis(output_padding, rank)
    reach = [(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=False)]
    sizes, crops = [], []
    for n, s, r, e in zip(x.shape[1:-1], strides, reach, extra, strict=False):
        if padding == "valid":
            sizes.append((n - 1) * s + (max(r, s) if e is None else r + e))
            crops.append(0)
        else:
            sizes.append(n * s if e is None else (n - 1) * s + r % 2 + e)
            total = s + r - 2 if e is None else r + r % 2 - 2 + e
            crops.append(r - 1 - min(total // 2 + total % 2, r - 1))
    full = [(n - 1) * s + r for n, s, r in zip(x.shape[1:-1], strides, reach, strict=False)]
    full = [max(f, c + size) for f, c, size in zip(full, crops, sizes, strict=False)]
    y = np.zeros((x.shape[0], *full, w.shape[-2]))
    for tap in itertools.product(*[range(k) for k in w.shape[:rank]]):
        cut = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, x.shape[1:-1], strides, strict=True)
        )
        y[(slice(None), *cut)] += x @ w[tap].T
    y = y[(slice(None), *[slice(c, c + size) for c, size in zip(crops, sizes, strict=False)])]
    return y if b is None else y + b


def conv_row(name, x, kernel, path, bias=False, activation=None, **arguments):
    """x and kernel are shapes."""
    keywords = {("dilation_rate" if k == "dilation" else k): v for k, v in arguments.items()}

    def inputs(rng):
        made = rng.standard_normal(x), rng.standard_normal(kernel)
        return (*made, rng.standard_normal(kernel[-1])) if bias else made

    return Row(
        name=f"conv-{path}-{name}",
        run=lambda x, w, b=None: ops.conv(x, w, bias=b, activation=activation, **keywords),
        reference=lambda x, w, b=None: reference_conv(x, w, b, activation=activation, **arguments),
        inputs=inputs,
        differentiable=(0, 1, 2) if bias else (0, 1),
        path=("conv", path),
        multilinear=activation is None and not bias,
        rtol=1e-5,
        atol=3e-5,
        gradient_rtol=1e-5,
        gradient_atol=1e-4,
    )


def transpose_row(name, x, kernel, path, bias=False, **arguments):
    keywords = {("dilation_rate" if k == "dilation" else k): v for k, v in arguments.items()}

    def inputs(rng):
        made = rng.standard_normal(x), rng.standard_normal(kernel)
        return (*made, rng.standard_normal(kernel[-2])) if bias else made

    return Row(
        name=f"conv_transpose-{path}-{name}",
        run=lambda x, w, b=None: ops.conv_transpose(x, w, bias=b, **keywords),
        reference=lambda x, w, b=None: reference_conv_transpose(x, w, b, **arguments),
        inputs=inputs,
        differentiable=(0, 1, 2) if bias else (0, 1),
        path=("conv", path),
        multilinear=not bias,
        rtol=1e-5,
        atol=3e-5,
        gradient_rtol=1e-5,
        gradient_atol=1e-4,
    )


def reference_depthwise(x, w, b=None, **arguments):
    """each channel by itself, its results side by side"""
    parts = [reference_conv(x[..., c : c + 1], w[..., c : c + 1, :], **arguments) for c in range(x.shape[-1])]
    y = np.concatenate(parts, axis=-1)
    return y if b is None else y + b


def depthwise_row(name, x, kernel, **arguments):
    keywords = {("dilation_rate" if k == "dilation" else k): v for k, v in arguments.items()}
    return Row(
        name=f"depthwise_conv-{name}",
        run=lambda x, w, b: ops.depthwise_conv(x, w, bias=b, activation="tanh", **keywords),
        reference=lambda x, w, b: np.tanh(reference_depthwise(x, w, b, **arguments)),
        inputs=lambda rng: (*map(rng.standard_normal, (x, kernel)), rng.standard_normal(kernel[-2] * kernel[-1])),
        differentiable=(0, 1, 2),
        rtol=1e-5,
        atol=3e-5,
        gradient_rtol=1e-5,
        gradient_atol=1e-4,
    )


def separable_row(name, x, depthwise, pointwise, **arguments):
    shapes = x, depthwise, pointwise, pointwise[-1:]
    return Row(
        name=f"separable_conv-{name}",
        run=lambda x, w, v, b: ops.separable_conv(x, w, v, bias=b, **arguments),
        reference=lambda x, w, v, b: reference_conv(reference_depthwise(x, w, **arguments), v, b),
        inputs=lambda rng: tuple(map(rng.standard_normal, shapes)),
        differentiable=(0, 1, 2, 3),
        rtol=1e-5,
        atol=3e-5,
        gradient_rtol=1e-5,
        gradient_atol=1e-4,
    )


# name, x, kernel, arguments: what any path must get right
GENERAL = [
    ("3x3", (2, 7, 6, 3), (3, 3, 3, 5), {}),
    ("same", (2, 5, 7, 3), (3, 3, 3, 17), {"padding": "same"}),
    ("same-even", (1, 6, 5, 5), (2, 4, 5, 3), {"padding": "same"}),
    ("stride", (2, 9, 8, 3), (3, 2, 3, 4), {"strides": (2, 3)}),
    ("stride-same", (1, 9, 10, 2), (3, 5, 2, 16), {"strides": (2, 3), "padding": "same"}),
    ("stride-over-kernel", (2, 10, 9, 3), (2, 1, 3, 5), {"strides": (4, 3)}),
    ("stride-over-kernel-same", (1, 8, 7, 1), (2, 2, 1, 3), {"strides": (3, 4), "padding": "same"}),
    ("dilation", (1, 9, 8, 3), (3, 3, 3, 4), {"dilation": (2, 3)}),
    ("dilation-same", (1, 6, 7, 2), (3, 2, 2, 5), {"dilation": (3, 2), "padding": "same"}),
    ("dilation-stride", (1, 11, 10, 2), (3, 2, 2, 3), {"dilation": (2, 3), "strides": (2, 3)}),
    ("kernel-over-input-same", (1, 2, 3, 2), (5, 7, 2, 3), {"padding": "same"}),
    ("whole-input", (2, 4, 5, 3), (4, 5, 3, 6), {}),
    ("1x1", (2, 3, 5, 4), (1, 1, 4, 7), {}),
    ("1x1-stride", (2, 5, 5, 4), (1, 1, 4, 7), {"strides": 2}),
    ("one-pixel", (1, 1, 1, 1), (1, 1, 1, 1), {}),
    ("1d", (2, 9, 3), (3, 3, 5), {"strides": 2, "padding": "same"}),
    ("1d-causal-size", (1, 17, 1), (5, 1, 33), {}),
    ("3d", (1, 4, 5, 6, 2), (2, 3, 2, 2, 5), {"strides": (1, 2, 1), "padding": "same"}),
    ("3d-valid", (2, 3, 4, 4, 3), (2, 2, 3, 3, 3), {"dilation": (1, 2, 1)}),
]
GROUPED = [
    ("groups", (2, 5, 6, 6), (3, 3, 3, 4), {"groups": 2}),
    ("groups-wide", (1, 4, 4, 34), (2, 2, 17, 66), {"groups": 2, "padding": "same"}),
    ("groups-stride", (1, 7, 7, 9), (3, 3, 3, 6), {"groups": 3, "strides": 2, "padding": "same"}),
    ("groups-of-one", (2, 5, 5, 5), (3, 3, 1, 5), {"groups": 5}),
    ("groups-multiplier", (1, 5, 4, 3), (2, 3, 1, 6), {"groups": 3, "padding": "same"}),
]


def _rows():
    for path in ("generic", "tiled"):
        for name, x, kernel, arguments in GENERAL + GROUPED:
            yield conv_row(name, x, kernel, path, **arguments)
        yield conv_row("bias", (2, 6, 5, 3), (3, 3, 3, 17), path, bias=True)
        yield conv_row("bias-relu", (2, 6, 5, 3), (3, 3, 3, 32), path, bias=True, activation="relu")
        yield conv_row("tanh", (2, 6, 5, 3), (3, 3, 3, 33), path, activation="tanh")
        yield conv_row("empty-batch", (0, 6, 5, 3), (3, 3, 3, 4), "generic" if path == "generic" else "auto")
    for name, x, kernel, arguments in GENERAL:
        if len(x) < 5:
            yield conv_row(name, x, kernel, "direct", **arguments)
    for channels, filters in [(1, 1), (1, 32), (3, 15), (5, 16), (17, 31), (16, 32), (33, 33), (2, 64), (31, 65)]:
        yield conv_row(f"{channels}-to-{filters}", (1, 4, 5, channels), (2, 2, channels, filters), "direct")
    for width in (4, 5, 6, 7, 13, 14, 15, 29):
        yield conv_row(f"width-{width}", (1, 3, width, 2), (3, 3, 2, 3), "direct", padding="same")
    yield conv_row("bands", (2, 40, 30, 5), (3, 3, 5, 17), "direct", padding="same")
    yield conv_row("many-panels", (3, 34, 33, 4), (3, 3, 4, 100), "direct")
    yield conv_row("splits", (1, 3, 9, 64), (3, 3, 64, 20), "direct")
    yield transpose_row("one-channel", (3, 7, 6, 33), (4, 4, 1, 33), "direct", strides=2, padding="same", bias=True)
    yield transpose_row("three-channels", (1, 30, 9, 16), (5, 5, 3, 16), "direct", strides=2, padding="same")
    yield transpose_row("panels", (2, 15, 4, 3), (7, 7, 3, 3), "direct", strides=2)
    yield transpose_row("many-images", (40, 3, 4, 5), (3, 3, 2, 5), "direct")
    yield conv_row("large", (1, 3, 5, 300), (3, 3, 300, 400), "direct", padding="same")
    yield conv_row("bias", (2, 6, 5, 3), (3, 3, 3, 17), "direct", bias=True)
    yield conv_row("bias-relu", (2, 16, 15, 3), (3, 3, 3, 32), "direct", bias=True, activation="relu")
    yield conv_row("bias-relu-odd", (2, 16, 15, 3), (3, 3, 3, 33), "direct", bias=True, activation="relu")
    yield conv_row("tanh", (2, 6, 5, 3), (3, 3, 3, 33), "direct", activation="tanh")
    # the register tile holds 4, 6 or 14 rows of one or two vectors of 4, 8 or 16: its edges, and one beside
    for channels, filters in [(1, 1), (3, 15), (5, 16), (17, 31), (16, 32), (33, 33), (32, 64), (31, 65)]:
        yield conv_row(f"{channels}-to-{filters}", (1, 4, 5, channels), (2, 2, channels, filters), "tiled")
    for width in (4, 5, 6, 7, 13, 14, 15, 29):
        yield conv_row(f"width-{width}", (1, 3, width, 2), (3, 3, 2, 3), "tiled", padding="same")
    yield conv_row("two-pieces-of-depth", (1, 4, 5, 300), (3, 3, 300, 18), "tiled", padding="same")
    yield conv_row("ranges", (3, 26, 27, 2), (3, 3, 2, 5), "tiled")
    yield conv_row("many-panels", (1, 34, 33, 4), (3, 3, 4, 100), "tiled")
    yield conv_row("images", (17, 3, 3, 4), (3, 3, 4, 20), "tiled", padding="same")
    yield conv_row("heavy", (3, 6, 5, 260), (3, 3, 260, 130), "tiled", padding="same")
    yield conv_row("wide-input", (1, 5, 5, 70), (3, 3, 70, 3), "tiled")
    for name, x, kernel in [
        ("odd", (2, 3, 5, 5), (1, 1, 5, 17)),
        ("even", (1, 4, 7, 32), (1, 1, 32, 64)),
        ("long", (1, 5, 5, 1300), (1, 1, 1300, 3)),
        ("1d", (2, 31, 3), (1, 3, 33)),
    ]:
        yield conv_row(name, x, kernel, "pointwise")
    yield conv_row("bias-relu", (1, 4, 7, 31), (1, 1, 31, 48), "pointwise", bias=True, activation="relu")
    yield conv_row("groups", (1, 4, 7, 6), (1, 1, 3, 10), "pointwise", groups=2)
    for name, x, arguments in [
        ("plain", (2, 5, 12, 5), {}),
        ("one-vector", (2, 6, 19, 16), {"padding": "same"}),
        ("odd", (2, 7, 20, 33), {"padding": "same", "strides": 2}),
        ("dilated", (1, 9, 21, 17), {"dilation": (2, 3), "padding": "same"}),
        ("stride-over-kernel", (1, 9, 41, 32), {"strides": (4, 5)}),
        ("narrow", (1, 2, 2, 48), {"padding": "same"}),
        ("1d", (2, 23, 16), {"padding": "same"}),
        ("3d", (1, 3, 4, 11, 18), {"padding": "same", "strides": (1, 2, 1)}),
    ]:
        kernel = (*(3,) * (len(x) - 2), 1, x[-1])
        yield conv_row(name, x, kernel, "depthwise", groups=x[-1], **arguments)
    yield conv_row("relu", (2, 7, 20, 33), (3, 4, 1, 33), "depthwise", bias=True, activation="relu", groups=33)
    for path in ("generic", "tiled", "direct"):
        for padding in ("valid", "same"):
            for k, s in [(3, 2), (4, 2), (2, 3), (5, 1), (1, 2), (1, 1)]:
                yield transpose_row(
                    f"{padding}-{k}-by-{s}", (2, 3, 4, 3), (k, k, 2, 3), path, strides=s, padding=padding
                )
            yield transpose_row(
                f"{padding}-output_padding",
                (1, 3, 4, 5),
                (3, 4, 17, 5),
                path,
                strides=(3, 2),
                padding=padding,
                output_padding=(2, 1),
            )
            yield transpose_row(f"{padding}-dilation", (1, 4, 3, 2), (3, 2, 3, 2), path, dilation=2, padding=padding)
        yield transpose_row("bias", (2, 3, 4, 3), (3, 3, 33, 3), path, bias=True, strides=2, padding="same")
        yield transpose_row("1d", (2, 5, 3), (4, 2, 3), path, strides=2)
        if path == "direct":
            continue
        yield transpose_row("3d", (1, 2, 3, 2, 3), (3, 2, 2, 4, 3), path, strides=2, padding="same")
    yield depthwise_row("1d", (2, 9, 5), (3, 5, 2), strides=2, padding="same")
    yield depthwise_row("2d", (2, 5, 6, 3), (3, 2, 3, 1), dilation=2, padding="same")
    yield depthwise_row("2d-multiplier", (1, 5, 6, 3), (2, 3, 3, 4))
    yield depthwise_row("3d", (1, 3, 4, 4, 2), (2, 2, 3, 2, 2))
    yield separable_row("1d", (2, 9, 3), (3, 3, 2), (1, 6, 5), padding="same")
    yield separable_row("2d", (2, 7, 6, 3), (3, 2, 3, 1), (1, 1, 3, 4), strides=2)
    yield transpose_row("1x1", (2, 3, 4, 5), (1, 1, 18, 5), "pointwise", bias=True)


ROWS = list({row.name: row for row in _rows()}.values())
