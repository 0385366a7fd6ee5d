import math
import sys

import numpy as np
import pytest

import dlbd
from dlbd import callbacks
from tests.models.programs import blobs, mlp, same


def test_stages_in_order():
    told = []

    class Spy(callbacks.Callback):
        pass

    for stage in ("train", "test"):
        for end in ("begin", "end"):
            setattr(Spy, f"on_{stage}_{end}", lambda self, logs=None, s=f"{stage} {end}": told.append(s))
            setattr(Spy, f"on_{stage}_batch_{end}", lambda self, i, logs=None, s=f"{stage} batch {end}": told.append(s))
    for end in ("begin", "end"):
        setattr(Spy, f"on_epoch_{end}", lambda self, i, logs=None, s=f"epoch {end}": told.append(s))
    x, y = blobs(40)
    mlp().fit(x, y, batch_size=20, validation_data=(x[:10], y[:10]), verbose=0, callbacks=Spy())
    batch = ["train batch begin", "train batch end"]
    test = ["test begin", "test batch begin", "test batch end", "test end"]
    assert told == ["train begin", "epoch begin", *batch * 2, *test, "epoch end", "train end"]


def test_logs_of_batches_are_running_means():
    x, y = blobs(64)
    seen = []
    model = mlp(optimizer=dlbd.optimizers.SGD(0.0))
    spy = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    model.fit(x, y, shuffle=False, verbose=0, callbacks=[spy])
    first = model.evaluate(x[:32], y[:32], verbose=0)[0]
    second = model.evaluate(x[32:], y[32:], verbose=0)[0]
    assert seen == pytest.approx([first, (first + second) / 2], rel=1e-6)


def test_early_stopping():
    x, y = blobs()
    model = mlp(optimizer=dlbd.optimizers.SGD(0.0))
    stopper = callbacks.EarlyStopping(monitor="loss", patience=2, restore_best_weights=True)
    assert model.fit(x, y, epochs=20, shuffle=False, verbose=0, callbacks=[stopper]).epoch == [0, 1, 2]
    assert stopper.stopped_epoch == 2


@pytest.mark.parametrize(
    ("monitor", "values", "stopped"),
    [("val_loss", [3, 2, 1, 1.5, 1.2, 0.5], 4), ("val_accuracy", [0.1, 0.5, 0.4, 0.3, 0.9], 3)],
)
def test_early_stopping_directions(monitor: str, values: list, stopped: int):
    class Model:
        stop_training = False

    stopper = callbacks.EarlyStopping(monitor=monitor, patience=2)
    stopper.set_model(Model())
    stopper.on_train_begin()
    for epoch, value in enumerate(values):
        stopper.on_epoch_end(epoch, {monitor: value})
        if stopper.model.stop_training:
            break
    assert epoch == stopped


@pytest.mark.parametrize(
    ("options", "values", "stopped", "best"),
    [  # what Keras's EarlyStopping did
        ({}, [math.nan] * 4, 2, 0),
        ({}, [1, math.nan, 0.5, 0.6, 0.7], 4, 2),
        ({"baseline": 0.6}, [1, 0.8, 0.7, 0.65], 0, 3),
        ({"baseline": 0.6, "min_delta": 0.1}, [0.55, 0.4, 0.45, 0.35], 3, 1),
        ({"min_delta": 0.3}, [1, 0.8, 0.6, 0.5, 0.4], 4, 2),
        ({"start_from_epoch": 2}, [1, 0.1, 0.6, 0.7, 0.65], 4, 2),
        ({"mode": "max"}, [1, 2, 1.5, 3, 2, 2], 5, 3),
    ],
)
def test_early_stopping_as_keras(options, values, stopped, best):
    class Model:
        stop_training = False

        def get_weights(self):
            return epoch

        def set_weights(self, weights):
            self.weights = weights

    stopper = callbacks.EarlyStopping("value", patience=2, restore_best_weights=True, **options)
    stopper.set_model(Model())
    stopper.on_train_begin()
    for epoch, value in enumerate(values):
        stopper.on_epoch_end(epoch, {"value": value})
        if stopper.model.stop_training:
            break
    stopper.on_train_end()
    assert (stopper.stopped_epoch, stopper.best_epoch, stopper.model.weights) == (stopped, best, best)


def test_early_stopping_restores_the_best_weights():
    x, y = blobs()
    model = mlp()
    kept = {}
    losses = iter([3.0, 1.0, 2.0, 2.5])

    class Keeper(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept[epoch] = self.model.get_weights()
            logs["fake"] = next(losses)

    stopper = callbacks.EarlyStopping("fake", patience=2, restore_best_weights=True)
    model.fit(x, y, epochs=10, verbose=0, callbacks=[Keeper(), stopper])
    for found, wanted in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_early_stopping_without_its_value_warns():
    x, y = blobs()
    with pytest.warns(UserWarning, match="'val_loss', which is not among"):
        mlp().fit(x, y, verbose=0, callbacks=[callbacks.EarlyStopping()])


@pytest.mark.parametrize("error", [BrokenPipeError, OSError(28, "No space left on device"), ValueError("closed file")])
def test_a_broken_stdout_does_not_end_training(monkeypatch, error):
    writes = []

    class Broken:
        def write(self, text):
            writes.append(text)
            raise error

        flush = write

        def isatty(self):
            return True

    x, y = blobs()
    found = []
    for out, verbose in ((sys.stdout, 0), (Broken(), 1), (Broken(), 2)):
        dlbd.utils.set_random_seed(0)
        model = mlp()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            history = model.fit(x, y, epochs=3, validation_split=0.2, verbose=verbose)
            evaluated = model.evaluate(x, y, verbose=verbose)
            predicted = model.predict(x, verbose=min(verbose, 1))
        assert history.epoch == [0, 1, 2]
        found.append([*model.get_weights(), predicted, np.array(evaluated), *map(np.array, history.history.values())])
    assert writes
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert same(found[0], found[1])
    assert same(found[0], found[2])
