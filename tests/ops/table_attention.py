"""Rows of attention."""

import numpy as np
import pytest

from dlbd import ops

from .row import Row

LARGE = 40_000  # products of a query and a key that the host emulation of a GPU computes in a second


def attention_reference(q, k, v, bias=None, mask=None, scale=None, is_causal=False):
    s = np.einsum("bihd,bjhd->bhij", q, k) * (1 / np.sqrt(max(1, q.shape[-1])) if scale is None else scale)
    s = s if bias is None else s + bias
    see = np.ones(s.shape, bool) if mask is None else np.broadcast_to(mask, s.shape)
    if is_causal:
        see = see & np.tril(np.ones(s.shape[-2:], bool))
    s = np.where(see, s, -np.inf)
    top = s.max(-1, keepdims=True, initial=-np.inf)
    e = np.exp(s - np.where(np.isneginf(top), 0, top))
    total = e.sum(-1, keepdims=True)
    return np.einsum("bhij,bjhd->bihd", e / np.where(total == 0, 1, total), v)


def _attention(b, tq, tk, h, d, dv=None, bias=None, mask=None, spread=1.0, **options):
    """``bias`` is a shape, ``mask`` a shape or a function of a generator."""

    def inputs(rng):
        q, k, v = (
            rng.standard_normal((b, tq, h, d)) * spread,
            rng.standard_normal((b, tk, h, d)) * spread,
            rng.standard_normal((b, tk, h, d if dv is None else dv)),
        )
        of_bias = None if bias is None else rng.standard_normal(bias)
        if mask is None:
            return q, k, v, of_bias, None
        return q, k, v, of_bias, mask(rng) if callable(mask) else rng.random(mask) < 0.6

    return {
        "run": lambda *x: ops.dot_product_attention(*x, **options),
        "reference": lambda *x: attention_reference(*x, **options),
        "inputs": inputs,
        "differentiable": (0, 1, 2) if bias is None else (0, 1, 2, 3),
        "rtol": 1e-5,
        "atol": 1e-5,
        "gradient_rtol": 1e-5,
        "gradient_atol": 5e-5,
        "marks": (pytest.mark.large,) if b * h * tq * tk > LARGE else (),
    }


def _padding(lengths, tk):
    return lambda rng: (np.arange(tk) < np.array(lengths)[:, None])[:, None, None, :]


def _blind_rows(rng):
    mask = rng.random((2, 1, 9, 40)) < 0.5
    mask[0, :, 2:5] = False
    mask[1] = False
    return mask


def _rows():
    for d in (1, 3, 8, 16, 17, 64, 80, 128):
        for causal in (False, True):
            yield Row(
                name=f"attention-d{d}{'-causal' if causal else ''}", **_attention(2, 19, 19, 2, d, is_causal=causal)
            )
    yield Row(name="attention-dv5-d12", **_attention(2, 21, 33, 3, 12, 5))
    yield Row(name="attention-dv33-d4", **_attention(2, 21, 33, 3, 4, 33))
    # one beside the edges of a register tile, a group, a block of queries, a block of keys (forward and backward)
    lengths = [(1, 1), (1, 50), (50, 1), (13, 31), (14, 32), (15, 33), (27, 47), (28, 48), (29, 49)]
    lengths += [(111, 223), (112, 224), (113, 225), (223, 255), (224, 256), (225, 257), (340, 530), (530, 340)]
    for tq, tk in lengths:
        for causal in (False, True):
            name = f"attention-{tq}x{tk}{'-causal' if causal else ''}"
            yield Row(name=name, **_attention(1, tq, tk, 2, 8, is_causal=causal))
    # every head its own task, with several blocks of queries and of keys
    for tq, tk, causal in [(113, 113, False), (113, 113, True), (113, 257, False), (260, 257, True)]:
        name = f"attention-many-heads-{tq}x{tk}{'-causal' if causal else ''}"
        yield Row(name=name, **_attention(8, tq, tk, 8, 2, is_causal=causal))
    for causal in (False, True):  # the least heads whose keys are one chunk of several blocks on the way back
        name = f"attention-one-chunk-300x480{'-causal' if causal else ''}"
        yield Row(name=name, **_attention(17, 300, 480, 1, 2, is_causal=causal))
    # the large tiles of a GPU, for 64 and 128 columns
    yield Row(name="attention-many-heads-66x70-d64", **_attention(17, 66, 70, 6, 64))
    yield Row(name="attention-many-heads-35x70-d128", **_attention(49, 35, 70, 2, 128))
    yield Row(name="attention-scale", **_attention(2, 9, 11, 2, 6, scale=0.7))
    yield Row(name="attention-scale-negative", **_attention(2, 9, 11, 2, 6, scale=-0.3))
    yield Row(
        name="attention-large-logits",
        **_attention(1, 40, 300, 2, 16, spread=10.0) | {"gradient_atol": 2e-2, "atol": 1e-3},
    )

    for shape in [(40,), (9, 40), (1, 9, 40), (2, 1, 9, 40), (2, 1, 1, 40), (3, 9, 1), (1, 3, 1, 1), (2, 3, 9, 40)]:
        name = "x".join(map(str, shape))
        yield Row(name=f"attention-mask-{name}", **_attention(2, 9, 40, 3, 5, mask=shape))
        yield Row(name=f"attention-mask-{name}-causal", **_attention(2, 9, 40, 3, 5, mask=shape, is_causal=True))
        yield Row(name=f"attention-bias-{name}", **_attention(2, 9, 40, 3, 5, bias=shape))
    yield Row(name="attention-bias-and-mask", **_attention(2, 30, 300, 2, 8, bias=(2, 30, 300), mask=(2, 1, 1, 300)))
    yield Row(
        name="attention-bias-and-mask-causal",
        **_attention(1, 280, 280, 1, 8, bias=(280, 280), mask=(280,), is_causal=True),
    )
    yield Row(name="attention-padded-keys", **_attention(3, 20, 300, 2, 8, mask=_padding([300, 256, 7], 300)))
    yield Row(name="attention-rows-that-see-nothing", **_attention(2, 9, 40, 2, 8, mask=_blind_rows))
    yield Row(name="attention-nothing-seen", **_attention(2, 9, 40, 2, 8, mask=lambda rng: np.zeros((1, 1), bool)))

    for name, sizes in {
        "batch": (0, 5, 6, 2, 3),
        "heads": (2, 5, 6, 0, 3),
        "queries": (2, 0, 6, 2, 3),
        "keys": (2, 5, 0, 2, 3),
        "depth": (2, 5, 6, 2, 0, 4),
        "value-depth": (2, 5, 6, 2, 3, 0),
    }.items():
        yield Row(name=f"attention-no-{name}", **_attention(*sizes))


ROWS = list(_rows())
