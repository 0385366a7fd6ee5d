"""Rows of images sampled at transformed places."""

import numpy as np

from dlbd import ops

from .row import Row


def pixel(i, n, fill_mode):
    """The pixel at place i of an axis without an end; None outside."""
    if fill_mode == "constant":
        return i if 0 <= i < n else None
    if fill_mode == "nearest":
        return min(max(i, 0), n - 1)
    if fill_mode == "wrap":
        return i % n
    return i % (2 * n) if i % (2 * n) < n else 2 * n - 1 - i % (2 * n)


def reference(x, m, interpolation, fill_mode, fill_value):
    batched = x if x.ndim == 4 else x[None]
    batch, height, width, channels = batched.shape
    m = np.broadcast_to(m, (batch, 8))
    y = np.empty_like(batched)

    def at(n, row, column):
        h, w = pixel(row, height, fill_mode), pixel(column, width, fill_mode)
        return np.full(channels, fill_value) if h is None or w is None else batched[n, h, w]

    for n, row, column in np.ndindex(batch, height, width):
        a0, a1, a2, b0, b1, b2, c0, c1 = m[n]
        k = c0 * column + c1 * row + 1
        across, down = (a0 * column + a1 * row + a2) / k, (b0 * column + b1 * row + b2) / k
        if interpolation == "nearest":
            y[n, row, column] = at(n, int(np.floor(down + 0.5)), int(np.floor(across + 0.5)))
            continue
        top, left = int(np.floor(down)), int(np.floor(across))
        v, u = down - top, across - left
        above = (1 - u) * at(n, top, left) + u * at(n, top, left + 1)
        below = (1 - u) * at(n, top + 1, left) + u * at(n, top + 1, left + 1)
        y[n, row, column] = (1 - v) * above + v * below
    return y.reshape(x.shape)


def transforms(rng, *outer):
    """Turned, stretched and shifted far enough that much lies outside; no place halfway between two pixels."""
    m = rng.uniform(-1.4, 1.4, (*outer, 8))
    m[..., [2, 5]] += 4
    m[..., 6:] *= 0.01
    return m


def row(name, shape, interpolation="bilinear", fill_mode="reflect", fill_value=0.0, single=False):
    def run(x, m):
        return ops.image.affine_transform(x, m, interpolation, fill_mode, fill_value)

    outer = () if single or len(shape) == 3 else shape[:1]
    return Row(
        name=f"affine-{name}",
        run=run,
        reference=lambda x, m: reference(x, m, interpolation, fill_mode, fill_value),
        inputs=lambda rng: (rng.standard_normal(shape), transforms(rng, *outer)),
        rtol=3e-5,  # a coordinate of 20 is off by 1e-6, in float32, and with it the weights
        atol=3e-5,
    )


ROWS = [
    *(
        row(f"{interpolation}-{mode}", (3, 7, 9, 3), interpolation, mode, 0.5)
        for interpolation in ("bilinear", "nearest")
        for mode in ("constant", "nearest", "reflect", "wrap")
    ),
    row("one-channel", (2, 20, 13, 1)),
    row("many-channels", (1, 4, 5, 37), fill_mode="wrap"),
    row("one-pixel", (2, 1, 1, 2)),
    row("one-row", (2, 1, 6, 2), fill_mode="constant"),
    row("one-image", (6, 5, 2)),
    row("one-transform", (3, 6, 5, 2), single=True),
    row("tasks", (2, 70, 90, 2)),
    row("empty", (0, 4, 4, 3)),
    row("no-rows", (2, 0, 4, 3)),
]
