"""SwapEMAWeights: who sees the averages of the weights, and when."""

import numpy as np
import pytest

import dlbd
from dlbd import callbacks
from tests.models.programs import blobs, mlp, same

X, Y = blobs()
VALIDATION = X[:40], Y[:40]


def averaging(**options):
    dlbd.utils.set_random_seed(0)
    return mlp(optimizer=dlbd.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, **options))


def averages_by_hand(epochs):
    """The weights and their averages after each epoch."""
    model, average, found = averaging(), None, []

    def note(batch, logs):
        nonlocal average
        now = [w.astype(np.float64) for w in model.get_weights()]
        average = now if average is None else [0.9 * a + 0.1 * w for a, w in zip(average, now, strict=True)]

    def keep(epoch, logs):
        found.append((model.get_weights(), average))

    model.fit(
        X, Y, epochs=epochs, verbose=0, callbacks=callbacks.LambdaCallback(on_train_batch_end=note, on_epoch_end=keep)
    )
    return found


def close(found, wanted):
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_validation_sees_the_averages_and_training_does_not(swap_on_epoch):
    model, seen = averaging(), {"test": [], "epoch": [], "begin": []}

    def look(name):
        return lambda *args: seen[name].append(model.get_weights())

    swap = callbacks.SwapEMAWeights(swap_on_epoch)
    spy = callbacks.LambdaCallback(
        on_test_batch_begin=lambda batch, logs: batch == 0 and look("test")(),
        on_epoch_end=look("epoch"),
        on_train_batch_begin=lambda batch, logs: batch == 0 and look("begin")(),
    )
    model.fit(X, Y, epochs=3, verbose=0, validation_data=VALIDATION, callbacks=[swap, spy])
    wanted = averages_by_hand(3)
    for (weights, average), tested, ended in zip(wanted, seen["test"], seen["epoch"], strict=True):
        assert close(tested, average)
        assert not close(tested, weights)
        assert close(ended, average) if swap_on_epoch else same(ended, weights)
    for (weights, _), begun in zip(wanted, seen["begin"][1:], strict=False):
        assert same(begun, weights)
    assert close(model.get_weights(), wanted[-1][1])  # as every fit with averages ends


def test_training_that_is_stopped_ends_with_the_averages():
    model = averaging()
    stop = callbacks.StopAtThreshold(1e9, monitor="loss")
    model.fit(X, Y, epochs=5, verbose=0, callbacks=[callbacks.SwapEMAWeights(True), stop])
    assert close(model.get_weights(), averages_by_hand(1)[0][1])


def test_training_that_is_cut_short_goes_on_with_the_weights_themselves():
    model, swap = averaging(), callbacks.SwapEMAWeights()

    def cut(batch, logs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X,
            Y,
            verbose=0,
            validation_data=VALIDATION,
            callbacks=[swap, callbacks.LambdaCallback(on_test_batch_begin=cut)],
        )
    weights, average = averages_by_hand(1)[0]
    assert close(model.get_weights(), average)
    begun = []
    spy = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(model.get_weights()))
    model.fit(X, Y, verbose=0, callbacks=[swap, spy])
    assert same(begun[0], weights)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_training_that_is_taken_up_in_another_process(tmp_path, swap_on_epoch):
    def train(folder, cut=None):
        model = averaging()

        def maybe(epoch, logs):
            if epoch == cut:
                raise KeyboardInterrupt

        told = [
            callbacks.SwapEMAWeights(swap_on_epoch),
            callbacks.BackupAndRestore(folder),
            callbacks.LambdaCallback(on_epoch_begin=maybe),
        ]
        model.fit(X, Y, epochs=4, verbose=0, validation_data=VALIDATION, callbacks=told)
        return [*model.get_weights(), np.array(model.history.history["val_loss"])]

    wanted = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", cut=2)
    assert same(train(tmp_path / "cut"), wanted)


def test_evaluation_and_prediction_alone():
    model = averaging()
    model.fit(X, Y, epochs=2, verbose=0)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])  # the averages stay
    swap = callbacks.SwapEMAWeights()
    average = averages_by_hand(2)[-1][1]
    plain = averaging()
    plain.set_weights(average)
    np.testing.assert_allclose(model.predict(X, callbacks=[swap]), plain.predict(X), rtol=1e-3, atol=1e-5)
    found = model.evaluate(X, Y, verbose=0, callbacks=[swap])
    assert found == pytest.approx(plain.evaluate(X, Y, verbose=0), rel=1e-3)
    assert not any(w.any() for w in model.get_weights())


def test_an_optimizer_without_averages():
    with pytest.raises(ValueError, match="make it with use_ema=True"):
        mlp().fit(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
