"""Seed 004's RNN gives what real PyTorch gave (torch_rnn.npz, made by make_torch_rnn.py)."""

from pathlib import Path

import numpy as np
import pytest

import dlbd
from dlbd import layers

with np.load(Path(__file__).parent / "torch_rnn.npz") as file:
    GOLDEN = dict(file)
WEIGHTS = {name.removeprefix("weights/"): value for name, value in GOLDEN.items() if name.startswith("weights/")}
X = GOLDEN["x"]
BATCH, TIME, INPUT = X.shape
UNITS = GOLDEN["state"].shape[1]


def network(**options) -> dlbd.Sequential:
    top = [] if options else [layers.Dense(1, name="linear")]
    return dlbd.Sequential([dlbd.Input((None, INPUT)), layers.SimpleRNN(UNITS, name="rnn", **options), *top])


def loaded(**options) -> dlbd.Sequential:
    model = network(**options)
    names = {layer.name for layer in model.layers}
    dlbd.saving.load_torch_weights(model, {k: v for k, v in WEIGHTS.items() if k.split(".")[0] in names})
    return model


def assert_as_torch(found, key: str):
    np.testing.assert_allclose(np.asarray(found), GOLDEN[key], rtol=0, atol=1e-5, err_msg=key)


def test_169_parameters_become_161():
    assert sum(value.size for value in WEIGHTS.values()) == 169
    assert network().count_params() == 161


def test_weights_are_transposed_and_the_two_biases_added():
    kernel, recurrent_kernel, bias, top, top_bias = loaded().get_weights()
    np.testing.assert_array_equal(kernel, WEIGHTS["rnn.weight_ih_l0"].T)
    np.testing.assert_array_equal(recurrent_kernel, WEIGHTS["rnn.weight_hh_l0"].T)
    np.testing.assert_array_equal(bias, WEIGHTS["rnn.bias_ih_l0"] + WEIGHTS["rnn.bias_hh_l0"])
    np.testing.assert_array_equal(top, WEIGHTS["linear.weight"].T)
    np.testing.assert_array_equal(top_bias, WEIGHTS["linear.bias"])


def test_outputs():
    assert_as_torch(loaded().predict(X, verbose=0), "y")


def test_outputs_where_there_are_as_many_samples_as_time_steps():
    found = loaded().predict(X[:, :BATCH], verbose=0)
    assert_as_torch(found, "y_of_square")
    assert np.abs(found - GOLDEN["y_as_printed"]).max() > 0.1  # what the document's layout silently gives there


def test_sequence_and_last_state():
    sequence, last = loaded(return_sequences=True, return_state=True)(X)
    assert_as_torch(sequence, "sequence")
    assert_as_torch(last, "last")


def test_sequence_from_an_initial_state():
    layer = loaded(return_sequences=True).get_layer("rnn")
    assert_as_torch(layer(X, initial_state=GOLDEN["state"]), "sequence_from_state")


@pytest.mark.parametrize("shape", [(1, BATCH, UNITS), (TIME, UNITS), (1, UNITS), (BATCH, UNITS + 1)])
def test_an_initial_state_of_another_shape_is_refused(shape):
    layer = loaded().get_layer("rnn")
    with pytest.raises(ValueError, match=r"initial_state must be \(batch, units\) = \(6, 8\); received") as caught:
        layer(X, initial_state=np.zeros(shape, np.float32))
    assert str(shape) in str(caught.value)
    assert "'rnn'" in str(caught.value)
