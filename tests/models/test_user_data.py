"""Data and options as users bring them."""

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, layers

from .programs import blobs, mlp, same


def trained(*data, **options):
    dlbd.utils.set_random_seed(2)
    model = mlp()
    history = model.fit(*data, verbose=0, shuffle=False, **options)
    return [*model.get_weights(), *(np.array(v) for v in history.history.values())]


class Frame:
    """What pandas' DataFrame looks like from here: rows are not what it iterates or indexes over."""

    def __init__(self, array):
        self.array = array

    def to_numpy(self):
        return self.array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)

    def __len__(self):
        return len(self.array)

    def __iter__(self):
        return iter("ab")

    def __getitem__(self, name):
        raise KeyError(name)


@pytest.mark.parametrize("form", [list, tuple, np.ndarray.tolist, Frame, dlbd.Tensor], ids=lambda f: f.__name__)
def test_forms_of_arrays(form):
    x, y = blobs(50)
    w = np.linspace(0, 2, 50).astype(np.float32)
    rows = form if form in (Frame, dlbd.Tensor, np.ndarray.tolist) else np.asarray
    wanted = trained(x, y, sample_weight=w, validation_data=(x[:9], y[:9], w[:9]))
    given = [rows(x[:9]), form(y[:9]), form(w[:9])]
    assert same(wanted, trained(rows(x), form(y), sample_weight=form(w), validation_data=given))
    wanted = trained(x, y, sample_weight=w, validation_split=0.3)
    assert same(wanted, trained(rows(x), form(y), sample_weight=form(w), validation_split=0.3))


def test_arrays_in_a_list_are_inputs_not_rows():
    x, y = blobs(20)
    model = mlp()
    for call in (model.predict, lambda rows: model.fit(rows, y, verbose=0)):
        with pytest.raises(ValueError, match=r"takes one array of shape \(None, 6\); received a list of 20.*np.stack"):
            call(list(x))
    with pytest.raises(ValueError, match="x is None"):
        model.fit(None, y, verbose=0)


def test_batches_by_index():
    """As Keras's PyDataset: a length and indices, which need not end with an IndexError."""
    x, y = blobs(96)

    class Data:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return x[32 * i % 96 :][:32], y[32 * i % 96 :][:32]

    assert same(trained(x, y, epochs=2), trained(Data(), epochs=2))
    np.testing.assert_array_equal(mlp().predict(Data()).shape, (96, 3))


def test_steps_per_epoch_goes_on_where_the_epoch_before_ended():
    seen = []

    class Spy(layers.Layer):
        def call(self, x):
            seen.append(int(np.array(x)[0, 0]))
            return x

        def compute_output_shape(self, input_shape):
            return input_shape

    model = dlbd.Sequential([Spy(input_shape=(1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(50.0)[:, None] // 10
    batches = [(x[10 * i : 10 * i + 10], x[:10]) for i in range(5)]

    class Again:
        def __iter__(self):
            return iter(batches)

    for data in ((x, x), (Again(),), (iter(batches * 2),)):
        seen.clear()
        batch_size = 10 if len(data) == 2 else None
        model.fit(*data, batch_size=batch_size, steps_per_epoch=2, epochs=3, shuffle=False, verbose=0)
        assert seen[-6:] == [0, 1, 2, 3, 4, 0]
    seen.clear()
    model.fit(x, x, batch_size=25, steps_per_epoch=3, shuffle=False, verbose=0)
    assert seen == [0, 2, 0]


def test_data_that_ends_early_ends_training_with_a_warning():
    x, y = blobs(50)
    model = mlp()

    def five():
        return iter([(x[:10], y[:10])] * 5)

    with pytest.warns(UserWarning, match=r"ended after 2 batches of epoch 2.*steps_per_epoch \* epochs"):
        history = model.fit(five(), steps_per_epoch=3, epochs=4, verbose=0)
    assert history.epoch == [0, 1]
    with pytest.warns(UserWarning, match="ended after 0 batches of epoch 2"):
        history = model.fit(five(), epochs=4, verbose=0)
    assert history.epoch == [0]
    assert len(history.history["loss"]) == 1
    with pytest.raises(ValueError, match="received no batches"):
        model.fit(iter([]), verbose=0)


def test_a_generator_gives_no_more_than_is_asked_for():
    x, y = blobs(40)
    taken = []

    def endless(pairs):
        while True:
            taken.append(1)
            yield (x[:10], y[:10]) if pairs else x[:10]

    model = mlp()
    model.fit(endless(True), steps_per_epoch=3, epochs=2, verbose=0)
    model.evaluate(endless(True), steps=4, verbose=0)
    assert model.predict(endless(False), steps=2).shape == (20, 3)
    assert len(taken) == 3 * 2 + 4 + 2


def test_batches_of_changing_size():
    x, y = blobs(20)
    sizes = (3, 5, 5, 3, 1)
    model = mlp()
    model.fit(iter([(x[:n], y[:n]) for n in sizes]), verbose=0)
    assert int(model.optimizer.iterations) == 5
    np.testing.assert_array_equal(
        model.predict(iter([x[:n] for n in sizes])), np.concatenate([model.predict(x[:n]) for n in sizes])
    )


def test_a_weighted_metric_is_named_apart():
    x, y = blobs(50)
    w = np.linspace(0, 2, 50)
    model = mlp(weighted_metrics=["accuracy"])
    found = model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)
    assert model.metrics_names == ["loss", "accuracy", "weighted_accuracy"]
    right = model.predict(x).argmax(1) == y
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["weighted_accuracy"] == pytest.approx((right * w).sum() / w.sum())


def test_weights_of_classes_and_of_samples_at_once():
    x, y = blobs(50)
    for call in (mlp().fit, mlp().train_on_batch):
        with pytest.raises(ValueError, match="either class_weight or sample_weight"):
            call(x, y, sample_weight=np.ones(50), class_weight={0: 2.0})


def test_callbacks_of_predict():
    x, _ = blobs(50)
    told, outputs = [], []
    spy = callbacks.LambdaCallback(
        on_predict_begin=lambda logs: told.append("begin"),
        on_predict_batch_begin=lambda batch, logs: told.append(batch),
        on_predict_batch_end=lambda batch, logs: outputs.append(logs["outputs"]),
        on_predict_end=lambda logs: told.append("end"),
    )
    model = mlp()
    y = model.predict(x, callbacks=[spy])
    assert told == ["begin", 0, 1, "end"]
    np.testing.assert_array_equal(np.concatenate(outputs), y)


def test_an_overridden_train_step_is_not_passed_over():
    class Own(dlbd.Sequential):
        def train_step(self, data):
            return {}

    with pytest.raises(NotImplementedError, match=r"would not call Own.train_step\(\).*GradientTape"):
        Own([layers.Dense(1)]).compile("sgd", "mse")
