"""What the table cannot say of attention: extreme logits, NaN, integer masks, memory, bad input."""

import numpy as np
import pytest

from dlbd import GradientTape, Variable, ops

from ..arrays import tensor
from .table_attention import attention_reference


def _inputs(b=2, tq=9, tk=40, h=2, d=8, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (b, tq, h, d), (b, tk, h, d), (b, tk, h, d)
    return tuple(rng.standard_normal(s).astype(np.float32) for s in shapes)


def test_an_integer_mask_is_taken_by_what_is_not_zero():
    q, k, v = _inputs()
    mask = np.random.default_rng(1).integers(0, 3, (9, 40))
    wanted = ops.dot_product_attention(q, k, v, mask=mask != 0).numpy()
    np.testing.assert_array_equal(ops.dot_product_attention(q, k, v, mask=mask), wanted)
    with pytest.raises(TypeError, match=r"\[dot_product_attention\] mask must be boolean or integer; received float32"):
        ops.dot_product_attention(q, k, v, mask=mask.astype(np.float32))


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_huge_logits_choose_the_largest(scale):
    q, k, v = _inputs(tk=300)
    y = ops.dot_product_attention(q, k, v, scale=scale).numpy()
    best = np.einsum("bihd,bjhd->bihj", q.astype(np.float64), k).argmax(-1)
    wanted = np.stack([v[i, best[i, :, h], h] for i in range(2) for h in range(2)]).reshape(2, 2, 9, 8).swapaxes(1, 2)
    np.testing.assert_allclose(y, wanted, rtol=1e-5)


def test_a_bias_of_minus_infinity_is_a_mask():
    q, k, v = _inputs(tk=300)
    mask = np.random.default_rng(1).random((2, 1, 9, 300)) < 0.3
    mask[0, :, 2] = False
    bias = np.where(mask, 0, -np.inf).astype(np.float32)
    found = []
    for given in ({"mask": mask}, {"bias": bias}):
        tensors = [tensor(a) for a in (q, k, v)]
        with GradientTape() as tape:
            for t in tensors:
                tape.watch(t)
            y = ops.dot_product_attention(*tensors, **given)
        found.append([y.numpy(), *(g.numpy() for g in tape.gradient(y, tensors))])
    for a, b in zip(*found, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_reach_the_queries_that_see_them_and_no_others(value):
    q, k, v = _inputs(tk=300)
    k = np.abs(k)
    q = np.abs(q)
    q[0, 3, 1, 0] = value
    k[1, 290, 0, 2] = value
    mask = np.ones((2, 1, 9, 300), bool)
    mask[1, :, 4:, 290] = False
    with np.errstate(all="ignore"):
        wanted = attention_reference(q, k, v, mask=mask)
    found = ops.dot_product_attention(q, k, v, mask=mask).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert np.isnan(found).any()


@pytest.mark.large
def test_the_matrix_of_scores_is_never_made():
    resource = pytest.importorskip("resource")
    t = 12000  # its scores would take 576 MB
    q = tensor(np.ones((1, t, 1, 4), np.float32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    y = ops.dot_product_attention(q, q, q, is_causal=True)
    np.testing.assert_allclose(y, 1.0, rtol=1e-5)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


def test_shapes_that_do_not_fit():
    q, k, v = _inputs()
    for wrong in [(q[:1], k, v), (q, k[:, :5], v), (q[..., :4], k, v), (q[:, :, :1], k, v), (q[0], k[0], v[0])]:
        with pytest.raises(ValueError, match=r"\[dot_product_attention\] query .* do not fit; received"):
            ops.dot_product_attention(*wrong)
    with pytest.raises(ValueError, match=r"mask must broadcast to \(B, heads, Tq, Tk\) = \(2, 2, 9, 40\); received"):
        ops.dot_product_attention(q, k, v, mask=np.ones((2, 40), bool))
    with pytest.raises(ValueError, match=r"bias must broadcast to .* received \(1, 1, 1, 1, 1\)"):
        ops.dot_product_attention(q, k, v, bias=np.ones((1, 1, 1, 1, 1)))


@pytest.mark.parametrize("keys", [5, 600])
@pytest.mark.parametrize("same", ["qk", "qv", "kv", "qkv"])
def test_one_tensor_in_several_places_gathers_all_their_gradients(same, keys):
    values = {name: np.random.default_rng(0).standard_normal((1, keys, 2, 4)) for name in "qkv"}

    def gradients(variables):
        with GradientTape() as tape:
            y = ops.square(ops.dot_product_attention(*variables))
        return tape.gradient(y, variables)

    alone = dict(zip("qkv", gradients([Variable(v) for v in values.values()]), strict=True))
    shared = Variable(values["q"])
    variables = [shared if name in same else Variable(values[name]) for name in "qkv"]
    wanted = sum(np.asarray(alone[name]) for name in same)
    np.testing.assert_allclose(gradients(variables)["qkv".index(same[0])], wanted, rtol=1e-4, atol=1e-5)
