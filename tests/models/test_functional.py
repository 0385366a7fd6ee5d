"""Model(inputs, outputs): what lies between KerasTensors."""

import copy
import json
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import layers, ops

from .programs import blobs


def two_towers():
    """Two inputs, a shared layer, two outputs."""
    left, right = dlbd.Input((4,), name="left"), dlbd.Input((4,), name="right")
    shared = layers.Dense(8, activation="relu", name="shared")
    both = ops.concatenate([shared(left), shared(right)], axis=-1)
    number = layers.Dense(1, name="number")(both)
    kind = layers.Dense(3, activation="softmax", name="kind")(both)
    return dlbd.Model([left, right], [number, kind], name="towers")


def pairs(n: int = 40):
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((n, 4)).astype(np.float32) for _ in range(2))
    return left, right, (left - right).sum(axis=1, keepdims=True), (left[:, 0] > 0).astype(np.int64) + (right[:, 0] > 0)


def by_hand(model, left, right):
    w, b, kernel, bias, kernel_2, bias_2 = model.get_weights()
    both = np.concatenate([np.maximum(x @ w + b, 0) for x in (left, right)], axis=1)
    scores = both @ kernel_2 + bias_2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return both @ kernel + bias, e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "given",
    [
        lambda left, right: [left, right],
        lambda left, right: (left, right),
        lambda left, right: {"right": right, "left": left},
        lambda left, right: [left.tolist(), right.tolist()],
    ],
    ids=["list", "tuple", "dict", "lists of numbers"],
)
def test_inputs_in_any_form(given):
    model = two_towers()
    left, right, _, _ = pairs()
    wanted = by_hand(model, left, right)
    for found in (
        model.predict(given(left, right)),
        model(given(left, right)),
        model.predict_on_batch(given(left, right)),
    ):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_shared_layers_have_their_weights_once():
    model = two_towers()
    names = [layer.name.rstrip("_0123456789") for layer in model.layers]
    assert names == ["left", "right", "shared", "concatenate", "number", "kind"]
    assert [w.path for w in model.weights] == [
        f"{layer}/{weight}" for layer in ("shared", "number", "kind") for weight in ("kernel", "bias")
    ]
    assert model.input_names == ["left", "right"]
    assert model.output_names == ["number", "kind"]
    assert model.input_shape == [(None, 4), (None, 4)]
    assert model.output_shape == [(None, 1), (None, 3)]


def test_a_gradient_goes_through_both_uses_of_a_shared_layer():
    x = dlbd.Input((2,))
    double = layers.Dense(2, kernel_initializer="identity")
    model = dlbd.Model(x, double(double(x)))
    with dlbd.GradientTape() as tape:
        y = ops.sum(model(np.array([[1.0, 0.0]])))
    # y = sum(x K K), whose gradient is x' (K 1)' + (x K)' 1', with K = 1
    np.testing.assert_array_equal(tape.gradient(y, double.kernel), [[2, 2], [0, 0]])


def test_nests_of_inputs_and_outputs():
    a, b = dlbd.Input((2,)), dlbd.Input((2,))
    model = dlbd.Model({"a": a, "b": b}, {"sum": a + b, "parts": [a * 2, (b - 1, -a)]})
    x, y = np.ones((3, 2), np.float32), np.full((3, 2), 5, np.float32)
    found = model.predict({"b": y, "a": x})
    np.testing.assert_array_equal(found["sum"], x + y)
    np.testing.assert_array_equal(found["parts"][0], 2 * x)
    assert isinstance(found["parts"][1], tuple)
    np.testing.assert_array_equal(found["parts"][1][0], y - 1)
    np.testing.assert_array_equal(found["parts"][1][1], -x)


def test_operations_and_operators_become_layers():
    x = dlbd.Input((3, 4))
    y = ops.sum(ops.relu(x[:, 1:] * 2 - 1), axis=-1)
    y = 3.0 - y / ops.ones((1, 2)) + np.float32(1)
    model = dlbd.Model(x, ops.where(y > 0, y, ops.zeros_like(y)))
    data = np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)
    wanted = np.maximum(4 - np.maximum(data[:, 1:] * 2 - 1, 0).sum(axis=-1), 0)
    np.testing.assert_allclose(model.predict(data), wanted, rtol=1e-5, atol=1e-6)
    assert model.output_shape == (None, 2)


def test_sizes_that_vary_stay_unknown():
    x = dlbd.Input((None, 6))
    y = layers.LSTM(5, return_sequences=True)(x)
    assert y.shape == (None, None, 5)
    assert ops.mean(y, axis=1).shape == (None, 5)
    assert ops.concatenate([y, y], axis=1).shape == (None, None, 5)
    model = dlbd.Model(x, ops.max(y, axis=1))
    for steps in (3, 9):
        assert model.predict(np.ones((2, steps, 6))).shape == (2, 5)


def test_several_outputs_of_one_layer():
    x = dlbd.Input((5, 3))
    y, h, c = layers.LSTM(4, return_sequences=True, return_state=True)(x)
    again = layers.LSTM(4)(x, initial_state=[h, c])
    model = dlbd.Model(x, [y, h, again])
    found = model.predict(np.random.default_rng(0).standard_normal((2, 5, 3)))
    assert [a.shape for a in found] == [(2, 5, 4), (2, 4), (2, 4)]
    np.testing.assert_array_equal(found[0][:, -1], found[1])


def test_multi_head_attention_between_inputs():
    query, value = dlbd.Input((4, 6)), dlbd.Input((7, 6))
    model = dlbd.Model([query, value], layers.MultiHeadAttention(2, 3)(query, value))
    assert model.predict([np.ones((2, 4, 6)), np.ones((2, 7, 6))]).shape == (2, 4, 6)


def test_masks_go_through():
    tokens = dlbd.Input((None,), dtype="int64")
    state = layers.LSTM(3)(layers.Embedding(9, 4, mask_zero=True)(tokens))
    model = dlbd.Model(tokens, state)
    np.testing.assert_allclose(model.predict(np.array([[1, 2, 0, 0]])), model.predict(np.array([[1, 2]])), rtol=1e-6)


def test_models_inside_models():
    inner_input = dlbd.Input((4,))
    inner = dlbd.Model(inner_input, layers.Dense(4, name="inner_dense")(inner_input), name="inner")
    tail = dlbd.Sequential([layers.Dense(2, input_shape=(4,))], name="tail")
    x = dlbd.Input((4,))
    model = dlbd.Model(x, tail(inner(inner(x))))
    assert [layer.name for layer in model.layers][1:] == ["inner", "tail"]
    assert len(model.weights) == 4
    data = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    np.testing.assert_allclose(model.predict(data), tail(inner(inner(data))), rtol=1e-5)
    inner.trainable = False
    assert [v.path for v in model.trainable_variables] == [w.path for w in tail.weights]


def test_a_gradient_goes_through_models_of_several_inputs_inside_others():
    a, b = dlbd.Input((3,)), dlbd.Input((3,))
    inner = dlbd.Model([a, b], layers.Dense(2)(layers.Add()([a, b])))
    x = dlbd.Input((3,))
    outer = dlbd.Model(x, inner([layers.Dense(3)(x), x]))
    with dlbd.GradientTape() as tape:
        y = ops.sum(outer(np.ones((2, 3))))
    assert all(g is not None for g in tape.gradient(y, outer.trainable_variables))


def test_features_of_a_trained_model():
    """Layers of a Sequential or functional model give what they were called with and what they gave."""
    base = dlbd.Sequential([layers.Dense(5, "relu", input_shape=(3,)), layers.Dense(2)])
    features = dlbd.Model(base.inputs, base.layers[0].output)
    top = dlbd.Model(base.input, layers.Dense(1)(base.layers[-2].output))
    data = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    np.testing.assert_allclose(features.predict(data), base.layers[0](data), rtol=1e-6)
    assert top.predict(data).shape == (4, 1)
    from_the_middle = dlbd.Model(base.layers[1].input, base.output)
    np.testing.assert_allclose(from_the_middle.predict(features.predict(data)), base.predict(data), rtol=1e-5)


def test_a_sequential_that_data_builds_has_outputs_too():
    model = dlbd.Sequential([layers.Dense(5), layers.Dense(2)])
    with pytest.raises(AttributeError, match="not built"):
        model.inputs  # noqa: B018
    model(np.ones((2, 3)))
    assert dlbd.Model(model.inputs, model.layers[0].output).predict(np.ones((2, 3))).shape == (2, 5)
    model.pop()
    model.add(layers.Dense(7))
    assert model.output_shape == (None, 7)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_copies(again):
    model = two_towers()
    left, right, number, kind = pairs()
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"])
    model.fit([left, right], [number, kind], epochs=1, shuffle=False, verbose=0)
    twin = again(model)
    for m in (model, twin):
        m.fit([left, right], [number, kind], epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert twin.get_layer("kind") is not model.get_layer("kind")
    assert dlbd.Model(twin.inputs, twin.get_layer("shared").output).predict([left, right]).shape == (40, 8)


def test_deep_models_pickle():
    x = y = dlbd.Input((2,))
    for _ in range(600):
        y = y + 1
    model = pickle.loads(pickle.dumps(dlbd.Model(x, y)))
    np.testing.assert_array_equal(model.predict(np.zeros((1, 2))), [[600, 600]])


@pytest.mark.parametrize("build", ["towers", "nest", "slices", "tail"])
def test_configuration(build):
    if build == "towers":
        model, data = two_towers(), list(pairs(5)[:2])
    elif build == "nest":
        a, b = dlbd.Input((2,), name="a"), dlbd.Input((2,), name="b")
        model, data = dlbd.Model({"a": a, "b": b}, {"c": a + b}), {"a": np.ones((3, 2)), "b": np.ones((3, 2))}
    elif build == "slices":
        x = dlbd.Input((4, 3))
        model, data = dlbd.Model(x, x[..., 1:] * np.array([2.0, 3.0]) + x[:, ::2][:, 0:1, :2]), np.ones((2, 4, 3))
    else:
        x = dlbd.Input((4,))
        model, data = dlbd.Model(x, dlbd.Sequential([layers.Dense(3)])(layers.Dense(4)(x))), np.ones((2, 4))
    twin = dlbd.Model.from_config(json.loads(json.dumps(model.get_config())))
    twin.set_weights(model.get_weights())
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    wanted, found = model.predict(data), twin.predict(data)
    for a, b in zip(*(dlbd.structure.flatten(y) for y in (wanted, found)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_no_model():
    x, other = dlbd.Input((3,), name="x"), dlbd.Input((3,), name="other")
    with pytest.raises(ValueError, match=r"depend on <KerasTensor .*name=other>: is it missing among the inputs"):
        dlbd.Model(x, layers.Dense(1)(x + other))
    with pytest.raises(TypeError, match=r"inputs are what Input\(\) .* received ndarray"):
        dlbd.Model(np.ones((2, 3)), x)
    with pytest.raises(TypeError, match="both inputs and outputs"):
        dlbd.Model(x)
    with pytest.raises(ValueError, match="twice among the inputs"):
        dlbd.Model([x, x], x + 1)
    with pytest.raises(ValueError, match="two named 'same'"):
        dlbd.Model(x, layers.Dense(1, name="same")(layers.Dense(2, name="same")(x)))
    with pytest.raises(TypeError, match="has no numbers: give it to layers"):
        np.sin(x)
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(x > 0)


def test_layers_that_do_not_fit_say_so_when_they_are_called():
    x = dlbd.Input((3,))
    with pytest.raises(ValueError, match=r"layer 'rnn'.*shape \(None, 3\)"):
        layers.LSTM(2, name="rnn")(x)
    dense = layers.Dense(2, name="dense_of_three")
    dense(x)
    with pytest.raises(ValueError, match=r"'dense_of_three'.*3 in axis -1.*\(None, 4\)"):
        dense(dlbd.Input((4,)))


def test_inputs_that_do_not_fit():
    model = two_towers()
    left, right, _, _ = pairs()
    with pytest.raises(ValueError, match=r"'towers' takes 2 inputs, \['left', 'right'\]; received 1"):
        model.predict(left)
    with pytest.raises(ValueError, match=r"\['right'\] missing"):
        model.predict({"left": left})
    with pytest.raises(ValueError, match=r"input 'right' .*\(40, 3\)"):
        model.predict([left, right[:, :3]])
    with pytest.raises(ValueError, match=r"equally many rows; received {'x': \[40, 39\]}"):
        model.predict([left, right[1:]])


def test_an_own_layer_without_output_shape():
    class Doubled(layers.Layer):
        def call(self, inputs):
            return ops.concatenate([inputs, inputs], axis=-1)

    x = dlbd.Input((3,))
    assert Doubled()(x).shape == (None, 6)


def test_a_functional_subclass():
    class Classifier(dlbd.Model):
        def __init__(self, classes):
            x = dlbd.Input((6,))
            super().__init__(x, layers.Dense(classes, activation="softmax")(x))
            self.classes = classes

    model = Classifier(3)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = blobs()
    history = model.fit(x, y, epochs=15, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def test_operations_on_images():
    x = dlbd.Input((4, 4, 1))
    model = dlbd.Model(x, ops.image.resize(x, (8, 8)))
    assert model.output_shape == (None, 8, 8, 1)
    twin = dlbd.Model.from_config(json.loads(json.dumps(model.get_config())))
    data = np.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(twin.predict(data), ops.image.resize(data, (8, 8)))
