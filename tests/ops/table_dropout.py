"""Rows of dropout. The reference draws the same mask with a Philox 4x32-10 written in NumPy."""

import numpy as np

from dlbd import ops

from .row import Row

MASK32 = np.uint64(0xFFFFFFFF)
SEED, POSITION = (123 << 32) + 45, (1 << 32) - 3  # the second word of the counter takes part


def philox(counter, key):
    """counter (N, 4), key (2,), both uint64 holding 32-bit words (Salmon et al. 2011)."""
    c = [counter[:, i].copy() for i in range(4)]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k[0], p1 & MASK32, (p0 >> np.uint64(32)) ^ c[3] ^ k[1], p0 & MASK32]
        k = [(k[0] + np.uint64(0x9E3779B9)) & MASK32, (k[1] + np.uint64(0xBB67AE85)) & MASK32]
    return np.stack(c, axis=1)


def numbers(count, seed, position):
    groups = -(-count // 64)
    block = np.uint64(position) + np.arange(16 * groups, dtype=np.uint64)
    counter = np.stack([block & MASK32, block >> np.uint64(32), 0 * block, 0 * block], axis=1)
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    return words.reshape(groups, 16, 4).transpose(0, 2, 1).reshape(-1)[:count]


def reference(x, rate, noise_shape=None):
    shape = x.shape if noise_shape is None else tuple(n or s for n, s in zip(noise_shape, x.shape, strict=True))
    kept = numbers(int(np.prod(shape)), SEED, POSITION).reshape(shape) >= np.uint64(rate * 2**32)
    return np.where(kept & (rate < 1), x / (1 - rate if rate < 1 else 1), 0)


def row(name, shape, rate, noise_shape=None):
    def run(x):
        return ops.dropout(x, rate, ops.convert_to_tensor(np.array([SEED, POSITION], np.int64)), noise_shape)

    return Row(
        name=f"dropout-{name}",
        run=run,
        reference=lambda x: reference(x, rate, noise_shape),
        inputs=lambda rng: (rng.standard_normal(shape),),
        differentiable=(0,),
    )


ROWS = [
    row("one", (1,), 0.5),
    row("63", (63,), 0.5),
    row("64", (8, 8), 0.2),
    row("65", (5, 13), 0.9),
    row("chunks", (3, 16411), 0.3),
    row("0-d", (), 0.5),
    row("nothing-dropped", (10,), 0.0),
    row("everything-dropped", (10,), 1.0),
    row("empty", (0, 3), 0.5),
    row("time", (5, 7, 6), 0.5, (5, 1, 6)),
    row("time-none", (5, 7, 6), 0.5, (None, 1, None)),
    row("rows", (50, 33), 0.5, (None, 1)),
    row("columns", (50, 33), 0.5, (1, None)),
    row("alternating", (4, 3, 5, 2), 0.5, (4, 1, 5, 1)),
    row("one-decision", (4, 5), 0.5, (1, 1)),
    row("empty-broadcast", (0, 3), 0.5, (1, 3)),
]
