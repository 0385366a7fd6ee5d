import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, v, k, scale=1.0):
    return softmax(q @ k.swapaxes(-1, -2) * scale) @ v


def inputs(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def test_self_attention():
    check_layer(lambda: layers.Attention(), (2, 5, 3), (2, 5, 3), reference=lambda x: attend(x, x, x))


def test_one_element_list_is_self_attention():
    (x,) = inputs((2, 5, 3))
    layer = layers.Attention()
    np.testing.assert_array_equal(layer([x]), layer(x))
    np.testing.assert_allclose(layer([x]), layer([x, x]), rtol=1e-6)


def test_query_value_key():
    q, v, k = inputs((2, 5, 3), (2, 6, 4), (2, 6, 3))
    layer = layers.Attention()
    y = layer([q, v, k])
    np.testing.assert_allclose(y, attend(q, v, k), rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape([q.shape, v.shape, k.shape]) == y.shape


@pytest.mark.parametrize("mode", ["dot", "concat"])
def test_scale_and_scores(mode: str):
    q, v = inputs((2, 5, 3), (2, 6, 3))
    layer = layers.Attention(use_scale=True, score_mode=mode)
    layer.build([q.shape, v.shape])
    layer.set_weights([np.float32(0.7)] + ([np.float32(1.3)] if mode == "concat" else []))
    y, weights = layer([q, v], return_attention_scores=True)
    if mode == "dot":
        wanted = softmax(0.7 * q @ v.swapaxes(1, 2))
    else:
        wanted = softmax(1.3 * np.tanh(0.7 * (q[:, :, None] + v[:, None])).sum(-1))
    np.testing.assert_allclose(weights, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, wanted @ v, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer([q, v]), y, rtol=1e-5, atol=1e-6)


def test_masks():
    q, v = inputs((2, 3, 4), (2, 5, 4))
    value_mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    query_mask = np.array([[1, 1, 0], [1, 1, 1]], bool)
    layer = layers.Attention()
    y = np.array(layer([q, v], mask=[query_mask, value_mask]))
    wanted = np.stack([attend(q[0], v[0, :3], v[0, :3]), attend(q[1], v[1], v[1])])
    wanted[0, 2] = 0
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    unfused, _ = layer([q, v], mask=[query_mask, value_mask], return_attention_scores=True)
    np.testing.assert_allclose(unfused, wanted, rtol=1e-5, atol=1e-6)


def test_causal():
    (x,) = inputs((1, 4, 3))
    layer = layers.Attention()
    y = np.array(layer(x, use_causal_mask=True))
    for t in range(4):
        np.testing.assert_allclose(
            y[:, t : t + 1], attend(x[:, t : t + 1], x[:, : t + 1], x[:, : t + 1]), rtol=1e-5, atol=1e-6
        )
    unfused, _ = layer(x, use_causal_mask=True, return_attention_scores=True)
    np.testing.assert_allclose(unfused, y, rtol=1e-5, atol=1e-6)


def test_dropout_of_weights():
    check_layer(lambda: layers.Attention(dropout=0.5), (2, 5, 3), (2, 5, 3), random=True)


@pytest.mark.parametrize("shapes", [[(2, 5)], [(2, 5, 3)] * 4, [(2, 5, 3), (2, 6, 4)]])
def test_wrong_inputs_name_the_layer(shapes):
    with pytest.raises(ValueError, match="layer 'a'"):
        layers.Attention(name="a")(inputs(*shapes))


class SelfAttention(layers.Layer):
    """MultiHeadAttention of a sequence with itself, so that check_layer can call it."""

    supports_masking = True

    def __init__(self, heads=2, key_dim=3, options=None, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.key_dim, self.options = heads, key_dim, options
        self.attention = layers.MultiHeadAttention(heads, key_dim, **(options or {}))

    def build(self, input_shape):
        self.attention.build(input_shape)

    def call(self, x, training=False):
        return self.attention(x, x, training=training)

    def compute_output_shape(self, input_shape):
        return self.attention.compute_output_shape(input_shape)


def multi_head_reference(x, wq, bq, wk, bk, wv, bv, wo, bo):
    q, k, v = (np.einsum("btd,dhk->bhtk", x, w) + b[:, None] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    y = attend(q, v, k, 1 / np.sqrt(q.shape[-1]))
    return np.einsum("bhtk,hko->bto", y, wo) + bo


def test_multi_head_attention():
    shapes = [(6, 2, 3), (2, 3)] * 3 + [(2, 3, 6), (6,)]
    check_layer(lambda: SelfAttention(), (2, 5, 6), (2, 5, 6), weights=shapes, reference=multi_head_reference)


def test_multi_head_attention_sizes():
    shapes = [(6, 2, 3), (6, 2, 3), (6, 2, 4), (2, 4, 7)]
    options = {"value_dim": 4, "use_bias": False, "output_shape": 7}
    check_layer(lambda: SelfAttention(options=options), (2, 5, 6), (2, 5, 7), weights=shapes)


def test_multi_head_attention_scores_masks_and_key():
    q, v, k = inputs((2, 3, 6), (2, 5, 4), (2, 5, 7))
    layer = layers.MultiHeadAttention(2, 3)
    mask = np.tril(np.ones((3, 5), bool))[None].repeat(2, 0)
    y = layer(q, v, k, attention_mask=mask)
    unfused, weights = layer(q, v, k, attention_mask=mask, return_attention_scores=True)
    assert weights.shape == (2, 2, 3, 5)
    np.testing.assert_allclose(unfused, y, rtol=1e-5, atol=1e-6)
    assert not np.array(weights)[~np.broadcast_to(mask[:, None], weights.shape)].any()
    causal = layer(q, q[..., :4], q.repeat(2, -1)[..., :7], use_causal_mask=True)
    assert causal.shape == (2, 3, 6)


def test_multi_head_attention_sees_the_masks_of_embeddings():
    embedding = layers.Embedding(10, 6, mask_zero=True)
    layer = layers.MultiHeadAttention(2, 3)
    long, short = embedding(np.array([[1, 2, 3, 0]])), embedding(np.array([[1, 2, 3]]))
    y = np.array(layer(long, long))
    np.testing.assert_allclose(y[:, :3], layer(short, short), rtol=1e-5, atol=1e-6)


def test_multi_head_attention_without_value():
    with pytest.raises(TypeError, match="query, value"):
        layers.MultiHeadAttention(2, 3)(np.ones((2, 3, 4), np.float32))


@pytest.mark.large
def test_attention_model_of_polarity_shape():
    """The parts of an attention classifier train together."""
    model = dlbd.Sequential(
        [
            layers.Embedding(50, 8, mask_zero=True),
            SelfAttention(2, 4),
            layers.LayerNormalization(),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    rng = np.random.default_rng(0)
    x = rng.integers(1, 50, (64, 6))
    y = (x[:, 0] > 25).astype(np.float32)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=30, batch_size=16, verbose=0)
    assert history.history["accuracy"][-1] > 0.9


def test_multi_head_attention_over_several_axes():
    q, v = inputs((2, 3, 4, 6), (2, 5, 4, 6))
    whole = layers.MultiHeadAttention(2, 3)
    y, weights = whole(q, v, return_attention_scores=True)
    assert weights.shape == (2, 2, 3, 4, 5, 4)
    np.testing.assert_allclose(whole(q, v), y, rtol=1e-5, atol=1e-6)

    flat = layers.MultiHeadAttention(2, 3)
    flat(q.reshape(2, 12, 6), v.reshape(2, 20, 6))
    flat.set_weights(whole.get_weights())
    wanted = flat(q.reshape(2, 12, 6), v.reshape(2, 20, 6))
    np.testing.assert_allclose(np.array(y).reshape(2, 12, 6), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axes", [(1,), (-3,), 1])
def test_multi_head_attention_along_one_axis_of_several(axes):
    """Causal, and with the mask of time steps that all other axes share: each column by itself."""
    q, v = inputs((2, 5, 3, 6), (2, 5, 3, 6))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=axes)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0]], bool)
    y = np.array(layer(q, v, value_mask=mask, use_causal_mask=True))
    single = layers.MultiHeadAttention(2, 3)
    single.build(q[:, :, 0].shape, v[:, :, 0].shape)
    single.set_weights(layer.get_weights())
    for column in range(3):
        wanted = single(q[:, :, column], v[:, :, column], value_mask=mask, use_causal_mask=True)
        np.testing.assert_allclose(y[:, :, column], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ([(2, 6), (2, 6)], {}, r"with more axes before the features.*\(2, 6\)"),
        ([(2, 3, 6), (2, 3, 4, 6)], {}, "all three with more axes"),
        ([(2, 3, 4, 6), (2, 5, 3, 6)], {"attention_axes": (1,)}, r"agree along the axes \[2\]"),
        ([(2, 3, 4, 6)] * 2, {"attention_axes": (3,)}, r"between batch and features.*\[3\]"),
        ([(2, 3, 4, 6)] * 2, {"attention_axes": (1, -3)}, "each once"),
    ],
)
def test_multi_head_attention_names_what_does_not_fit(shapes, options, message):
    with pytest.raises(ValueError, match=message):
        layers.MultiHeadAttention(2, 3, **options)(*inputs(*shapes))


def test_multi_head_attention_has_no_order_over_several_axes():
    (x,) = inputs((2, 3, 4, 6))
    with pytest.raises(ValueError, match="use_causal_mask needs one axis"):
        layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    with pytest.raises(ValueError, match=r"attention_mask must end with the axes \(3, 4, 3, 4\)"):
        layers.MultiHeadAttention(2, 3)(x, x, attention_mask=np.ones((3, 4, 3), bool))


def additive_reference(q, v, k, scale):
    return softmax((np.tanh(q[:, :, None] + k[:, None]) * scale).sum(-1)) @ v


def test_additive_attention():
    check_layer(
        lambda: layers.AdditiveAttention(),
        (2, 5, 3),
        (2, 5, 3),
        weights=[(3,)],
        reference=lambda x, scale: additive_reference(x, x, x, scale),
    )
    check_layer(
        lambda: layers.AdditiveAttention(use_scale=False),
        (2, 5, 3),
        (2, 5, 3),
        reference=lambda x: additive_reference(x, x, x, 1.0),
    )


def test_additive_attention_scores_masks_and_order():
    q, v, k = inputs((2, 3, 4), (2, 5, 6), (2, 5, 4))
    layer = layers.AdditiveAttention()
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    y, weights = layer([q, v, k], mask=[None, mask], return_attention_scores=True)
    (scale,) = layer.get_weights()
    np.testing.assert_allclose(y[0], additive_reference(q[:1], v[:1, :3], k[:1, :3], scale)[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y[1], additive_reference(q, v, k, scale)[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.array(weights).sum(-1), 1, rtol=1e-6)
    causal, weights = layer([q, v, k], use_causal_mask=True, return_attention_scores=True)
    assert not np.triu(np.array(weights), 1).any()
    np.testing.assert_allclose(causal[:, 0], v[:, 0], rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape([q.shape, v.shape, k.shape]) == (2, 3, 6)


def test_dropout_of_additive_attention():
    check_layer(lambda: layers.AdditiveAttention(dropout=0.5), (2, 5, 3), (2, 5, 3), weights=[(3,)], random=True)
    with pytest.raises(ValueError, match=r"layer 'a' \(AdditiveAttention.*takes \[query, value\]"):
        layers.AdditiveAttention(name="a")(inputs((2, 5)))


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_query_attention_is_that_of_repeated_heads(groups):
    q, v, k = inputs((2, 3, 5), (2, 4, 5), (2, 4, 5))
    layer, whole = layers.GroupQueryAttention(4, 6, groups), layers.MultiHeadAttention(6, 4)
    layer(q, v, k), whole(q, v, k)
    assert [w.shape for w in layer.weights] == [
        *[(5, 6, 4), (6, 4), (5, groups, 4), (groups, 4), (5, groups, 4), (groups, 4)],
        *[(6, 4, 5), (5,)],
    ]
    values = [np.random.default_rng(i).standard_normal(w.shape).astype(np.float32) for i, w in enumerate(layer.weights)]
    layer.set_weights(values)
    shared = [w.repeat(6 // groups, axis=-2) if 2 <= i < 6 else w for i, w in enumerate(values)]
    whole.set_weights(shared)
    mask = np.tril(np.ones((3, 4), bool))
    for options in ({}, {"attention_mask": mask}, {"use_causal_mask": True}):
        np.testing.assert_allclose(layer(q, v, k, **options), whole(q, v, k, **options), rtol=1e-5, atol=1e-5)
    _, scores = layer(q, v, k, return_attention_scores=True)
    np.testing.assert_allclose(scores, whole(q, v, k, return_attention_scores=True)[1], rtol=1e-5, atol=1e-6)
    again = layers.GroupQueryAttention.from_config(layer.get_config())
    assert (again.head_dim, again.num_query_heads, again.num_key_value_heads) == (4, 6, groups)


def test_group_query_attention_in_a_model():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 4, 6)).astype(np.float32), rng.standard_normal((8, 4, 6)).astype(np.float32)
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(1)
        a = dlbd.Input((4, 6))
        model = dlbd.Model(a, layers.GroupQueryAttention(3, 4, 2, dropout=0.1)(a, a))
        model.compile("adam", "mse", run_eagerly=eagerly)
        losses.append(model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]
    with pytest.raises(ValueError, match="num_key_value_heads must divide num_query_heads; received 4 and 6"):
        layers.GroupQueryAttention(3, 6, 4)
