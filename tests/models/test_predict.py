import threading

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .programs import blobs, mlp


def test_the_result_belongs_to_the_caller():
    x, _ = blobs()
    model = mlp()
    first = model.predict(x[:5])
    assert first.flags.writeable
    assert first.flags.owndata
    kept = first.copy()
    second = model.predict(x[5:10])
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(model.predict(x[5:10]), second)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 200, 1000])
def test_batch_sizes_agree(batch_size: int):
    x, _ = blobs()
    model = mlp()
    np.testing.assert_allclose(model.predict(x, batch_size=batch_size), model(x), rtol=1e-5, atol=1e-7)


def test_predict_on_batch_and_call_agree():
    x, _ = blobs()
    model = mlp()
    np.testing.assert_array_equal(model.predict_on_batch(x), model(x))
    np.testing.assert_array_equal(model.predict_on_batch(x.tolist()), model(x))


def test_it_is_silent(capsys):
    x, _ = blobs()
    model = mlp()
    model.predict(x)
    assert capsys.readouterr().out == ""
    model.predict(x, verbose=1)
    assert "7/7" in capsys.readouterr().out


def test_training_changes_what_recorded_predictions_give():
    x, y = blobs()
    model = mlp()
    before = model.predict(x[:4])
    model.predict(x[:4])
    model.fit(x, y, verbose=0)
    after = model.predict(x[:4])
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, model(x[:4]))


def test_eight_threads_at_once():
    model = dlbd.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(10, 10, 1)),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(0)
    inputs = [rng.random((rng.integers(1, 80), 10, 10, 1)).astype(np.float32) for _ in range(40)]
    wanted = [model.predict(x) for x in inputs]
    failures = []

    def work(offset: int) -> None:
        try:
            for i in range(len(inputs)):
                j = (i + 5 * offset) % len(inputs)
                if not np.array_equal(model.predict(inputs[j]), wanted[j]):
                    failures.append(j)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures


def test_own_model_class():
    class Two(dlbd.Model):
        def __init__(self):
            super().__init__()
            self.hidden = [layers.Dense(8, activation="relu"), layers.Dropout(0.2)]
            self.heads = {"a": layers.Dense(2), "b": layers.Dense(1)}

        def call(self, x, training=False):
            for layer in self.hidden:
                x = layer(x, training=training)
            return {name: head(x) for name, head in self.heads.items()}

    model = Two()
    x = np.ones((70, 3), np.float32)
    found = model.predict(x)
    assert {name: y.shape for name, y in found.items()} == {"a": (70, 2), "b": (70, 1)}
    assert len(model.weights) == 6
    assert [layer.name for layer in model.layers]


def test_own_model_class_trains():
    class Net(dlbd.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(16, activation="relu")
            self.out = layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.out(self.hidden(x))

    x, y = blobs()
    model = Net()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=20, batch_size=16, verbose=0)
    assert history.history["accuracy"][-1] > 0.9
