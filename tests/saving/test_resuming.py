"""Training that is cut short after each batch in turn, and taken up by the same program."""

import os

import numpy as np
import pytest

import dlbd
from dlbd import Input, Model, Sequential, callbacks, layers, losses, metrics, optimizers
from tests.saving.models import MAKERS, data, dense, late, recurrent

EPOCHS = 3


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Nobody pulls the plug here; test_killed.py is about that."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Cut(Exception):
    pass


class CutAfter(callbacks.Callback):
    """Ends the program after so many batches of its own, before anything of it is written down."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_begin(self, batch, logs=None):
        if self.left == 0:
            raise Cut
        self.left -= 1


class EveryBatch(callbacks.Callback):
    """Remembers what it is told."""

    remembered = ("told",)

    def on_train_begin(self, logs=None):
        self.told = []

    def on_train_batch_end(self, batch, logs=None):
        self.told.append([batch, logs["loss"]])


def compiled(make, **options):
    model = make()
    model.compile(**({"optimizer": "adam", "loss": "mse", "metrics": ["mae"]} | options))
    return model


def train(folder, make_model, fit, batches=None, save_freq=1):
    """A program: what it ends with, or None if it is cut short after so many batches."""
    dlbd.utils.set_random_seed(3)
    model = make_model()
    told = EveryBatch()
    backup = [] if folder is None else [callbacks.BackupAndRestore(folder, save_freq=save_freq)]
    cut = CutAfter(-1 if batches is None else batches)
    try:
        history = fit(model, [*backup, told, cut])
    except Cut:
        return None
    return model.get_weights(), history.history, history.epoch, told.told, dlbd.random.next_seed()


def check(folder, make_model, fit, save_freq=1, cuts=None):
    wanted = train(None, make_model, fit)
    for batches in range(1, len(wanted[3])) if cuts is None else cuts:
        assert train(folder, make_model, fit, batches, save_freq) is None
        found = train(folder, make_model, fit, save_freq=save_freq)
        for a, b in zip(wanted[0], found[0], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_equal(found[1:], wanted[1:])
        assert os.listdir(folder) == []


@pytest.mark.parametrize("make", MAKERS)
def test_models(tmp_path, make):
    def fit(model, told):
        x, y = data(make, n=20)
        return model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=told, validation_data=(x, y))

    check(tmp_path, lambda: compiled(make), fit)


@pytest.mark.parametrize("save_freq", ["epoch", 2, 3, 5])
@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_how_often_it_is_saved(tmp_path, save_freq, shuffle):
    def fit(model, told):
        x, y = data(dense, n=30)
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=told, shuffle=shuffle)

    check(tmp_path, lambda: compiled(dense), fit, save_freq)


def test_cut_short_again_and_again(tmp_path):
    def fit(model, told):
        x, y = data(dense, n=30)
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=told)

    def make():
        return compiled(dense)

    wanted = train(None, make, fit)
    for _ in range(len(wanted[3]) - 1):
        assert train(tmp_path, make, fit, batches=1) is None
    np.testing.assert_equal(train(tmp_path, make, fit), wanted)


STREAMS = {
    "a generator": lambda items: (item for item in items * EPOCHS),
    "an iterable": lambda items: type("Items", (), {"__iter__": lambda self: iter(items)})(),
    "indices": lambda items: type("Items", (), {"__len__": lambda s: 5, "__getitem__": lambda s, i: items[i]})(),
}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("steps", [2, 3, 5, 7])
def test_streams(tmp_path, kind, steps):
    x, y = data(dense, n=40)
    items = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 40, 8)]
    epochs = EPOCHS if kind != "a generator" else 15 // steps

    def fit(model, told):
        stream = STREAMS[kind](items)
        return model.fit(stream, epochs=epochs, steps_per_epoch=steps, verbose=0, callbacks=told)

    check(tmp_path, lambda: compiled(dense), fit, cuts=[1, 2, 4, 5])


def test_arrays_that_epochs_go_on_in(tmp_path):
    def fit(model, told):
        x, y = data(dense, n=30)
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, steps_per_epoch=3, verbose=0, callbacks=told)

    for save_freq in (1, "epoch"):
        check(tmp_path, lambda: compiled(dense), fit, save_freq)


def test_validation_by_a_stream_that_goes_on(tmp_path):
    x, y = data(dense, n=24)

    def fit(model, told):
        validation = ((x[i : i + 2], y[i : i + 2]) for i in range(0, 24, 2))
        return model.fit(
            x,
            y,
            epochs=EPOCHS,
            validation_data=validation,
            validation_steps=3,
            verbose=0,
            callbacks=told,
            batch_size=12,
        )

    check(tmp_path, lambda: compiled(dense), fit)


def test_a_generator_that_draws_from_our_random_numbers(tmp_path):
    x, y = data(dense, n=16)

    def drawn():
        while True:
            chosen = dlbd.random.generator().integers(0, 16, 4)
            yield x[chosen], y[chosen]

    def fit(model, told):
        return model.fit(drawn(), epochs=EPOCHS, steps_per_epoch=3, verbose=0, callbacks=told)

    check(tmp_path, lambda: compiled(dense), fit)


def test_metrics_that_are_made_by_the_first_batch(tmp_path):
    def make():
        model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(3, activation="softmax")])
        kinds = ["accuracy", metrics.F1Score(average="macro"), metrics.AUC(multi_label=True), metrics.R2Score()]
        model.compile("sgd", "crossentropy", metrics=kinds, weighted_metrics=["accuracy"])
        return model

    def fit(model, told):
        x = np.random.default_rng(0).random((20, 4))
        y = np.eye(3)[np.arange(20) % 3]
        return model.fit(x, y, sample_weight=np.arange(20.0), batch_size=6, epochs=2, verbose=0, callbacks=told)

    check(tmp_path, make, fit)


def test_several_outputs(tmp_path):
    def make():
        a = Input((4,))
        h = layers.Dense(3)(a)
        model = Model(a, {"u": layers.Dense(1, name="u")(h), "v": layers.Dense(2, activation="softmax", name="v")(h)})
        model.compile("adam", {"u": "mse", "v": "crossentropy"}, {"u": 0.5}, metrics={"v": ["accuracy"], "u": ["mae"]})
        return model

    def fit(model, told):
        x = np.random.default_rng(0).random((20, 4))
        y = {"u": x[:, :1], "v": np.arange(20) % 2}
        return model.fit(x, y, batch_size=6, epochs=2, verbose=0, callbacks=told)

    check(tmp_path, make, fit)


def test_a_step_of_ones_own(tmp_path):
    """With two optimizers, a metric of its own, and noise that no layer draws."""

    class Two(Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(3), layers.Dense(1)
            self.other = optimizers.RMSprop(0.01)
            self.tracker = metrics.Mean(name="size")

        def call(self, inputs):
            return self.second(self.first(inputs))

        def train_step(self, data):
            x, y = data
            x = x + dlbd.random.normal(x.shape)
            with dlbd.GradientTape() as tape:
                error = losses.mean_squared_error(y, self(x))
                loss = dlbd.ops.mean(error)
            variables = self.first.trainable_variables + self.second.trainable_variables
            gradients = tape.gradient(loss, variables)
            self.optimizer.apply_gradients(zip(gradients[:2], variables[:2], strict=True))
            self.other.apply_gradients(zip(gradients[2:], variables[2:], strict=True))
            self.tracker.update_state(error)
            return {"loss": loss, "size": self.tracker.result()}

    def make():
        return compiled(Two, metrics=None)

    def fit(model, told):
        x, y = data(dense, n=20)
        return model.fit(x, y, batch_size=6, epochs=2, verbose=0, callbacks=told)

    check(tmp_path, make, fit)


def test_stateful_layers(tmp_path):
    def make():
        return compiled(
            lambda: Sequential([Input(batch_shape=(4, 3, 2)), layers.GRU(3, stateful=True), layers.Dense(1)])
        )

    def fit(model, told):
        x = np.random.default_rng(0).random((16, 3, 2))
        return model.fit(x, x[:, 0, :1], batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=told)

    check(tmp_path, make, fit)


def test_learning_rates_that_callbacks_set(tmp_path):
    def fit(model, told):
        x, y = data(dense, n=20)
        slower = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7)
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[slower, *told])

    check(tmp_path, lambda: compiled(dense), fit)


class StopAt(callbacks.Callback):
    """Stops training after a batch or an epoch."""

    def __init__(self, epoch=None, batch=None):
        super().__init__()
        self.epoch, self.batch = epoch, batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            self.model.stop_training = True


class CutAt(callbacks.Callback):
    """Ends the program at a stage."""

    def __init__(self, stage):
        super().__init__()
        if stage is not None:
            setattr(self, stage, self.cut)

    def cut(self, *args):
        raise Cut


OPTIMIZERS = {
    "a schedule": lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.1, 2, 0.7)),
    "averages": lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3),
    "accumulation": lambda: optimizers.AdamW(0.01, gradient_accumulation_steps=3, global_clipnorm=0.5),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers(tmp_path, kind):
    def fit(model, told):
        x, y = data(dense, n=20)
        swap = [callbacks.SwapEMAWeights(swap_on_epoch=True)] if kind == "averages" else []
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[*swap, *told], validation_data=(x, y))

    for save_freq in (1, "epoch"):
        check(tmp_path, lambda: compiled(dense, optimizer=OPTIMIZERS[kind]()), fit, save_freq)


@pytest.mark.parametrize(
    ("stop", "stage", "save_freq"),
    [({"batch": 1}, "on_epoch_end", 1), ({"epoch": 1}, "on_train_end", "epoch"), ({"epoch": 1}, "on_train_end", 2)],
)
def test_training_that_was_about_to_stop(tmp_path, stop, stage, save_freq):
    """The decision goes on, too: no more batches, no more epochs."""

    def run(cut_at):
        def fit(model, told):
            x, y = data(dense, n=30)
            told = [StopAt(**stop), CutAt(cut_at), *told]
            return model.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=told)

        return train(tmp_path, lambda: compiled(dense), fit, save_freq=save_freq)

    wanted = run(None)
    assert run(stage) is None
    np.testing.assert_equal(run(None), wanted)


# Files that are not what they should be


def interrupted(folder, make=dense, batches=7, **options):
    x, y = data(make, n=30)
    model = compiled(make)
    told = [callbacks.BackupAndRestore(folder, save_freq=1, **options), CutAfter(batches)]
    with pytest.raises(Cut):
        model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=told)


def broken(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def test_a_broken_file_and_the_one_before(tmp_path):
    def fit(model, told):
        x, y = data(dense, n=30)
        backup = callbacks.BackupAndRestore(tmp_path, save_freq=1, double_checkpoint=True)
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[backup, *told])

    def make():
        return compiled(dense)

    wanted = train(None, make, fit)
    assert train(None, make, fit, 6) is None
    assert sorted(os.listdir(tmp_path)) == ["training.dlbd", "training.previous.dlbd"]
    broken(tmp_path / "training.dlbd")
    np.testing.assert_equal(train(None, make, fit), wanted)
    assert os.listdir(tmp_path) == []


def test_a_broken_file_alone(tmp_path):
    interrupted(tmp_path)
    broken(tmp_path / "training.dlbd")
    x, y = data(dense)
    with pytest.raises(ValueError, match=r"training\.dlbd: is broken"):
        compiled(dense).fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path)])


def test_another_training(tmp_path):
    interrupted(tmp_path)
    backup = callbacks.BackupAndRestore(tmp_path)
    x, y = data(dense, n=30)
    with pytest.raises(ValueError, match=r"training\.dlbd: is not of this training \(.*weights.*delete it"):
        compiled(late).fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[backup, CutAfter(-1)])
    with pytest.raises(ValueError, match=r"the callbacks were \['CutAfter', 'History'\], and are \['History'\]"):
        compiled(dense).fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[backup])
    with pytest.raises(ValueError, match=r"is not of this training \(the optimizer's state"):
        compiled(dense, optimizer="sgd").fit(x, y, batch_size=8, verbose=0, callbacks=[backup, CutAfter(-1)])
    with pytest.raises(ValueError, match="the data ends before batch"):
        compiled(dense).fit(x[:3], y[:3], batch_size=8, verbose=0, callbacks=[backup, CutAfter(-1)])
    compiled(dense).save(tmp_path / "training.dlbd")
    with pytest.raises(ValueError, match="holds no training that could go on"):
        compiled(dense).fit(x, y, verbose=0, callbacks=[backup])


def test_what_was_trained_already(tmp_path):
    """Without delete_checkpoint the state stays: a second start has nothing to do, more epochs go on."""
    x, y = data(dense, n=30)

    def fit(epochs):
        dlbd.utils.set_random_seed(0)
        model = compiled(dense)
        backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        history = model.fit(x, y, epochs=epochs, verbose=0, callbacks=[backup])
        return model.get_weights(), history.epoch

    weights, epochs = fit(2)
    again, same_epochs = fit(2)
    np.testing.assert_equal(again, weights)
    assert same_epochs == epochs == [0, 1]
    assert fit(4)[1] == [0, 1, 2, 3]


def test_what_cannot_be_remembered(tmp_path):
    class Odd(EveryBatch):
        def on_epoch_end(self, epoch, logs=None):
            self.told = {"set": {1, 2}}

    x, y = data(dense)
    with pytest.raises(TypeError, match=r"training/callbacks/0/1/told/set: only numbers, strings, arrays.*\{1, 2\}"):
        compiled(dense).fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path), Odd()])


def test_arguments():
    for wrong in (0, -1, "batch", True):
        with pytest.raises(ValueError, match="save_freq must be"):
            callbacks.BackupAndRestore("folder", save_freq=wrong)
    with pytest.raises(ValueError, match="empty"):
        callbacks.BackupAndRestore("")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    x, y = data(dense)
    with pytest.raises(OSError, match="file"):
        compiled(dense).fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "file")])


def test_csv_files_are_cut_to_what_is_true(tmp_path):
    def fit(model, told):
        x, y = data(recurrent, n=20)
        log = callbacks.CSVLogger(tmp_path / "log.csv", append=True)
        return model.fit(x, y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[log, *told])

    def make():
        return compiled(recurrent)

    (tmp_path / "log.csv").write_text("of an earlier run\n")
    train(None, make, fit)
    wanted = (tmp_path / "log.csv").read_bytes()
    for batches in range(1, 9):
        (tmp_path / "log.csv").write_text("of an earlier run\n")
        assert train(tmp_path / "backup", make, fit, batches, save_freq=2) is None
        if batches > 1:  # before, there is no backup: the program begins anew
            with open(tmp_path / "log.csv", "a") as file:
                file.write("half of a li")
        train(tmp_path / "backup", make, fit, save_freq=2)
        assert (tmp_path / "log.csv").read_bytes() == wanted
