"""Models on a GPU: the same numbers as on the CPU, recorded steps, nothing that waits in between."""

from __future__ import annotations

import ctypes
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, config, layers, models, optimizers

cupy = pytest.importorskip("cupy", reason="no GPU")


@pytest.fixture(autouse=True)
def on_gpu():
    config.set_device("cuda:0")
    yield
    config.set_device("cpu")


def mlp():
    return [layers.Input((20,)), layers.Dense(16, activation="relu"), layers.Dropout(0.25), layers.Dense(4)]


def cnn():
    return [
        layers.Input((8, 8, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(4),
    ]


def lstm():
    return [layers.Input((6, 5)), layers.LSTM(8, return_sequences=True), layers.GRU(6), layers.Dense(4)]


def embedding():
    return [
        layers.Input((5,), dtype="int32"),
        layers.Embedding(10, 8),
        layers.LayerNormalization(),
        layers.Flatten(),
        layers.Dense(4),
    ]


PROGRAMS = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "embedding": embedding}


def trained(program, device, steps=20, optimizer="adam"):
    """The losses of the first steps, the weights after them, and the model."""
    rng = np.random.default_rng(0)
    with dlbd.device(device):
        dlbd.utils.set_random_seed(7)
        model = models.Sequential(PROGRAMS[program]())
        shape = (16 * steps, *model.input_shape[1:])
        x = rng.integers(0, 10, shape).astype(np.int32) if program == "embedding" else rng.standard_normal(shape)
        y = rng.integers(0, 4, len(x))
        loss = dlbd.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
        seen = []
        each = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"] * (batch + 1)))
        model.fit(x, y, batch_size=16, epochs=1, verbose=0, callbacks=[each])
        return np.diff([0.0, *seen]), model.get_weights(), model


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_first_20_losses_are_those_of_the_cpu(program):
    on_cpu, weights_cpu, _ = trained(program, "cpu")
    on_gpu, weights_gpu, model = trained(program, "cuda:0")
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-4)
    assert all(v.device == "cuda:0" for v in model.weights)
    for a, b in zip(weights_gpu, weights_cpu, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad"])
def test_other_optimizers_agree_too(optimizer):
    np.testing.assert_allclose(
        trained("mlp", "cuda:0", optimizer=optimizer)[0], trained("mlp", "cpu", optimizer=optimizer)[0], rtol=1e-4
    )


def test_a_seed_gives_the_same_bits_again():
    first, second = (trained("cnn", "cuda:0", steps=5)[1] for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_evaluate_predict_weights_and_pickle():
    _, weights, model = trained("cnn", "cuda:0", steps=3)
    x = np.random.default_rng(1).standard_normal((10, 8, 8, 1)).astype(np.float32)
    y = np.arange(10) % 4
    predicted = model.predict(x, verbose=0)
    assert type(predicted) is np.ndarray
    np.testing.assert_array_equal(model.predict(x, verbose=0), predicted)
    np.testing.assert_allclose(model.predict(x, batch_size=3, verbose=0), predicted, rtol=1e-4, atol=1e-5)
    loss, accuracy = model.evaluate(x, y, verbose=0)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(x, verbose=0), predicted)
    assert copy.evaluate(x, y, verbose=0) == [loss, accuracy]
    with dlbd.device("cpu"):
        host = models.Sequential(cnn())
        host.set_weights(model.get_weights())
        np.testing.assert_allclose(host.predict(x, verbose=0), predicted, rtol=1e-4, atol=1e-5)
    model.set_weights([np.zeros_like(w) for w in weights])
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.zeros((10, 4)))


def test_data_that_lies_on_the_gpu_is_read_there():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((40, 20)), rng.integers(0, 4, 40)

    def losses(x, y):
        dlbd.utils.set_random_seed(3)
        model = models.Sequential(mlp())
        model.compile("sgd", dlbd.losses.SparseCategoricalCrossentropy(from_logits=True))
        history = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history["loss"]
        return history, model.predict(x, verbose=0)

    wanted, outputs = losses(x, y)
    found, same_outputs = losses(cupy.asarray(x.astype(np.float32)), cupy.asarray(y))
    assert found == wanted
    np.testing.assert_array_equal(same_outputs, outputs)
    assert losses(cupy.asarray(x.astype(np.float32)), y)[0] == wanted  # one here, the other there


def test_a_bad_label_ends_fit_and_its_update_did_not_happen():
    model = models.Sequential(mlp())
    model.compile(optimizers.SGD(1.0), dlbd.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    with pytest.raises(ValueError, match="label 9 at position 3 is out of range"):
        model.fit(np.ones((4, 20)), np.array([0, 1, 2, 9]), batch_size=4, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_recorded_step_is_a_graph():
    _, _, model = trained("mlp", "cuda:0", steps=3)
    from dlbd import _cuda

    (steps,) = model.__dict__["_train_steps"].values()
    recorded = [s for free in steps._free.values() for s in free]
    assert recorded
    assert all(isinstance(s._replay.__self__, _cuda.Recording) for s in recorded)


def test_a_step_that_cannot_be_a_graph_is_launched_one_by_one():
    from dlbd import _cuda

    if "emulation" not in _cuda.build:
        pytest.skip("only the emulation can refuse to make a graph")
    refuse = ctypes.CDLL(_cuda.__file__).cuda_emulation_refuse_graphs
    wanted, weights, _ = trained("mlp", "cuda:0", steps=4)
    refuse(True)
    try:
        with pytest.warns(
            RuntimeWarning, match=r"cannot make a graph of a step \(.*\): its kernels are launched one by"
        ):
            found, same, _ = trained("mlp", "cuda:0", steps=4)
    finally:
        refuse(False)
    np.testing.assert_array_equal(found, wanted)
    for a, b in zip(weights, same, strict=True):
        np.testing.assert_array_equal(a, b)


def scheduled():
    """Everything that an optimizer might ask the device for."""
    schedule = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    options = {"use_ema": True, "gradient_accumulation_steps": 2, "loss_scale_factor": 8.0, "clipnorm": 1.0}
    return optimizers.Adam(schedule, **options)


@pytest.mark.parametrize("optimizer", [lambda: "adam", scheduled], ids=["adam", "scheduled"])
def test_training_steps_do_not_wait_for_the_device(optimizer):
    from dlbd import _cuda

    if "emulation" not in _cuda.build:
        pytest.skip("only the emulation counts how often the host waits")
    waits = ctypes.CDLL(_cuda.__file__).cuda_emulation_synchronizations
    seen = []
    _, _, model = trained("mlp", "cuda:0", steps=2, optimizer=optimizer())
    model.weights[0].constraint = dlbd.constraints.MaxNorm(2.0)
    rng = np.random.default_rng(4)
    count = callbacks.LambdaCallback(on_epoch_begin=lambda *_: seen.append(waits()))
    steps = 10
    x, y = rng.standard_normal((16 * steps, 20)), rng.integers(0, 4, 16 * steps)
    model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[count])
    assert max(np.diff(seen)) < steps / 2  # the loss and the metric are read once an epoch
