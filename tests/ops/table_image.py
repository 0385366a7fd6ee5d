"""Rows of the images: resize by its definition, one matrix for each axis."""

import numpy as np

from dlbd import ops

from .row import Row

KERNELS = {
    "bilinear": lambda d: np.maximum(1 - d, 0),
    "bicubic": lambda d: np.select(
        [d < 1, d < 2], [1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2], 0.0
    ),
    "lanczos3": lambda d: np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0.0),
    "lanczos5": lambda d: np.where(d < 5, np.sinc(d) * np.sinc(d / 5), 0.0),
}


def resize_matrix(n, m, interpolation, antialias):
    """(m, n): what each of n inputs counts for each of m outputs"""
    centers = (np.arange(m) + 0.5) * n / m
    if interpolation == "nearest":
        return (np.floor(centers)[:, None] == np.arange(n)).astype(float)
    distance = np.abs(centers[:, None] - (np.arange(n) + 0.5))
    weights = KERNELS[interpolation](distance / (max(n / m, 1) if antialias else 1))
    return weights / weights.sum(axis=1, keepdims=True)


def reference_resize(x, size, interpolation="bilinear", antialias=False):
    for axis, m in ((-3, size[0]), (-2, size[1])):
        if x.shape[axis] != m:
            matrix = resize_matrix(x.shape[axis], m, interpolation, antialias)
            x = np.moveaxis(np.tensordot(matrix, x, (1, axis % x.ndim)), 0, axis)
    return x


def resize_row(x, size, interpolation, antialias=False):
    return Row(
        name=f"resize-{interpolation}-{x}-{size}{'-antialias' if antialias else ''}",
        run=lambda x: ops.image.resize(x, size, interpolation, antialias),
        reference=lambda x: reference_resize(x, size, interpolation, antialias),
        inputs=lambda rng: (rng.standard_normal(x),),
        differentiable=(0,),
    )


def _rows():
    for interpolation in ("nearest", *KERNELS):
        for x, size in [
            ((2, 4, 5, 3), (8, 15)),
            ((2, 5, 7, 3), (3, 9)),
            ((6, 11, 2), (4, 3)),
            ((1, 1, 3, 1), (2, 1)),
            ((1, 5, 6, 2), (5, 6)),
        ]:
            yield resize_row(x, size, interpolation)
    for interpolation in KERNELS:
        yield resize_row((2, 9, 4, 3), (4, 7), interpolation, antialias=True)
    yield resize_row((0, 4, 4, 3), (2, 3), "bilinear")


ROWS = list(_rows())
