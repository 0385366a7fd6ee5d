"""Callbacks that watch a value: EarlyStopping, ReduceLROnPlateau, StopAtThreshold."""

import math
import warnings

import numpy as np
import pytest

import dlbd
from dlbd import callbacks
from tests.models.programs import blobs, mlp


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

    stopper = callbacks.EarlyStopping("value", patience=2, restore_best_weights=True, **{"mode": "min"} | options)
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

    stopper = callbacks.EarlyStopping("fake", patience=2, mode="min", restore_best_weights=True)
    model.fit(x, y, epochs=10, verbose=0, callbacks=[Keeper(), stopper])
    for found, wanted in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_early_stopping_without_its_value_warns():
    x, y = blobs()
    with pytest.warns(UserWarning, match="'val_loss', which is not among"):
        mlp().fit(x, y, verbose=0, callbacks=[callbacks.EarlyStopping()])


def test_a_value_that_comes_with_the_next_validation_is_no_reason_to_warn():
    x, y = blobs()
    stopper = callbacks.EarlyStopping(patience=1)
    history = mlp().fit(x, y, epochs=4, validation_split=0.2, validation_freq=2, verbose=0, callbacks=[stopper])
    assert history.epoch == [0, 1, 2, 3]
    assert len(history.history["val_loss"]) == 2
    with pytest.warns(UserWarning, match="'val_f1'"):
        mlp().fit(
            x,
            y,
            epochs=2,
            validation_split=0.2,
            validation_freq=2,
            verbose=0,
            callbacks=[callbacks.EarlyStopping("val_f1")],
        )


def test_a_missing_value_is_told_of_once():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        mlp().fit(*blobs(), epochs=3, verbose=0, callbacks=[callbacks.EarlyStopping()])
    assert len(told) == 1


@pytest.mark.parametrize(
    ("monitor", "larger"),
    [
        ("loss", False),
        ("val_loss", False),
        ("val_head_loss", False),
        ("mean_squared_error", False),
        ("val_mae", False),
        ("binary_crossentropy", False),
        ("false_positives", False),
        ("accuracy", True),
        ("val_head_sparse_categorical_accuracy_1", True),
        ("acc", True),
        ("val_auc_2", True),
        ("f1_score", True),
        ("r2_score", True),
        ("mean_io_u", True),
        ("cosine_similarity", True),
        ("true_negatives", True),
        ("recall_at_precision", True),
    ],
)
def test_the_name_tells_what_is_better(monitor, larger):
    assert callbacks.EarlyStopping(monitor).larger_is_better == larger


def test_the_class_of_the_metric_tells_what_is_better():
    x, y = blobs()
    model = mlp(metrics=[dlbd.metrics.SparseCategoricalAccuracy(name="score")])
    stopper = callbacks.EarlyStopping("score", patience=99)
    model.fit(x, y, verbose=0, callbacks=[stopper])
    assert stopper.larger_is_better
    stopper = callbacks.EarlyStopping("other")
    stopper.set_model(model)
    with pytest.raises(ValueError, match="larger or a smaller 'other' is better: pass mode="):
        stopper.on_epoch_end(0, {"other": 1.0})


def test_an_array_cannot_be_watched():
    with pytest.raises(ValueError, match=r"monitor='accuracy' is an array of shape \(3,\)"):
        callbacks.EarlyStopping("accuracy").on_epoch_end(0, {"accuracy": np.ones(3)})


def test_a_wrong_mode():
    with pytest.raises(ValueError, match="\\[StopAtThreshold\\] mode must be"):
        callbacks.StopAtThreshold(1.0, mode="least")


@pytest.mark.parametrize(
    ("options", "values", "stopped"),
    [
        ({"threshold": 0.5}, [0.9, 0.6, 0.5, 0.4], 2),
        ({"threshold": 0.5}, [math.nan, 0.4], 1),
        ({"threshold": 0.5, "monitor": "val_accuracy"}, [0.1, 0.6], 1),
        ({"threshold": 0.5, "monitor": "score", "mode": "max"}, [0.1, 0.2], None),
    ],
)
def test_stopping_at_a_threshold(options, values, stopped, capsys):
    x, y = blobs()
    stop = callbacks.StopAtThreshold(verbose=1, **options)
    given = iter(values)
    tell = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({stop.monitor: next(given)}))
    history = mlp().fit(x, y, epochs=len(values), verbose=0, callbacks=[tell, stop])
    assert stop.stopped_epoch == stopped
    assert len(history.epoch) == (len(values) if stopped is None else stopped + 1)
    text = "" if stopped is None else f"Epoch {stopped + 1}: {stop.monitor} {values[stopped]} has reached 0.5\n"
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [  # what Keras's ReduceLROnPlateau did
        ({"patience": 2}, [1, 1, 1, 1, 1, 1], [1, 1, 1, 0.1, 0.1, 0.01]),
        ({"patience": 1, "cooldown": 2}, [1, 1, 1, 1, 1, 1], [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ({"patience": 1, "min_lr": 0.05}, [1, 1, 1, 1], [1, 1, 0.1, 0.05]),
        ({"patience": 1, "min_delta": 0.5}, [1, 0.6, 0.3, 0.2], [1, 1, 0.1, 0.1]),
        ({"patience": 1, "mode": "max"}, [1, 2, 3, 2.5, 4], [1, 1, 1, 1, 0.1]),
        ({"patience": 1}, [math.nan, math.nan, 1, 0.5], [1, 1, 0.1, 0.01]),
    ],
)
def test_plateaus_as_keras(options, values, rates):
    model = mlp(optimizer=dlbd.optimizers.SGD(1.0))
    given = iter(values)
    tell = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(value=next(given)))
    slower = callbacks.ReduceLROnPlateau("value", **{"mode": "min"} | options)
    history = model.fit(*blobs(), epochs=len(values), verbose=0, callbacks=[tell, slower])
    assert history.history["learning_rate"] == pytest.approx(rates, rel=1e-6)


def test_a_plateau_is_told_of(capsys):
    model = mlp(optimizer=dlbd.optimizers.SGD(0.0))
    slower = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, verbose=1)
    model.optimizer.learning_rate = 1e-30
    model.fit(*blobs(), epochs=2, verbose=0, callbacks=[slower])
    assert capsys.readouterr().out == "Epoch 2: the learning rate falls to 5e-31\n"


def test_a_factor_that_reduces_nothing():
    with pytest.raises(ValueError, match="factor must be less than 1; received 1"):
        callbacks.ReduceLROnPlateau(factor=1)
