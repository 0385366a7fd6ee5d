"""The data that the seed documents leave undefined. ``--quick`` takes a few rows only."""

import sys

import numpy as np

QUICK = "--quick" in sys.argv


def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(train_images, train_labels), (test_images, test_labels): real 8x8 scans enlarged to 28x28x1, in [0, 1]."""
    from dlbd.datasets import load_digits

    images, labels = load_digits()
    images = np.pad(images.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))[..., None]
    order = np.random.default_rng(0).permutation(len(labels))
    images, labels = images[order], labels[order]
    last, stop = (128, 160) if QUICK else (1437, len(labels))
    return (images[:last], labels[:last]), (images[last:stop], labels[last:stop])


def sequences() -> tuple[np.ndarray, np.ndarray]:
    """Ten noisy sines of growing frequency over 50 steps; the label is the next value of the first."""
    rng = np.random.default_rng(0)
    count = 32 if QUICK else 320
    phase = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    frequency = np.linspace(0.1, 1.0, 10)
    time = np.arange(51)[None, :, None]
    waves = np.sin(frequency * time + phase) + 0.05 * rng.standard_normal((count, 51, 10))
    return waves[:, :50].astype(np.float32), waves[:, 50, :1].astype(np.float32)


def points() -> tuple[np.ndarray, np.ndarray]:
    """Points of the plane and whether they lie in a circle that holds about half of them."""
    x = np.random.default_rng(0).standard_normal((128 if QUICK else 2000, 2)).astype(np.float32)
    return x, (np.sum(x * x, axis=1) < 1.4).astype(np.int64)
