"""Every layer as ONNX: the same numbers in ONNX Runtime, or an error that names the layer and the reason."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .onnx_layers import BASES, CASES, REFUSED, WORDS
from .onnx_models import assert_same, model_of, randomized


def named(table):
    return [pytest.param(c, id=f"{kind.__name__}-{i}") for kind, cases in table.items() for i, c in enumerate(cases)]


def drawn(rng, shape, dtype):
    if dtype == "string":
        return rng.choice([*WORDS, "unknown", ""], shape)
    if dtype == "float32":
        return rng.standard_normal(shape).astype(np.float32)
    return rng.integers(0, 5, shape).astype(dtype)


def built(c, shapes):
    layer = c.make()
    inputs = [dlbd.Input(shape, dtype=c.dtype, name=f"x{i}") for i, shape in enumerate(shapes)]
    return randomized(model_of(lambda *x: layer(*x) if c.call is None else c.call(layer, *x), *inputs))


@pytest.mark.parametrize("c", named(CASES))
def test_layer(c):
    """With all sizes declared, and with open ones in several sizes at run time."""
    rng = np.random.default_rng(0)
    for shapes in (c.shapes, c.open):
        if not shapes:
            continue
        lengths = [0] if shapes is c.shapes else [0, 2]
        batches = [
            [drawn(rng, (b, *(n + more if o is None else n for n, o in zip(shape, wanted, strict=True))), c.dtype)
             for shape, wanted in zip(c.shapes, shapes, strict=True)]
            for more in lengths
            for b in (1, 3)
        ]  # fmt: skip
        assert_same(built(c, shapes), *(b if len(b) > 1 else b[0] for b in batches))


@pytest.mark.parametrize(("make", "of", "reason"), [r for rows in REFUSED.values() for r in rows])
def test_what_onnx_cannot_say(make, of, reason, tmp_path):
    layer = make()
    x = dlbd.Input(of[0], dtype=of[1])
    model = dlbd.Model(x, layer(x))
    with pytest.raises(ValueError, match=rf"cannot be exported to ONNX: layer '{layer.name}'.*{reason}"):
        model.export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_every_layer_has_a_row():
    kinds = {
        v for name in layers.__all__ if inspect.isclass(v := getattr(layers, name)) and issubclass(v, layers.Layer)
    }
    assert kinds - BASES == CASES.keys() | REFUSED.keys()
