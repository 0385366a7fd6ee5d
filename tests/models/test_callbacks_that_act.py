"""Callbacks that use the model while it trains, and steps that are cut short."""

import copy
import pickle
import threading

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, layers

from .programs import blobs, same


def program():
    dlbd.utils.set_random_seed(0)
    model = dlbd.Sequential(
        [
            layers.Dense(8, activation="tanh", input_shape=(6,)),
            layers.Dropout(0.2),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, *acts, **options):
    x, y = blobs(100)
    history = model.fit(x, y, batch_size=30, epochs=2, shuffle=False, verbose=0, callbacks=[*acts], **options)
    return [*model.get_weights(), *map(np.array, history.history.values())]


def twin_trains(model):
    twin = copy.deepcopy(model)
    twin.fit(*blobs(40), verbose=0, shuffle=False)


@pytest.mark.parametrize(
    "act",
    [
        lambda model: model.predict(blobs(40)[0]),
        lambda model: model(blobs(40)[0]),
        lambda model: pickle.loads(pickle.dumps(model)).predict(blobs(4)[0]),
        lambda model: model.set_weights(model.get_weights()),
        twin_trains,
        lambda model: layers.Dense(4)(np.ones((2, 3))),
    ],
    ids=["predict", "call", "pickle", "set-weights", "train-a-copy", "make-a-layer"],
)
def test_looking_at_the_model_between_batches_changes_nothing(act):
    wanted = fit(program())
    model = program()
    assert same(wanted, fit(model, callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: act(model))))


def test_evaluating_between_epochs_changes_nothing():
    model = program()
    x, y = blobs(40)
    spy = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model.evaluate(x, y, verbose=0))
    assert same(fit(program(), validation_split=0.2), fit(model, spy, validation_split=0.2))


def test_compiling_between_epochs_counts_at_once():
    model = program()
    weights = []

    def recompile(epoch, logs):
        model.compile(dlbd.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
        weights.append(model.layers[0].get_weights())

    fit(model, callbacks.LambdaCallback(on_epoch_end=recompile))
    assert same(*weights)
    assert list(model.history.history) == ["accuracy", "loss"]
    assert [len(values) for values in model.history.history.values()] == [1, 2]


def test_a_fit_inside_a_fit():
    model = program()
    x, y = blobs(40)
    inner = []

    def refine(epoch, logs):
        inner.append(model.fit(x, y, verbose=0))

    outer = callbacks.LambdaCallback(on_epoch_begin=refine)
    fit(model, outer)
    assert int(model.optimizer.iterations) == 2 * (2 + 4)
    assert [h.epoch for h in inner] == [[0], [0]]
    assert model.history.epoch == [0, 1]


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_an_interrupt_while_a_step_is_recorded(calls: int):
    """Wherever it comes, weights stay whole and the model trains on as if the step had not begun."""
    seen = []

    class Interrupted(layers.Layer):
        def call(self, x):
            seen.append(1)
            if len(seen) == calls:
                raise KeyboardInterrupt
            return x

    class Net(dlbd.Model):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Dense(4), Interrupted(), layers.Dense(1)]

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    x, _ = blobs(40)
    model = Net()
    model.compile("adam", "mse")
    for _ in range(2):
        try:
            model.fit(x, x.sum(1), batch_size=30, verbose=0)
        except KeyboardInterrupt:
            assert len(seen) == calls
    assert len(seen) > calls
    history = model.fit(x, x.sum(1), epochs=40, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_an_error_in_a_callback_leaves_the_model_as_it_was_then():
    model = program()
    kept = []

    def fail(batch, logs):
        if batch == 2:
            kept.extend(model.get_weights())
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        fit(model, callbacks.LambdaCallback(on_train_batch_end=fail))
    assert same(model.get_weights(), kept)
    assert int(model.optimizer.iterations) == 3
    fit(model)
    assert int(model.optimizer.iterations) == 3 + 8


def test_prediction_in_threads_while_the_model_trains_and_others_are_made():
    model, stop, problems = program(), threading.Event(), []
    x, _ = blobs(40)
    model.predict(x)

    def predict(rows: int):
        try:
            while not stop.is_set():
                y = model.predict(x[:rows])
                assert y.shape == (rows, 3)
                np.testing.assert_allclose(y.sum(1), 1, rtol=1e-4)
        except BaseException as error:
            problems.append(error)

    def make():
        try:
            while not stop.is_set():
                fit(program())
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=predict, args=(rows,)) for rows in (1, 7, 40)] + [threading.Thread(target=make)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        fit(model)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems
