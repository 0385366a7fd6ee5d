import os

import numpy as np
import pytest

import dlbd
from dlbd.callbacks import ModelCheckpoint
from dlbd.models import load_model
from tests.models.programs import blobs, mlp, same


class Model:
    """Says what is saved."""

    metrics = ()
    optimizer = None

    def __init__(self):
        self.saved = []

    def save(self, path):
        self.saved.append(path)

    def save_weights(self, path):
        self.saved.append(f"weights {path}")


def told(values, monitor="val_loss", **options):
    model = Model()
    callback = ModelCheckpoint(**{"filepath": "{epoch}.dlbd", "monitor": monitor, **options})
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {monitor: value})
    return model.saved, callback


def test_every_epoch():
    assert told([3, 2, 4], filepath="m-{epoch:02d}-{val_loss:.1f}.dlbd")[0] == [
        "m-01-3.0.dlbd",
        "m-02-2.0.dlbd",
        "m-03-4.0.dlbd",
    ]
    assert told([3, 2], filepath="m.dlbd", save_weights_only=True)[0] == ["weights m.dlbd"] * 2


@pytest.mark.parametrize(
    ("monitor", "values", "options", "saved"),
    [
        ("val_loss", [3, 2, 2, 4, 1], {}, [1, 2, 5]),
        ("val_accuracy", [0.3, 0.2, 0.4], {}, [1, 3]),
        ("own", [1, 2, 0], {"mode": "max"}, [1, 2]),
        ("val_loss", [3, 2, 1], {"initial_value_threshold": 2.5}, [2, 3]),
        ("val_loss", [float("nan"), 2, float("nan"), 1], {}, [2, 4]),
    ],
)
def test_only_the_best(monitor, values, options, saved):
    found, callback = told(values, monitor, save_best_only=True, **options)
    assert found == [f"{epoch}.dlbd" for epoch in saved]
    if saved[-1] > 1:
        assert callback.best == values[saved[-1] - 1]


def test_what_is_watched_is_missing():
    callback = ModelCheckpoint("m.dlbd", save_best_only=True)
    callback.set_model(Model())
    with pytest.warns(UserWarning, match="watches 'val_loss', which is not among"):
        callback.on_epoch_end(0, {"loss": 1.0})
    assert callback.model.saved == []


def test_verbose(capsys):
    told([3.0, 2.0, 4.0], save_best_only=True, verbose=1)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1: val_loss went to 3, saving to 1.dlbd",
        "Epoch 2: val_loss went from 3 to 2, saving to 2.dlbd",
        "Epoch 3: val_loss went from 2 to 4, not saved",
    ]


def test_in_fit(tmp_path):
    x, y = blobs(96)
    model = mlp()
    path = tmp_path / "made" / "{epoch:02d}-{val_accuracy:.2f}.dlbd"
    history = model.fit(x, y, epochs=3, validation_split=0.25, verbose=0, callbacks=[ModelCheckpoint(path)]).history[
        "val_accuracy"
    ]
    names = sorted(os.listdir(tmp_path / "made"))
    assert names == [f"{i + 1:02d}-{value:.2f}.dlbd" for i, value in enumerate(history)]
    loaded = load_model(tmp_path / "made" / names[-1])
    assert same(loaded.get_weights(), model.get_weights())
    assert int(loaded.optimizer.iterations) == 9


def test_every_so_many_batches(tmp_path):
    """Counted on over the ends of epochs."""
    x, y = blobs(96)
    path = tmp_path / "{epoch}-{batch}-{loss:.1f}.dlbd"
    mlp().fit(x, y, epochs=3, batch_size=24, verbose=0, callbacks=[ModelCheckpoint(path, save_freq=3)])
    names = sorted(name.rpartition("-")[0] for name in os.listdir(tmp_path))
    assert names == ["1-3", "2-2", "3-1", "3-4"]


def test_weights_only(tmp_path):
    x, y = blobs(96)
    model = mlp()
    model.fit(x, y, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "m.weights.dlbd", save_weights_only=True)])
    other = mlp()
    other.load_weights(tmp_path / "m.weights.dlbd")
    assert same(other.get_weights(), model.get_weights())


def test_a_full_disk_leaves_the_best_model(tmp_path, monkeypatch):
    x, y = blobs(96)
    model = mlp()
    callback = ModelCheckpoint(tmp_path / "m.dlbd")
    model.fit(x, y, verbose=0, callbacks=[callback])
    before = (tmp_path / "m.dlbd").read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        model.fit(x, y, verbose=0, callbacks=[callback])
    assert (tmp_path / "m.dlbd").read_bytes() == before


def test_names():
    for name, hint in (("m.keras", "m.dlbd"), ("m.weights.h5", "m.weights.dlbd"), ("{epoch}", "{epoch}.dlbd")):
        with pytest.raises(ValueError, match=rf'must end in "\.dlbd": \'{hint}\''):
            ModelCheckpoint(name)
    for wrong in (0, "batch", True):
        with pytest.raises(ValueError, match="save_freq must be"):
            ModelCheckpoint("m.dlbd", save_freq=wrong)
    with pytest.raises(ValueError, match=r"names 'accuracy', which is not among \['epoch', 'val_loss'\]"):
        told([1.0], filepath="{accuracy}.dlbd")


def test_it_goes_on_after_a_cut(tmp_path):
    """What was best before the program was started again still is."""
    x, y = blobs(96)

    def run(cut):
        dlbd.utils.set_random_seed(0)
        model = mlp(optimizer=dlbd.optimizers.SGD(0.0))  # it never becomes better
        best = ModelCheckpoint(tmp_path / "{epoch}.dlbd", "loss", save_best_only=True)

        def stop(epoch, logs):
            if cut and epoch == 2:
                raise KeyboardInterrupt

        told = [best, dlbd.callbacks.BackupAndRestore(tmp_path / "backup")]
        model.fit(x, y, epochs=4, shuffle=False, verbose=0, callbacks=[*told, dlbd.callbacks.LambdaCallback(stop)])

    with pytest.raises(KeyboardInterrupt):
        run(True)
    run(False)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".dlbd")] == ["1.dlbd"]
    assert np.all(np.isfinite(load_model(tmp_path / "1.dlbd").get_weights()[0]))
