import os
import signal
import threading

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, layers

from .programs import blobs, mlp, same


def test_it_learns_and_reports():
    x, y = blobs()
    model = mlp()
    history = model.fit(x, y, epochs=40, batch_size=16, verbose=0, validation_split=0.2)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.epoch == list(range(40))
    assert history.params == {"verbose": 0, "epochs": 40, "steps": 10}
    assert history.history["val_accuracy"][-1] > 0.9
    assert model.history is history


def test_evaluate_forms():
    x, y = blobs()
    model = mlp()
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"accuracy": accuracy, "loss": loss}
    assert model.metrics_names == ["loss", "accuracy"]
    probabilities = model.predict(x)
    assert accuracy == pytest.approx((probabilities.argmax(1) == y).mean())
    assert loss == pytest.approx(-np.log(probabilities[np.arange(len(y)), y]).mean(), rel=1e-5)
    alone = mlp(metrics=None)
    assert isinstance(alone.evaluate(x, y, verbose=0), float)


def test_epoch_loss_is_weighted_by_batch_size():
    """7 rows in batches of 4: the mean over rows, not over batches."""
    x, y = blobs(7)
    model = mlp(optimizer=dlbd.optimizers.SGD(0.0))
    history = model.fit(x, y, batch_size=4, verbose=0)
    assert history.history["loss"][0] == pytest.approx(model.evaluate(x, y, batch_size=7, verbose=0)[0], rel=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_a_seed_makes_training_repeat_at_any_number_of_threads(threads: int):
    assert same(_trained(threads), _trained(1))


def _trained(threads: int):
    before = dlbd.config.num_threads()
    dlbd.config.set_num_threads(threads)
    try:
        dlbd.utils.set_random_seed(11)
        model = dlbd.Sequential(
            [
                layers.Conv2D(8, 3, activation="relu", input_shape=(12, 12, 1)),
                layers.BatchNormalization(),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dropout(0.3),
                layers.Dense(32, activation="tanh"),
                layers.Dense(4, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        rng = np.random.default_rng(0)
        x, y = rng.random((70, 12, 12, 1)), rng.integers(0, 4, 70)
        history = model.fit(x, y, epochs=2, batch_size=16, verbose=0)
        return [*model.get_weights(), np.array(history.history["loss"]), model.predict(x)]
    finally:
        dlbd.config.set_num_threads(before)


def test_recorded_steps_do_what_eager_ones_do():
    x, y = blobs()
    found = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(1)
        model = mlp(run_eagerly=eagerly)
        history = model.fit(x, y, epochs=3, verbose=0)
        found.append([*model.get_weights(), np.array(history.history["loss"])])
    assert same(*found)


def test_shuffling_takes_every_row_once_in_another_order():
    seen = []

    class Spy(layers.Layer):
        def call(self, x):
            seen.append(np.array(x).ravel().copy())  # reads on the host: the step is not replayed
            return x

        def compute_output_shape(self, input_shape):
            return input_shape

    model = dlbd.Sequential([Spy(input_shape=(1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.arange(10.0)[:, None]
    for shuffle in (True, "batch", False):
        seen.clear()
        model.fit(x, x, batch_size=4, epochs=2, verbose=0, shuffle=shuffle)
        assert [len(s) for s in seen] == [4, 4, 2] * 2
        first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
        np.testing.assert_array_equal(np.sort(first), np.arange(10))
        np.testing.assert_array_equal(np.sort(second), np.arange(10))
        assert np.array_equal(first, np.arange(10)) == (shuffle is False) or shuffle == "batch"


def test_a_layer_that_computes_on_the_host_stays_right():
    class Halver(layers.Layer):
        def call(self, x):
            return dlbd.ops.multiply(x, 1.0 / max(float(np.abs(np.array(x)).max()), 1e-6))

        def compute_output_shape(self, input_shape):
            return input_shape

    model = dlbd.Sequential([Halver(input_shape=(2,)), layers.Dense(1)])
    a, b = np.full((3, 2), 2.0, np.float32), np.full((3, 2), 8.0, np.float32)
    np.testing.assert_allclose(model.predict(a), model.predict(b), rtol=1e-6)
    np.testing.assert_allclose(model.predict(a), model.predict(b), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float64, np.float16, np.uint16, np.bool_])
def test_data_of_any_number(dtype: type):
    x, y = blobs()
    x = (x > 0).astype(dtype)
    model = mlp()
    model.fit(x, y, verbose=0)
    np.testing.assert_allclose(model.predict(x), model.predict(x.astype(np.float32)), rtol=1e-6)


@pytest.mark.parametrize("labels", [np.uint8, np.int32, np.float32, np.float64])
def test_labels_of_any_number(labels: type):
    x, y = blobs()
    model = mlp()
    wanted = model.evaluate(x, y, verbose=0)
    assert model.evaluate(x, y.astype(labels), verbose=0) == pytest.approx(wanted)
    assert model.evaluate(x, y[:, None].astype(labels), verbose=0) == pytest.approx(wanted)
    assert model.evaluate(x.tolist(), y.tolist(), verbose=0) == pytest.approx(wanted)


def test_one_hot_and_binary_accuracy():
    x, y = blobs()
    model = mlp(loss="categorical_crossentropy")
    wanted = (model.predict(x).argmax(1) == y).mean()
    assert model.evaluate(x, dlbd.utils.to_categorical(y), verbose=0)[1] == pytest.approx(wanted)
    binary = dlbd.Sequential([layers.Dense(1, activation="sigmoid")])
    binary.compile("adam", "binary_crossentropy", metrics=["acc"])
    found = binary.evaluate(x, y > 0, verbose=0, return_dict=True)
    assert found["acc"] == pytest.approx(((binary.predict(x)[:, 0] > 0.5) == (y > 0)).mean())


def test_regression_targets_with_and_without_the_last_axis():
    x, _ = blobs()
    t = x.sum(1)
    model = dlbd.Sequential([layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    assert model.evaluate(x, t, verbose=0) == pytest.approx(model.evaluate(x, t[:, None], verbose=0))
    assert model.evaluate(x, t, verbose=0)[1] == pytest.approx(np.abs(model.predict(x)[:, 0] - t).mean(), rel=1e-5)


def test_images_without_channel_axis():
    model = dlbd.Sequential([layers.Conv2D(2, 3, input_shape=(8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((5, 8, 8))
    np.testing.assert_array_equal(model.predict(x), model.predict(x[..., None]))
    model.fit(x, np.zeros((5, 2)), verbose=0)


@pytest.mark.parametrize("layout", ["fortran", "flipped", "strided", "unaligned", "big-endian", "read-only"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_memory_layouts(layout: str, shuffle: bool):
    from tests.ops.row import layouts

    x, y = blobs()
    wanted, found = [], []
    for data, into in ((x, wanted), (layouts(x)[layout], found)):
        dlbd.utils.set_random_seed(4)
        model = mlp()
        model.fit(data, y, verbose=0, shuffle=shuffle)
        into += [*model.get_weights(), model.predict(data)]
    assert same(wanted, found)


def test_inputs_are_never_written():
    x, y = blobs()
    before = x.copy(), y.copy()
    model = mlp()
    model.fit(x, y, verbose=0)
    model.predict(x)
    assert same([x, y], before)


@pytest.mark.parametrize("label", [3, -1, 99])
def test_label_out_of_range_changes_nothing(label: int):
    x, y = blobs()
    model = mlp()
    model.fit(x, y, verbose=0)
    before, steps = model.get_weights(), int(model.optimizer.iterations)
    bad = y.copy()
    bad[5] = label
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"{label}.*0 <= .* < 3"):
            model.fit(x, bad, verbose=0, shuffle=False, batch_size=32)
    with pytest.raises(ValueError, match=rf"{label}"):
        model.evaluate(x, bad, verbose=0)
    assert same(model.get_weights(), before)
    assert int(model.optimizer.iterations) == steps
    model.fit(x, y, verbose=0)


def test_freezing_needs_no_compile():
    x, y = blobs()
    model = mlp()
    model.fit(x, y, verbose=0)
    first, second = model.layers
    first.trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    after = model.get_weights()
    assert same(before[:2], after[:2])
    assert not same(before[2:], after[2:])
    second.trainable = False
    with pytest.raises(ValueError, match=rf"nothing to train: trainable is False in .*'{first.name}', '{second.name}'"):
        model.fit(x, y, verbose=0)
    first.trainable = second.trainable = True
    model.fit(x, y, verbose=0)
    assert not same(model.get_weights()[:2], after[:2])


def test_freezing_between_batches():
    x, y = blobs()
    model = mlp()
    seen = []

    class Freezer(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights())
            self.model.layers[0].trainable = batch % 2 == 0

    model.fit(x, y, batch_size=25, verbose=0, callbacks=[Freezer()])
    for batch in range(1, 8):
        frozen = batch % 2 == 0
        assert same(seen[batch - 1][:2], seen[batch][:2]) == frozen
        assert not same(seen[batch - 1][2:], seen[batch][2:])


def test_two_models_that_share_a_layer():
    x, y = blobs()
    shared = layers.Dense(8, activation="relu", input_shape=(6,))
    one = dlbd.Sequential([shared, layers.Dense(3, activation="softmax")])
    two = dlbd.Sequential([shared, layers.Dense(1)])
    one.compile("adam", "sparse_categorical_crossentropy")
    two.compile("adam", "mse")
    for _ in range(3):
        before = shared.get_weights()
        one.fit(x, y, verbose=0)
        middle = shared.get_weights()
        two.fit(x, y, verbose=0)
        assert not same(before, middle)
        assert not same(middle, shared.get_weights())


def test_set_weights_and_learning_rate_reach_recorded_steps():
    x, y = blobs()
    model = mlp(optimizer="sgd")
    model.fit(x, y, verbose=0)
    start = model.get_weights()
    model.fit(x, y, verbose=0, shuffle=False)
    once = model.get_weights()
    model.set_weights(start)
    model.fit(x, y, verbose=0, shuffle=False)
    assert same(model.get_weights(), once)
    model.optimizer.learning_rate = 0.0
    model.fit(x, y, verbose=0)
    assert same(model.get_weights(), once)


def test_train_on_batch_gives_the_loss_of_that_batch():
    x, y = blobs()
    model = mlp()
    for start in (0, 32, 64):
        rows = slice(start, start + 32)
        wanted = model.evaluate(x[rows], y[rows], verbose=0)
        assert model.train_on_batch(x[rows], y[rows]) == pytest.approx(wanted, rel=1e-6)
        assert model.test_on_batch(x[rows], y[rows], return_dict=True).keys() == {"accuracy", "loss"}
    assert model.test_on_batch(x.tolist(), y.tolist()) == model.test_on_batch(x, y)
    with pytest.raises(ValueError, match="batch is empty"):
        model.train_on_batch(x[:0], y[:0])


@pytest.mark.parametrize("name", ["crossentropy", "ce"])
def test_crossentropy_resolves_by_shape(name: str):
    x, y = blobs()
    model, named = mlp(), mlp()
    named.set_weights(model.get_weights())
    model.compile("sgd", name)
    named.compile("sgd", "sparse_categorical_crossentropy")
    assert model.evaluate(x, y, verbose=0) == named.evaluate(x, y, verbose=0)
    losses = [m.fit(x, y, epochs=2, shuffle=False, verbose=0).history for m in (model, named)]
    assert losses[0] == losses[1]


def test_sample_and_class_weights():
    x, y = blobs()
    model = mlp()
    w = np.random.default_rng(0).random(len(x))
    each = -np.log(model.predict(x)[np.arange(len(y)), y])
    assert model.evaluate(x, y, sample_weight=w, verbose=0)[0] == pytest.approx((each * w).mean(), rel=1e-5)
    by_class = {0: 2.0, 2: 0.5}
    per_row = np.array([by_class.get(c, 1.0) for c in y])
    found = []
    for options in ({"class_weight": by_class}, {"sample_weight": per_row}):
        dlbd.utils.set_random_seed(2)
        model = mlp()
        model.fit(x, y, verbose=0, **options)
        found.append(model.get_weights())
    assert same(*found)


def test_streams():
    x, y = blobs(96)

    def endless():
        while True:
            for start in range(0, 96, 32):
                yield x[start : start + 32], y[start : start + 32]

    found = []
    for data, options in (((x, y), {}), ((endless(),), {"steps_per_epoch": 3})):
        dlbd.utils.set_random_seed(2)
        model = mlp()
        history = model.fit(*data, epochs=2, verbose=0, shuffle=False, **options)
        found.append([*model.get_weights(), np.array(history.history["loss"])])
    assert same(*found)
    batches = [(x[s : s + 32], y[s : s + 32]) for s in (0, 32, 64)]
    assert model.evaluate(iter(batches), verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    np.testing.assert_array_equal(model.predict(iter([b[0] for b in batches])), model.predict(x))


def test_validation_data_and_frequency():
    x, y = blobs()
    model = mlp()
    history = model.fit(x, y, epochs=4, verbose=0, validation_data=(x[:50], y[:50]), validation_freq=2)
    assert len(history.history["val_loss"]) == 2
    assert len(history.history["loss"]) == 4
    assert model.evaluate(x[:50], y[:50], verbose=0)[0] == pytest.approx(history.history["val_loss"][-1])


def test_validation_split_takes_the_last_rows():
    x, y = blobs(10)
    model = mlp(optimizer=dlbd.optimizers.SGD(0.0))
    history = model.fit(x, y, validation_split=0.25, verbose=0)
    assert history.history["val_loss"][0] == pytest.approx(model.evaluate(x[7:], y[7:], verbose=0)[0])
    assert history.history["loss"][0] == pytest.approx(model.evaluate(x[:7], y[:7], verbose=0)[0], rel=1e-6)
    with pytest.raises(ValueError, match="validation_split must lie between"):
        model.fit(x, y, validation_split=1.5, verbose=0)


def test_initial_epoch_and_stop_training():
    x, y = blobs()
    model = mlp()
    assert model.fit(x, y, initial_epoch=3, epochs=5, verbose=0).epoch == [3, 4]

    class Stopper(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    assert model.fit(x, y, epochs=5, verbose=0, callbacks=[Stopper()]).epoch == [0, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, x, y: m.fit(x, y[:-1], verbose=0), ValueError, r"equally many rows; received {'x': 200, 'y': 199}"),
        (lambda m, x, y: m.fit(x[:0], y[:0], verbose=0), ValueError, "empty"),
        (lambda m, x, y: m.fit(x, y, batch_size=0, verbose=0), ValueError, "batch_size must be at least 1"),
        (lambda m, x, y: m.fit(x.astype(str), y, verbose=0), TypeError, "arrays of numbers"),
        (lambda m, x, y: m.fit(x, None, verbose=0), ValueError, "need targets"),
        (lambda m, x, y: m.fit(x, y, verbose=7), ValueError, "verbose"),
        (lambda m, x, y: m.fit(x, y, verbose=0, callbacks=["stop"]), TypeError, "Callback objects"),
        (lambda m, x, y: m.predict(x * 1j), TypeError, "arrays of numbers"),
    ],
)
def test_bad_input(call, error, message):
    x, y = blobs()
    with pytest.raises(error, match=message):
        call(mlp(), x, y)


def test_not_compiled():
    model = dlbd.Sequential([layers.Dense(1)])
    with pytest.raises(ValueError, match=r"call compile\(optimizer=..., loss=...\) before fit"):
        model.fit(np.zeros((2, 2)), np.zeros(2))
    model.compile("sgd")
    with pytest.raises(ValueError, match="needs a loss"):
        model.fit(np.zeros((2, 2)), np.zeros(2))


def test_empty_prediction():
    model = mlp()
    assert model.predict(np.zeros((0, 6))).shape == (0, 3)


def test_ctrl_c_ends_training_and_leaves_whole_weights():
    x, y = blobs(20_000)
    model = mlp()
    model.fit(x[:100], y[:100], verbose=0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, epochs=10_000, verbose=0)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.fit(x[:100], y[:100], verbose=0)


def test_memory_stays_flat_over_ten_thousand_steps():
    x, y = blobs(64)
    model = mlp()
    model.fit(x, y, batch_size=32, epochs=50, verbose=0)

    def resident() -> int:
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1]) * 4096

    before = resident()
    model.fit(x, y, batch_size=32, epochs=5000, verbose=0)
    for _ in range(100):
        model.predict(x)
        model.train_on_batch(x, y)
    assert resident() - before < 4 << 20


def test_label_out_of_range_in_the_very_first_step():
    x, y = blobs()
    model = mlp()
    before = model.get_weights()
    with pytest.raises(ValueError, match="77"):
        model.fit(x, np.full(len(x), 77), verbose=0)
    assert same(model.get_weights(), before)
    model.fit(x, y, verbose=0)


def test_own_loop_with_a_tape():
    x, y = blobs()
    model = mlp()
    optimizer = dlbd.optimizers.Adam(0.01)
    loss = dlbd.losses.SparseCategoricalCrossentropy()
    start = float(loss(y, model(x)))
    for _ in range(30):
        with dlbd.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    assert float(value) < 0.5 * start
    assert loss(y, model.predict(x)).numpy() < 0.5 * start


def test_a_weight_that_the_loss_does_not_see_stays():
    class Half(layers.Layer):
        def build(self, input_shape):
            self.used = self.add_weight((input_shape[-1], 1), name="used")
            self.unused = self.add_weight((3,), "ones", name="unused")

        def call(self, x):
            return dlbd.ops.matmul(x, self.used)

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 1)

    x, y = blobs()
    model = dlbd.Sequential([Half(input_shape=(6,))])
    model.compile(dlbd.optimizers.AdamW(0.1), "mse")
    before = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    used, unused = model.get_weights()
    np.testing.assert_array_equal(unused, before[1])
    assert not np.array_equal(used, before[0])
