"""CSVLogger, LearningRateScheduler, TerminateOnNaN, and stages of one's own."""

import csv
import math

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, layers
from dlbd.callbacks.terminate_on_nan import LOOK_EVERY
from tests.models.programs import blobs, mlp


def read(path, **options):
    with path.open(newline="") as file:
        return list(csv.reader(file, **options))


def test_csv(tmp_path):
    x, y = blobs()
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    history = mlp().fit(x, y, epochs=3, validation_split=0.2, verbose=0, callbacks=log)
    header, *rows = read(tmp_path / "log.csv")
    assert header == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    for column, name in enumerate(header[1:], 1):
        assert [float(row[column]) for row in rows] == history.history[name]
    mlp().fit(x, y, verbose=0, callbacks=log)  # begins anew
    assert [len(row) for row in read(tmp_path / "log.csv")] == [3, 3]


def test_csv_goes_on(tmp_path):
    path = tmp_path / "log.csv"
    model = mlp()
    for first in (0, 2):
        log = callbacks.CSVLogger(str(path), separator=";", append=True)
        model.fit(*blobs(), initial_epoch=first, epochs=first + 2, verbose=0, callbacks=log)
    assert [row[0] for row in read(path, delimiter=";")] == ["epoch", "0", "1", "2", "3"]


def test_csv_of_what_is_not_there_and_of_arrays(tmp_path):
    x, y = blobs()
    tell = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(classes=np.array([0.5, 0.25])))
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    mlp().fit(x, y, epochs=2, validation_split=0.2, validation_freq=2, verbose=0, callbacks=[tell, log])
    header, *rows = read(tmp_path / "log.csv")
    assert [row[header.index("val_loss")] == "NA" for row in rows] == [True, False]
    assert rows[0][header.index("classes")] == "[0.5, 0.25]"


def test_csv_is_whole_when_training_is_cut_short(tmp_path):
    def fail(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    log = callbacks.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(KeyboardInterrupt):
        mlp().fit(*blobs(), epochs=3, verbose=0, callbacks=[log, callbacks.LambdaCallback(on_epoch_begin=fail)])
    assert len(read(tmp_path / "log.csv")) == 3


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (lambda epoch, lr: lr / 2, [0.5, 0.25, 0.125]),
        (lambda epoch: 1.0 + epoch, [1.0, 2.0, 3.0]),
        (lambda *both: both[1] + both[0], [1.0, 2.0, 4.0]),
        (lambda epoch, lr: np.float32(0.5), [0.5] * 3),
        (lambda epoch, lr: 1, [1.0] * 3),
    ],
)
def test_learning_rates_by_epoch(schedule, rates):
    model = mlp(optimizer=dlbd.optimizers.SGD(1.0))
    scheduler = callbacks.LearningRateScheduler(schedule)
    history = model.fit(*blobs(), epochs=3, verbose=0, callbacks=[scheduler])
    assert history.history["learning_rate"] == rates
    assert float(model.optimizer.learning_rate) == rates[-1]


def test_the_learning_rate_counts_from_the_first_step_on():
    x, y = blobs()
    found = []
    for optimizer, schedule in ((dlbd.optimizers.SGD(0.5), []), (dlbd.optimizers.SGD(9.0), [lambda epoch: 0.5])):
        dlbd.utils.set_random_seed(0)
        model = mlp(optimizer=optimizer)
        model.fit(x, y, epochs=2, verbose=0, callbacks=[callbacks.LearningRateScheduler(s) for s in schedule])
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_schedule_that_gives_no_number():
    scheduler = callbacks.LearningRateScheduler(lambda epoch: None)
    with pytest.raises(TypeError, match="schedule must give a number; received None"):
        mlp().fit(*blobs(), verbose=0, callbacks=[scheduler])


def test_a_fault_inside_a_schedule_is_not_hidden():
    def schedule(epoch, lr):
        return len(epoch)

    with pytest.raises(TypeError, match="has no len"):
        mlp().fit(*blobs(), verbose=0, callbacks=[callbacks.LearningRateScheduler(schedule)])


def test_learning_rates_are_told_of(capsys):
    scheduler = callbacks.LearningRateScheduler(lambda epoch: 0.001, verbose=1)
    mlp().fit(*blobs(), verbose=0, callbacks=[scheduler])
    assert capsys.readouterr().out == "Epoch 1: the learning rate is 0.001\n"


def poisoned(batches, bad):
    """Batches, one of which has a NaN."""
    x, y = blobs(8 * batches)
    x[8 * bad, 0] = math.nan
    return x, y


@pytest.mark.parametrize(
    ("batches", "bad", "steps"), [(10, 3, 10), (40, 3, LOOK_EVERY), (40, LOOK_EVERY, 2 * LOOK_EVERY), (40, 39, 40)]
)
def test_a_loss_that_is_nan_ends_training(batches, bad, steps, capsys):
    model = mlp()
    x, y = poisoned(batches, bad)
    history = model.fit(x, y, batch_size=8, epochs=5, shuffle=False, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert int(model.optimizer.iterations) == steps
    assert history.epoch == [0]
    assert math.isnan(history.history["loss"][0])
    assert capsys.readouterr().out == "Epoch 1: the loss is nan, training ends\n"


def test_a_loss_that_is_nan_raises():
    x, y = poisoned(40, 3)
    with pytest.raises(RuntimeError, match=f"the loss is nan after batch {LOOK_EVERY}"):
        mlp().fit(x, y, batch_size=8, verbose=0, shuffle=False, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def test_a_loss_that_is_not_nan(capsys):
    assert mlp().fit(*blobs(), epochs=2, verbose=0, callbacks=[callbacks.TerminateOnNaN()]).epoch == [0, 1]
    assert capsys.readouterr().out == ""


def test_results_are_read_only_when_they_are_asked_for():
    reads, seen = [], []

    class Counted(dlbd.metrics.SparseCategoricalAccuracy):
        def result(self):
            reads.append(1)
            return super().result()

    class Reader(callbacks.Callback):
        def after_train_batch(self, batch, read):
            if batch % 4 == 0:
                seen.append((batch, sorted(read())))

    mlp(metrics=[Counted(name="score")]).fit(*blobs(), verbose=0, callbacks=[Reader()])
    assert seen == [(0, ["loss", "score"]), (4, ["loss", "score"])]
    assert len(reads) == 2 + 1  # and the epoch's


def test_old_names_of_batch_stages():
    told = []

    class Old(callbacks.Callback):
        def on_batch_begin(self, batch, logs=None):
            told.append(batch)

        def on_batch_end(self, batch, logs=None):
            told.append(sorted(logs))

    mlp().fit(*blobs(64), verbose=0, callbacks=[Old()])
    assert told == [0, ["accuracy", "loss"], 1, ["accuracy", "loss"]]


def test_model_and_params():
    seen = {}

    class Spy(callbacks.Callback):
        def set_params(self, params):
            super().set_params(params)
            seen.update(params)

        def on_train_begin(self, logs=None):
            seen["model"] = self.model

    model = mlp()
    model.fit(*blobs(), epochs=3, verbose=0, callbacks=[Spy()])
    assert seen == {"verbose": 0, "epochs": 3, "steps": 7, "model": model}


def test_vectors_and_matrices_in_logs_stay_whole_in_the_history(capsys):
    class PerClass(dlbd.metrics.Metric):
        def __init__(self):
            super().__init__(name="per_class")
            self.total = self.add_variable((2, 3), name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign(self.total + dlbd.ops.mean(y_pred, axis=0))

        def result(self):
            return self.total

    model = dlbd.Sequential([layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[PerClass()])
    history = model.fit(*blobs(), epochs=2, verbose=2, validation_split=0.5)
    assert "per_class: (2x3)" in capsys.readouterr().out
    assert [v.shape for v in history.history["per_class"]] == [(2, 3), (2, 3)]
    assert history.history["val_per_class"][0].sum() == pytest.approx(2 * 4, rel=1e-5)
    assert not np.shares_memory(*history.history["per_class"])
