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


def test_batches_in_lists():
    """As PyTorch's DataLoader gives them."""
    x, y = blobs(40)
    wanted = trained(iter([(x[:20], y[:20]), (x[20:], y[20:])]))
    assert same(wanted, trained(iter([[x[:20], y[:20]], [x[20:], y[20:]]])))


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


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"class_weight": [1.0, 2.0, 3.0]}, TypeError, "a dict with a weight per class number"),
        ({"class_weight": {"0": 2.0}}, TypeError, "a dict with a weight per class number"),
        ({"shuffle": "rows"}, ValueError, 'True, False or "batch"'),
        ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch must be at least 1; received 0"),
        ({"validation_steps": -1}, ValueError, "validation_steps must be at least 1"),
        ({"validation_freq": 0}, ValueError, "validation_freq must be at least 1"),
    ],
)
def test_options_that_mean_nothing(options: dict, error, message: str):
    x, y = blobs(20)
    with pytest.raises(error, match=message):
        mlp().fit(x, y, verbose=0, **options)


def test_no_steps_and_no_targets():
    x, y = blobs(20)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        mlp().evaluate(x, y, steps=0, verbose=0)
    with pytest.raises(ValueError, match="class_weight needs targets"):
        mlp().fit(x, class_weight={0: 2.0}, verbose=0)


def test_class_numbers_of_any_integer():
    x, y = blobs(50)
    wanted = trained(x, y, class_weight={0: 2.0})
    assert same(wanted, trained(x, y, class_weight={np.int64(0): 2.0}))


def test_models_in_float64():
    def model():
        dlbd.utils.set_random_seed(0)
        kinds = [layers.Dense(5, "tanh", input_shape=(6,)), layers.BatchNormalization(), layers.Dense(3, "softmax")]
        return dlbd.Sequential(kinds)

    def trained(made):
        made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = made.fit(x, y, epochs=3, shuffle=False, verbose=0)
        return [*made.get_weights(), made.predict(x), np.array(history.history["loss"])]

    x, y = blobs(50)
    x = x.astype(np.float64)
    single = trained(model())
    dlbd.config.set_floatx("float64")
    try:
        whole = trained(model())
    finally:
        dlbd.config.set_floatx("float32")
    assert {a.dtype for a in whole} == {np.dtype(np.float64)}
    for a, b in zip(single, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_each_layer_computes_in_its_own_dtype():
    """As Keras casts what comes in; gradients go back through the cast."""
    model = dlbd.Sequential([layers.Dense(3, dtype="float64"), layers.Dense(2), layers.Dense(1, dtype="float64")])
    x = np.random.default_rng(0).standard_normal((4, 5))
    with dlbd.GradientTape() as tape:
        y = model(x)
    assert model.dtype == np.float64
    assert y.dtype == np.float64
    assert [v.dtype.name for v in model.weights] == ["float64"] * 2 + ["float32"] * 2 + ["float64"] * 2
    found = tape.gradient(y, model.trainable_variables)
    assert all(g.dtype == v.dtype and np.any(g) for g, v in zip(found, model.trainable_variables, strict=True))
    wanted = x
    for kernel, bias in zip(model.get_weights()[::2], model.get_weights()[1::2], strict=True):
        wanted = wanted @ kernel + bias
    np.testing.assert_allclose(y, wanted, rtol=1e-5)
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="must be float32, or all float64"):
        model.fit(x, np.zeros(4), verbose=0)


def test_a_mask_goes_through_a_change_of_dtype():
    model = dlbd.Sequential([layers.Embedding(5, 3, mask_zero=True), layers.LSTM(2, dtype="float64")])
    np.testing.assert_array_equal(model(np.array([[1, 2, 0]])), model(np.array([[1, 2]])))


def test_the_old_name_of_the_learning_rate():
    model = mlp()
    model.optimizer.lr = 0.5
    assert float(model.optimizer.learning_rate) == float(model.optimizer.lr) == 0.5


class Chain(dlbd.Model):
    def __init__(self, kinds):
        super().__init__()
        self.kinds = kinds

    def call(self, x):
        for layer in self.kinds:
            x = layer(x)
        return x


@pytest.mark.parametrize("kind", [dlbd.Sequential, Chain])
def test_sizes_that_no_layer_fixes_may_change(kind):
    """Sequences of other lengths and images of other sizes than those that built the model, unless Input says more."""
    rng = np.random.default_rng(0)
    model = kind([layers.Embedding(5, 3), layers.LSTM(2), layers.Dense(1)])
    model.compile("adam", "mse")
    for length in (4, 2, 7, 4):
        x = rng.integers(0, 5, (6, length))
        model.fit(x, np.ones(6), verbose=0)
        np.testing.assert_array_equal(model.predict(x), model(x))
    if kind is dlbd.Sequential:
        again = dlbd.Sequential.from_config(model.get_config())
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(x[:, :3]), model.predict(x[:, :3]))
    images = kind([layers.Conv2D(2, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)])
    for size in (8, 5, 8):
        assert images.predict(rng.standard_normal((2, size, size + 1, 3))).shape == (2, 2)
    with pytest.raises(ValueError, match=r"'conv2d.*built for inputs with 3 in axis -1.*received shape \(2, 8, 8, 4\)"):
        images.predict(np.zeros((2, 8, 8, 4)))


def test_a_loss_that_no_weight_reaches_does_not_train_silently():
    x, _ = blobs(20)
    for loss in (
        lambda y, p: np.square(np.asarray(y) - np.asarray(p)[:, 0]),
        lambda y, p: dlbd.ops.multiply(y, 0.0),
    ):
        model = dlbd.Sequential([layers.Dense(1, name="only")])
        model.compile("sgd", loss)
        with pytest.raises(ValueError, match=r"depends on none of the weights \['only/kernel', 'only/bias'\]"):
            model.fit(x, x.sum(1), verbose=0)


def test_a_forgotten_super_is_named():
    class Net(dlbd.Model):
        def __init__(self):
            self.dense = layers.Dense(1)

    class Scale(layers.Layer):
        def __init__(self):
            self.factor = 2.0

        def call(self, x):
            return x * self.factor

    for make in (Net, Scale):
        with pytest.raises(AttributeError, match=rf"{make.__name__}.__init__\(\) must call super"):
            make()(np.ones((2, 3)))
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'weight'"):
        layers.Dense(1).weight  # noqa: B018


def test_numpy_numbers_as_arguments():
    assert layers.Dropout(np.float32(0.5)).rate == 0.5
    assert layers.Conv2D(np.int64(2), np.array([3, 2]), strides=np.int32(2)).kernel_size == (3, 2)


def test_an_integer_input_casts_floats():
    model = dlbd.Sequential([layers.Input((2,), dtype="int32"), layers.Dense(1, kernel_initializer="ones")])
    np.testing.assert_array_equal(model.predict(np.array([[1.7, 2.2]])), [[3.0]])
