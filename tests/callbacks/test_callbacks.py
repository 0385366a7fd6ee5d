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
