"""RNN over cells of ours and of a user's own."""

import numpy as np
import pytest

import dlbd
from dlbd import GradientTape, layers, ops

from ..arrays import tensor
from .check import check_layer
from .test_recurrent import KINDS, each_kind, sigmoid

CELLS = {"rnn": layers.SimpleRNNCell, "lstm": layers.LSTMCell, "gru": layers.GRUCell}
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 1, 1]], bool)


def data(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@dlbd.saving.register_keras_serializable(package="test_rnn")
class Leaky(layers.Layer):
    """h = decay h + x @ kernel, and how many steps there were; it gives twice h."""

    def __init__(self, units, start=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.start = units, start
        self.state_size, self.output_size = [units, 1], units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.decay = self.add_weight((self.units,), "ones", name="decay")

    def get_initial_state(self, batch_size):
        return [ops.full((batch_size, self.units), self.start), ops.zeros((batch_size, 1))]

    def call(self, inputs, states):
        h = self.decay * states[0] + ops.matmul(inputs, self.kernel)
        return 2.0 * h, [h, states[1] + 1.0]


def leaky_reference(x, kernel, decay, start=0.0):
    h = np.full((len(x), kernel.shape[1]), start)
    for t in range(x.shape[1]):
        h = decay * h + x[:, t] @ kernel
    return 2 * h


def test_a_cell_of_ones_own():
    check_layer(lambda: layers.RNN(Leaky(4)), (2, 5, 3), (2, 4), weights=[(3, 4), (4,)], reference=leaky_reference)
    check_layer(
        lambda: layers.RNN(Leaky(4, start=1.0), return_sequences=True, go_backwards=True),
        (2, 5, 3),
        (2, 5, 4),
        weights=[(3, 4), (4,)],
        reference=lambda x, *w: np.stack([leaky_reference(x[:, ::-1][:, : t + 1], *w, 1.0) for t in range(5)], 1),
    )


def test_states_of_ones_own_cell():
    layer = layers.RNN(Leaky(4), return_state=True)
    x = data(3, 5, 2)
    y, h, steps = layer(x)
    np.testing.assert_allclose(y, 2 * np.array(h), rtol=1e-6)
    np.testing.assert_array_equal(steps, np.full((3, 1), 5))
    _, _, steps = layer(x, mask=MASK)
    np.testing.assert_array_equal(steps, MASK.sum(1, keepdims=True))
    y, _, steps = layer(x, initial_state=[np.ones((3, 4)), np.full((3, 1), 7.0)])
    np.testing.assert_allclose(y, leaky_reference(x, *layer.get_weights(), 1.0), rtol=1e-5)
    np.testing.assert_array_equal(steps, np.full((3, 1), 12))
    assert layer.compute_output_shape((None, None, 2)) == ((None, 4), (None, 4), (None, 1))


@each_kind
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_our_cells_in_an_rnn_are_our_layers(name, backwards, masked):
    kind, weights, _ = KINDS[name]
    options = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    fused, rnn = kind(4, **options), layers.RNN(CELLS[name](4), **options)
    x = data(3, 5, 3)
    fused(x), rnn(x)
    assert [v.shape for v in rnn.weights] == weights
    rnn.set_weights([w + 0.1 for w in fused.get_weights()])
    fused.set_weights(rnn.get_weights())
    mask = MASK if masked else None
    for a, b in zip(fused(x, mask=mask), rnn(x, mask=mask), strict=True):
        np.testing.assert_array_equal(a, b)


@each_kind
def test_one_step_of_a_cell(name):
    _, _, reference = KINDS[name]
    cell, x = CELLS[name](4), data(2, 3)
    zeros = [np.zeros((2, 4), np.float32)] * (2 if name == "lstm" else 1)
    y, states = cell(x, zeros)
    np.testing.assert_allclose(y, reference(x[:, None], *cell.get_weights()), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(states[0], y)
    again, _ = cell(x, states)
    np.testing.assert_allclose(again, reference(x[:, None].repeat(2, 1), *cell.get_weights()), rtol=1e-5, atol=1e-6)
    assert cell.compute_output_shape((None, 3)) == ((None, 4), [(None, 4)] * len(zeros))
    twin = type(cell).from_config(cell.get_config())
    assert twin.units == 4
    with pytest.raises(ValueError, match=f"states must be {len(zeros)} arrays; received 3"):
        cell(x, [zeros[0]] * 3)
    with pytest.raises(ValueError, match=r"takes .*\(batch, features\)"):
        CELLS[name](4)(data(2, 5, 3), zeros)


STACKS = {
    "ours": lambda: [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(5)],
    "by steps": lambda: [layers.LSTMCell(4, activation="softsign"), layers.GRUCell(3), layers.SimpleRNNCell(5)],
    "own": lambda: [Leaky(4), layers.GRUCell(3), layers.SimpleRNNCell(5)],
}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_stacked_cells_are_layers_one_after_the_other(stack, backwards, masked):
    x, mask = data(3, 5, 2), MASK if masked else None
    whole = layers.RNN(STACKS[stack](), return_sequences=True, return_state=True, go_backwards=backwards)
    y, *states = whole(x, mask=mask)
    for cell, state in zip(whole.cell.cells, states, strict=True):
        one = layers.RNN(cell, return_sequences=True, return_state=True, go_backwards=backwards)
        x, *last = one(x, mask=mask)
        if backwards:
            backwards, mask = False, None if mask is None else mask[:, ::-1]
        state = state if isinstance(state, list) else [state]
        for a, b in zip(state, last, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-6)
    shapes = whole.compute_output_shape((None, 5, 2))
    assert shapes[0] == (None, 5, 5)
    assert shapes[2:] == ((None, 3), (None, 5))
    assert shapes[1] == [(None, 4), (None, 1 if stack == "own" else 4)]


def test_stacked_cells_in_a_layer():
    shapes = [(3, 16), (4, 16), (16,), (4, 9), (3, 9), (2, 9)]
    check_layer(lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)]), (2, 5, 3), (2, 3), weights=shapes)
    cells = layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(3)])
    y, states = cells(data(2, 3), cells.get_initial_state(2))
    assert y.shape == (2, 3)
    assert [len(states[0]), states[1][0].shape] == [2, (2, 3)]
    assert cells.compute_output_shape((None, 3))[0] == (None, 3)


def test_initial_states_of_stacked_cells_may_be_flat():
    layer, x = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)]), data(2, 5, 3)
    h, c, other = data(2, 4), data(2, 4) + 1, data(2, 3)
    np.testing.assert_array_equal(layer(x, initial_state=[h, c, other]), layer(x, initial_state=[[h, c], other]))
    with pytest.raises(ValueError, match="initial_state must be 3 arrays; received 2"):
        layer(x, initial_state=[h, other])


@each_kind
def test_recurrent_dropout_is_the_same_at_every_step_and_keeps_what_is_carried(name):
    """Everything dropped: the state enters no product, but LSTM's c and GRU's h are carried over."""
    kind, _, _ = KINDS[name]
    layer, x = kind(3, recurrent_dropout=1.0), data(2, 4, 3)
    layer(x)
    layer.set_weights([w + 0.2 for w in layer.get_weights()])
    w, _, b = layer.get_weights()
    h = c = np.zeros((2, 3))
    for t in range(4):
        if name == "rnn":
            h = np.tanh(x[:, t] @ w + b)
        elif name == "lstm":
            i, f, g, o = np.split(x[:, t] @ w + b, 4, axis=-1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            z, r, g = np.split(x[:, t] @ w + b[0], 3, axis=-1)
            hz, hr, hg = np.split(b[1], 3)
            z = sigmoid(z + hz)
            h = z * h + (1 - z) * np.tanh(g + sigmoid(r + hr) * hg)
    np.testing.assert_allclose(layer(x, training=True), h, rtol=1e-5, atol=1e-6)
    half = layers.RNN(Summing(64, recurrent_dropout=0.5), return_sequences=True)
    y = np.array(half(np.zeros((1, 5, 1), np.float32), initial_state=np.ones((1, 64)), training=True))
    np.testing.assert_allclose(y, np.where(y[:, :1] > 0, 2.0 ** np.arange(1, 6)[:, None], 0))
    assert 10 < (y[0, 0] > 0).sum() < 54


class Summing(layers.SimpleRNNCell):
    """Its state is carried over as it is, but for dropout."""

    def __init__(self, units, **kwargs):
        super().__init__(
            units, "linear", kernel_initializer="zeros", recurrent_initializer=np.eye(units, dtype=np.float32), **kwargs
        )


@each_kind
def test_zeros_in_place_of_masked_outputs(name):
    kind, _, _ = KINDS[name]
    x = data(3, 5, 3)
    plain = kind(4, return_sequences=True)
    y = np.array(plain(x, mask=MASK))
    for backwards in (False, True):
        zero = kind(4, return_sequences=True, zero_output_for_mask=True, go_backwards=backwards)
        zero.build(x.shape)
        zero.set_weights(plain.get_weights())
        found = np.array(zero(x, mask=MASK))
        order = MASK[:, ::-1] if backwards else MASK
        assert not found[~order].any()
        if not backwards:
            np.testing.assert_array_equal(found[order], y[order])
    assert kind.from_config(zero.get_config()).zero_output_for_mask
    last = kind(4, zero_output_for_mask=True)
    last.build(x.shape)
    last.set_weights(plain.get_weights())
    assert not np.array(last(x, mask=MASK))[1].any()


STATEFUL = {
    **{name: lambda k=kind, **o: k(4, stateful=True, **o) for name, (kind, _, _) in KINDS.items()},
    "own": lambda **o: layers.RNN(Leaky(4, start=0.5), stateful=True, **o),
    "stacked": lambda **o: layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)], stateful=True, **o),
}
each_stateful = pytest.mark.parametrize("name", STATEFUL)


@each_stateful
def test_the_gradient_reads_the_state_before_not_the_one_kept(name):
    layer, x = STATEFUL[name](), tensor(data(2, 3, 3))
    layer(x)
    start = [np.array(s) for s in layer.states]
    gradients = []
    for given in (None, start):
        layer.reset_state(start)
        with GradientTape() as tape:
            y = layer(x, initial_state=given)
        gradients.append([np.array(g) for g in tape.gradient(y, layer.trainable_variables)])
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@each_stateful
@pytest.mark.parametrize("masked", [False, True])
def test_stateful_training_is_recorded_as_it_runs(name, masked):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((24, 5, 3)).astype(np.float32)
    if masked:
        x[:, 3] = 0
    y = rng.standard_normal((24, 1)).astype(np.float32)
    histories, states = [], []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(2)
        rnn = STATEFUL[name]()
        model = dlbd.Sequential([*([layers.Masking()] if masked else []), rnn, layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eagerly)
        reset = dlbd.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs, rnn=rnn: rnn.reset_state())
        options = {"batch_size": 4, "shuffle": False, "verbose": 0}
        history = model.fit(x, y, epochs=2, callbacks=[reset], **options).history["loss"]
        histories.append(history + model.fit(x, y, epochs=1, **options).history["loss"])
        states.append([np.array(s) for s in rnn.states])
    assert histories[0] == histories[1]
    for a, b in zip(*states, strict=True):
        np.testing.assert_array_equal(a, b)


@each_stateful
def test_stateful_predictions_begin_where_the_last_ended(name):
    x = data(2, 12, 3)
    layer = STATEFUL[name](return_sequences=True)
    model = dlbd.Sequential([layer])
    parts = [model.predict(part, verbose=0) for part in np.split(x, 4, axis=1)]
    layer.reset_state()
    np.testing.assert_allclose(np.concatenate(parts, axis=1), layer(x), rtol=1e-4, atol=1e-5)


@each_stateful
def test_another_batch_size_needs_a_reset(name):
    layer = STATEFUL[name]()
    layer(data(2, 3, 3))
    with pytest.raises(
        ValueError, match=r"kept state.*\(batch, units\) = \(3, 4\); received \(2, 4\); call reset_state"
    ):
        layer(data(3, 3, 3))
    layer.reset_states()
    first = np.array(layer(data(3, 3, 3)))
    layer.reset_state()
    np.testing.assert_array_equal(layer(data(3, 3, 3)), first)


def test_reset_to_given_states():
    layer, x, h = layers.GRU(4, stateful=True), data(2, 3, 3), data(2, 4)
    layer.reset_state(h)
    found = np.array(layer(x))
    np.testing.assert_array_equal(layer(x, initial_state=h), found)
    np.testing.assert_array_equal(layer.states[0], found)
    with pytest.raises(ValueError, match="states must be 1 arrays; received 2"):
        layer.reset_state([h, h])
    with pytest.raises(ValueError, match="not stateful"):
        layers.GRU(4).reset_state()


def test_an_initial_state_of_another_batch_size_says_so():
    wanted = r"layer 'r'.*initial_state must be \(batch, units\) = \(2, 4\); received \(5, 4\)\. The first axis"
    with pytest.raises(ValueError, match=wanted):
        layers.SimpleRNN(4, name="r")(data(2, 5, 3), initial_state=np.zeros((5, 4)))


def test_states_go_from_an_encoder_to_a_decoder():
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((8, 4, 3)).astype(np.float32) for _ in range(2))
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(1)
        first, second = dlbd.Input((None, 3)), dlbd.Input((None, 3))
        _, h, c = layers.LSTM(4, return_state=True)(first)
        decoded = layers.LSTM(4, return_sequences=True)(second, initial_state=[h, c])
        model = dlbd.Model([first, second], layers.TimeDistributed(layers.Dense(3))(decoded))
        assert model.output_shape == (None, None, 3)
        model.compile("adam", "mse", run_eagerly=eagerly)
        losses.append(model.fit([x, y], y, batch_size=4, epochs=3, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


@each_kind
def test_options_of_weights_reach_the_cell(name):
    kind, _, _ = KINDS[name]
    layer = kind(4, kernel_regularizer="l2", recurrent_constraint="unit_norm")
    layer.build((None, 5, 3))
    assert layer.kernel.regularizer is not None
    assert layer.recurrent_kernel.constraint is not None
    assert layer.bias.regularizer is None
    np.testing.assert_allclose(float(layer.losses[0]), 0.01 * (layer.get_weights()[0] ** 2).sum(), rtol=1e-5)
    again = kind.from_config(layer.get_config())
    again.build((None, 5, 3))
    assert again.kernel.regularizer is not None
    assert again.get_config() == layer.get_config()


@each_kind
def test_what_the_cell_knows_the_layer_says(name):
    kind, _, _ = KINDS[name]
    layer = kind(4, activation="relu", dropout=0.25)
    assert (layer.units, layer.dropout, layer.activation) == (4, 0.25, dlbd.activations.relu)
    layer.dropout = 0.0
    assert layer.cell.dropout == 0
    layer.trainable = False
    layer(data(1, 2, 3))
    assert not layer.trainable_variables


def test_cells_that_are_none():
    class NoState(layers.Layer):
        def call(self, inputs, states):
            return inputs, states

    for wrong in (layers.Dense, NoState(), None):
        with pytest.raises(TypeError, match="a cell is a Layer with state_size"):
            layers.RNN(wrong)
    with pytest.raises(TypeError, match="a cell is a Layer"):
        layers.RNN([layers.LSTMCell(3), layers.Dense(3)])


def test_an_unregistered_cell_is_not_loaded():
    class Unknown(Leaky):
        pass

    config = dlbd.saving.serialize_keras_object(layers.RNN(Unknown(3)))
    with pytest.raises(ValueError, match=r"'Unknown'.*register it"):
        dlbd.saving.deserialize_keras_object(config)
    again = dlbd.saving.deserialize_keras_object(config, custom_objects={"Unknown": Unknown})
    assert type(again.cell) is Unknown


def test_sequences_of_length_zero():
    y, *states = layers.RNN(Leaky(4, start=2.0), return_sequences=True, return_state=True)(data(2, 0, 3))
    assert y.shape == (2, 0, 4)
    np.testing.assert_array_equal(states[0], np.full((2, 4), 2.0))
    assert layers.RNN(Leaky(4))(data(2, 0, 3)).shape == (2, 4)


def test_cells_over_steps_that_are_no_vectors():
    class Frames(layers.Layer):
        state_size = 1

        def call(self, inputs, states):
            h = states[0] + ops.mean(inputs, axis=(1, 2, 3), keepdims=True)[:, 0, 0]
            return h, [h]

    x = data(2, 5, 4, 4, 3)
    np.testing.assert_allclose(layers.RNN(Frames())(x)[:, 0], x.mean((2, 3, 4)).sum(1), rtol=1e-5, atol=1e-6)
