import itertools

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .check import check_layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn_reference(x, w, u, b):
    h = np.zeros((len(x), u.shape[0]))
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ w + h @ u + b)
    return h


def lstm_reference(x, w, u, b):
    h = c = np.zeros((len(x), u.shape[0]))
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def gru_reference(x, w, u, b):
    h = np.zeros((len(x), u.shape[0]))
    for t in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, t] @ w + b[0], 3, axis=-1)
        hz, hr, hh = np.split(h @ u + b[1], 3, axis=-1)
        z = sigmoid(xz + hz)
        h = z * h + (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh)
    return h


KINDS = {
    "rnn": (layers.SimpleRNN, [(3, 4), (4, 4), (4,)], rnn_reference),
    "lstm": (layers.LSTM, [(3, 16), (4, 16), (16,)], lstm_reference),
    "gru": (layers.GRU, [(3, 12), (4, 12), (2, 12)], gru_reference),
}
each_kind = pytest.mark.parametrize("name", KINDS)


@each_kind
def test_last_output(name: str):
    kind, weights, reference = KINDS[name]
    check_layer(lambda: kind(4), (2, 5, 3), (2, 4), weights=weights, reference=reference)


@each_kind
@pytest.mark.parametrize("backwards", [False, True])
def test_all_outputs(name: str, backwards: bool):
    kind, weights, reference = KINDS[name]

    def every(x, *w):
        x = x[:, ::-1] if backwards else x
        return np.stack([reference(x[:, : t + 1], *w) for t in range(x.shape[1])], axis=1)

    check_layer(
        lambda: kind(4, return_sequences=True, go_backwards=backwards),
        (2, 5, 3),
        (2, 5, 4),
        weights=weights,
        reference=every,
    )


def test_gru_with_the_reset_gate_before():
    check_layer(lambda: layers.GRU(4, reset_after=False), (2, 5, 3), (2, 4), weights=[(3, 12), (4, 12), (12,)])


@each_kind
def test_without_bias(name: str):
    kind, weights, _ = KINDS[name]
    check_layer(lambda: kind(4, use_bias=False), (2, 5, 3), (2, 4), weights=weights[:2])


@each_kind
@pytest.mark.parametrize("options", [{"dropout": 0.3}, {"recurrent_dropout": 0.3}])
def test_dropout(name: str, options: dict):
    kind, weights, _ = KINDS[name]
    check_layer(lambda: kind(4, **options), (6, 5, 3), (6, 4), weights=weights, random=True)


@each_kind
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_single_steps_agree_with_the_kernel(name: str, backwards: bool, masked: bool):
    """An activation that is tanh under another name has no kernel."""
    kind, _, _ = KINDS[name]
    x = np.random.default_rng(0).standard_normal((3, 5, 3)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 1, 1]], bool) if masked else None
    variants = [{}, {"reset_after": False}] if name == "gru" else [{}]
    for variant in variants:
        options = {"return_sequences": True, "return_state": True, "go_backwards": backwards, **variant}
        fused, steps = kind(4, **options), kind(4, activation=tanh_by_another_name, **options)
        found = fused(x, mask=mask)
        steps.build(x.shape)
        steps.set_weights([w + 0.1 for w in fused.get_weights()])
        fused.set_weights(steps.get_weights())
        found, wanted = fused(x, mask=mask), steps(x, mask=mask)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def tanh_by_another_name(x):
    return dlbd.ops.tanh(x)


def test_forget_gate_starts_open():
    layer = layers.LSTM(4)
    layer.build((None, None, 3))
    np.testing.assert_array_equal(layer.get_weights()[2], [0] * 4 + [1] * 4 + [0] * 8)
    layer = layers.LSTM(4, unit_forget_bias=False)
    layer.build((None, None, 3))
    assert not layer.get_weights()[2].any()


def test_recurrent_kernel_is_orthogonal():
    layer = layers.LSTM(4)
    layer.build((None, None, 3))
    u = layer.get_weights()[1]
    np.testing.assert_allclose(u @ u.T, np.eye(4), atol=1e-5)


@each_kind
def test_states(name: str):
    kind, _, _ = KINDS[name]
    x = np.random.default_rng(0).standard_normal((2, 6, 3)).astype(np.float32)
    layer = kind(4, return_state=True)
    whole = layer(x)
    assert len(whole) == (3 if name == "lstm" else 2)
    _, *middle = layer(x[:, :3])
    continued = layer(x[:, 3:], initial_state=middle)
    for a, b in zip(whole, continued, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@each_kind
def test_stateful(name: str):
    kind, _, _ = KINDS[name]
    x = np.random.default_rng(0).standard_normal((2, 6, 3)).astype(np.float32)
    plain, layer = kind(4), kind(4, stateful=True)
    whole = np.array(plain(x))
    layer.build(x.shape)
    layer.set_weights(plain.get_weights())
    assert len(layer.weights) == len(plain.weights)
    layer(x[:, :3])
    np.testing.assert_allclose(layer(x[:, 3:]), whole, rtol=1e-5, atol=1e-6)
    with pytest.raises(
        ValueError, match=r"kept state.*\(batch, units\) = \(3, 4\); received \(2, 4\); call reset_state"
    ):
        layer(np.zeros((3, 6, 3), np.float32))
    layer.reset_state()
    np.testing.assert_allclose(layer(x), whole, rtol=1e-5, atol=1e-6)


@each_kind
def test_stateful_predictions_of_a_recorded_model(name: str):
    kind, _, _ = KINDS[name]
    x = np.random.default_rng(0).standard_normal((2, 2, 3)).astype(np.float32)
    model = dlbd.Sequential([kind(4, stateful=True)])
    found = [model.predict(x, verbose=0) for _ in range(4)]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(found))
    model.layers[0].reset_state()
    np.testing.assert_array_equal([model.predict(x, verbose=0) for _ in range(4)], found)


@each_kind
def test_masked_steps_change_nothing(name: str):
    kind, _, _ = KINDS[name]
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    layer = kind(4)
    y = np.array(layer(x, mask=mask))
    np.testing.assert_allclose(y[1:], layer(x[1:, :2]), rtol=1e-5, atol=1e-6)


def test_masks_travel_from_embedding_to_rnn_to_loss():
    model = dlbd.Sequential(
        [
            layers.Embedding(10, 4, mask_zero=True),
            layers.LSTM(5, return_sequences=True),
            layers.Dense(2),
        ]
    )
    ids = np.array([[1, 2, 3, 0], [4, 0, 0, 0]])
    y = model(ids)
    np.testing.assert_array_equal(y.mask, ids != 0)
    targets = np.zeros((2, 4, 2), np.float32)
    model.compile("sgd", "mse")
    loss = model.evaluate(ids, targets, verbose=0)
    kept = np.array(y)[ids != 0]
    np.testing.assert_allclose(loss, (kept**2).mean(), rtol=1e-5)


@each_kind
def test_sequence_of_length_zero(name: str):
    kind, _, _ = KINDS[name]
    y, *states = kind(4, return_sequences=True, return_state=True)(np.zeros((2, 0, 3), np.float32))
    assert y.shape == (2, 0, 4)
    assert not np.array(states[0]).any()


@each_kind
def test_wrong_inputs_name_the_layer(name: str):
    kind, _, _ = KINDS[name]
    with pytest.raises(ValueError, match=r"layer 'r'.*\(batch, time, features\)"):
        kind(4, name="r")(np.zeros((2, 3), np.float32))
    layer = kind(4, name="r")
    layer(np.zeros((2, 5, 3), np.float32))
    with pytest.raises(ValueError, match=r"'r'.*3 in axis -1"):
        layer(np.zeros((2, 5, 2), np.float32))
    with pytest.raises(
        ValueError, match=r"layer 'r'.*initial_state must be \(batch, units\) = \(2, 4\); received \(3, 4\)"
    ):
        layer(np.zeros((2, 5, 3), np.float32), initial_state=[np.zeros((3, 4))] * (2 if name == "lstm" else 1))
    with pytest.raises(ValueError, match="mask"):
        layer(np.zeros((2, 5, 3), np.float32), mask=np.ones((2, 4), bool))


@pytest.mark.parametrize(("mode", "width"), [("concat", 8), ("sum", 4), ("mul", 4), ("ave", 4)])
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional(mode: str, width: int, sequences: bool):
    def reference(x, *w):
        ways = []
        for data, part in ((x, w[:3]), (x[:, ::-1], w[3:])):
            every = np.stack([lstm_reference(data[:, : t + 1], *part) for t in range(data.shape[1])], axis=1)
            ways.append(every if sequences else every[:, -1])
        there, back = ways
        if sequences:
            back = back[:, ::-1]
        joined = {"sum": there + back, "mul": there * back, "ave": (there + back) / 2}
        return np.concatenate([there, back], -1) if mode == "concat" else joined[mode]

    check_layer(
        lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=sequences), merge_mode=mode),
        (2, 5, 3),
        (2, 5, width) if sequences else (2, width),
        weights=[(3, 16), (4, 16), (16,)] * 2,
        reference=reference,
    )


def test_bidirectional_with_states_and_pairs():
    layer = layers.Bidirectional(layers.GRU(4, return_state=True, return_sequences=True), merge_mode=None)
    there, back, h_there, h_back = layer(np.ones((2, 5, 3), np.float32))
    assert there.shape == back.shape == (2, 5, 4)
    np.testing.assert_allclose(there[:, -1], h_there, rtol=1e-6)
    np.testing.assert_allclose(back[:, 0], h_back, rtol=1e-6)
    assert layer.compute_output_shape((2, 5, 3)) == ((2, 5, 4), (2, 5, 4), (2, 4), (2, 4))


def test_bidirectional_takes_recurrent_layers():
    with pytest.raises(TypeError, match="recurrent"):
        layers.Bidirectional(layers.Dense(3))
    with pytest.raises(ValueError, match="merge_mode"):
        layers.Bidirectional(layers.LSTM(3), merge_mode="max")


def test_bidirectional_starts_from_the_states_of_both_ways():
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True), merge_mode=None)
    states = [np.full((2, 4), n, np.float32) for n in (0.1, 0.2, 0.3, 0.4)]
    found = layer(x, initial_state=states)
    there = layer.forward_layer(x, initial_state=states[:2])
    back = layer.backward_layer(x, initial_state=states[2:])
    wanted = [there[0], back[0][:, ::-1], *there[1:], *back[1:]]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="the states of the way forth, then as many of the way back; received 3"):
        layer(x, initial_state=states[:3])


def test_bidirectional_with_a_mask_gives_zeros_for_padding():
    x = np.random.default_rng(0).standard_normal((1, 5, 3)).astype(np.float32)
    mask = np.array([[True, True, True, False, False]])
    layer = layers.Bidirectional(layers.GRU(4, return_sequences=True))
    y = np.array(layer(x, mask=mask))
    assert not y[:, 3:].any()
    np.testing.assert_allclose(y[:, :3], layer(x[:, :3]), rtol=1e-5, atol=1e-6)


class Decay(layers.Layer):
    """A cell that is not registered."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")

    def call(self, inputs, states):
        h = dlbd.ops.add(dlbd.ops.matmul(inputs, self.kernel), 0.5 * states[0])
        return h, [h]


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.RNN(Decay(4), return_sequences=True),
        lambda: layers.RNN([layers.LSTMCell(3), Decay(4)], return_sequences=True),
        lambda: layers.GRU(4, activation=tanh_by_another_name, return_sequences=True),
    ],
)
def test_bidirectional_of_what_is_not_registered(make):
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    layer = layers.Bidirectional(make())
    y = layer(x)
    assert len(layer.weights) == 2 * len(layer.forward_layer.weights)
    np.testing.assert_array_equal(y[:, :, :4], layer.forward_layer(x))
    np.testing.assert_array_equal(y[:, :, 4:], layer.backward_layer(x)[:, ::-1])


def test_bidirectional_with_another_layer_for_the_way_back():
    back = layers.GRU(6, return_sequences=True, go_backwards=True)
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True), backward_layer=back)
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    assert layer(x).shape == layer.compute_output_shape(x.shape) == (2, 5, 10)
    assert layer.backward_layer is back
    again = layers.Bidirectional.from_config(layer.get_config())
    assert type(again.backward_layer) is layers.GRU
    with pytest.raises(ValueError, match="go_backwards=True, the other not"):
        layers.Bidirectional(layers.LSTM(4), backward_layer=layers.LSTM(4))
    with pytest.raises(ValueError, match="return_sequences differs between the two directions"):
        layers.Bidirectional(layers.LSTM(4), backward_layer=back)


@each_kind
def test_bidirectional_stateful_training_is_recorded_as_it_runs(name: str):
    kind, _, _ = KINDS[name]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 5, 3)).astype(np.float32), rng.standard_normal((16, 1)).astype(np.float32)
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(2)
        model = dlbd.Sequential([layers.Bidirectional(kind(4, stateful=True)), layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eagerly)
        losses.append(model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0).history["loss"])
        model.layers[0].reset_states()
        assert not np.array(model.layers[0].backward_layer.states[0]).any()
    assert losses[0] == losses[1]
