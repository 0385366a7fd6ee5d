import numpy as np
import pytest

import dlbd
from dlbd import Input, Model, Sequential, layers, models, optimizers
from dlbd.models import load_model
from tests.saving.files import contents
from tests.saving.models import MAKERS, Blocks, blocks, branches, convolution, data, dense, late


def same(a, b):
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(one, other)


def trained(make, optimizer="adam", epochs=1, **compiled):
    dlbd.utils.set_random_seed(1)
    model = make()
    model.compile(optimizer, "mse", **compiled)
    x, y = data(make)
    model.fit(x, y, batch_size=8, epochs=epochs, verbose=0)
    return model


def go_on(model, make, epochs=2):
    dlbd.random.seed(7)
    x, y = data(make, seed=3)
    history = model.fit(x, y, batch_size=8, epochs=epochs, verbose=0).history
    return history, model.get_weights()


@pytest.mark.parametrize("make", MAKERS)
def test_training_goes_on_bit_for_bit(tmp_path, make):
    """Weights, optimizer, step number, and where the random numbers of dropout stand."""
    model = trained(make, metrics=["mae"])
    path = tmp_path / "m.dlbd"
    model.save(path)
    loaded = load_model(path)
    assert type(loaded) is type(model)
    assert loaded.name == model.name or make is blocks
    x, _ = data(make)
    same(model.get_weights(), loaded.get_weights())
    np.testing.assert_array_equal(model.predict(x), loaded.predict(x))
    (history, weights), (again, others) = go_on(model, make), go_on(loaded, make)
    assert history == again
    same(weights, others)


OPTIMIZERS = [
    optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    optimizers.Adam(0.01, amsgrad=True, clipnorm=0.5),
    optimizers.AdamW(0.01),
    optimizers.RMSprop(0.01, centered=True, momentum=0.5, global_clipnorm=1.0),
    optimizers.Adagrad(0.01, clipvalue=0.1),
    optimizers.SGD(optimizers.schedules.CosineDecay(0.1, 12), name="with_a_schedule"),
    optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=3, name="with_averages"),
    optimizers.Adam(0.01, gradient_accumulation_steps=3, loss_scale_factor=8.0, name="accumulating"),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_optimizers(tmp_path, optimizer):
    if optimizer.weight_decay and not optimizer.built:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    model = trained(dense, optimizers.get({"class_name": type(optimizer).__name__, "config": optimizer.get_config()}))
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    same(model.optimizer.variables, loaded.optimizer.variables)
    same(go_on(model, dense)[1], go_on(loaded, dense)[1])


def test_weights_that_do_not_decay(tmp_path):
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model = trained(dense, optimizer)
    model.save(tmp_path / "m.dlbd")
    same(go_on(load_model(tmp_path / "m.dlbd"), dense)[1], go_on(model, dense)[1])


def test_a_learning_rate_that_was_set(tmp_path):
    model = trained(dense)
    model.optimizer.learning_rate = 0.125
    model.optimizer.beta_1 = 0.5
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd").optimizer
    assert (float(loaded.learning_rate), loaded.beta_1, int(loaded.iterations)) == (0.125, 0.5, 4)


def test_how_it_was_compiled(tmp_path):
    model = dense()
    loss = dlbd.losses.Huber(delta=0.3, name="h")
    model.compile(
        "sgd",
        loss,
        metrics=["mae", dlbd.metrics.MeanSquaredError(name="sq")],
        weighted_metrics=["mse"],
        run_eagerly=True,
    )
    x, y = data(dense)
    before = model.evaluate(x, y, sample_weight=np.arange(32.0), verbose=0, return_dict=True)
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd")
    assert loaded.loss.get_config() == loss.get_config()
    assert loaded.run_eagerly
    assert loaded.evaluate(x, y, sample_weight=np.arange(32.0), verbose=0, return_dict=True) == before
    plain = load_model(tmp_path / "m.dlbd", compile=False)
    assert plain.optimizer is None
    with pytest.raises(ValueError, match=r"call compile\(optimizer"):
        plain.fit(x, y)


def test_names_of_metrics_do_not_grow(tmp_path):
    a = Input((3,))
    model = Model(a, [layers.Dense(1, name="u")(a), layers.Dense(1, name="v")(a)])
    model.compile("sgd", {"u": "mse", "v": "mae"}, {"u": 2.0}, metrics={"u": [dlbd.metrics.MeanSquaredError(name="m")]})
    x = np.ones((4, 3))
    names = set(model.evaluate(x, {"u": x[:, :1], "v": x[:, :1]}, verbose=0, return_dict=True))
    for _ in range(2):
        model.save(tmp_path / "m.dlbd")
        model = load_model(tmp_path / "m.dlbd")
        found = model.evaluate(x, {"u": x[:, :1], "v": x[:, :1]}, verbose=0, return_dict=True)
        assert set(found) == names


def test_what_is_frozen_stays_frozen(tmp_path):
    model = trained(convolution)
    model.layers[0].trainable = False
    model.layers[-1].bias.trainable = False
    model.compile("adam", "mse")
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd")
    assert [layer.trainable for layer in loaded.layers] == [layer.trainable for layer in model.layers]
    assert [v.name for v in loaded.trainable_variables] == [v.name for v in model.trainable_variables]
    same(go_on(model, convolution)[1], go_on(loaded, convolution)[1])


def test_the_variables_that_compile_chose(tmp_path):
    model = branches()
    model.compile("adam", "mse", variables=[model.get_layer("shared"), model.layers[-1].bias])
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd")
    assert len(loaded.variables_to_train()) == 3
    same(go_on(model, branches)[1], go_on(loaded, branches)[1])


def test_a_stateful_layer_goes_on(tmp_path):
    model = Sequential([Input(batch_shape=(2, 3, 4)), layers.LSTM(5, stateful=True)])
    x = np.random.default_rng(0).random((2, 3, 4))
    model.predict(x)
    model.save(tmp_path / "m.dlbd")
    np.testing.assert_array_equal(load_model(tmp_path / "m.dlbd").predict(x), model.predict(x))


def test_float64(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(2, dtype="float64")])
    model.save(tmp_path / "m.dlbd")
    same(load_model(tmp_path / "m.dlbd").get_weights(), model.get_weights())


def test_a_model_without_weights_yet(tmp_path):
    model = late()
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd")
    assert not loaded.built
    assert loaded.predict(np.ones((2, 6))).shape == (2, 1)


def test_a_model_with_optimizers_of_its_own(tmp_path):
    """The state of those that exist once the model is made goes on; compile() of its own is left to the user."""

    @dlbd.saving.register_keras_serializable("tests")
    class Two(Model):
        def __init__(self):
            super().__init__()
            self.part = layers.Dense(2)
            self.own_optimizer = optimizers.Adam(0.5)

        def call(self, inputs):
            return self.part(inputs)

    model = Two()
    x = np.ones((2, 3))
    with dlbd.GradientTape() as tape:
        loss = dlbd.ops.sum(model(x) ** 2)
    model.own_optimizer.apply_gradients(zip(tape.gradient(loss, model.weights), model.weights, strict=True))
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.dlbd")
    loaded = load_model(tmp_path / "m.dlbd")
    same(model.own_optimizer.variables, loaded.own_optimizer.variables)
    assert int(loaded.own_optimizer.iterations) == 1


def test_the_names_of_arrays(tmp_path):
    make = [blocks, branches]
    names = []
    for _ in range(2):  # whatever else the process has made
        for i, maker in enumerate(make):
            model = maker()
            model(data(maker)[0])
            model.save_weights(tmp_path / f"{i}.dlbd")
            names.append(list(contents(tmp_path / f"{i}.dlbd")[0]))
    assert names[:2] == names[2:]
    assert {"weights/blocks/0/kernel", "weights/heads/a/bias", "weights/scale/factor"} < set(names[0])
    assert {"weights/shared/kernel", "weights/inner/dense/kernel", "weights/dense/bias"} < set(names[1])


# Weights alone


@pytest.mark.parametrize("make", MAKERS)
def test_weights_into_another_model(tmp_path, make):
    """Whose layers got other names, and which need not be built yet."""
    model = trained(make)
    x, _ = data(make)
    model.save_weights(tmp_path / "m.weights.dlbd")
    model.save(tmp_path / "m.dlbd")
    for name in ("m.weights.dlbd", "m.dlbd"):
        other = make()
        other.load_weights(tmp_path / name)
        same(other.get_weights(), model.get_weights())
        np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_weights_that_do_not_fit(tmp_path):
    path = tmp_path / "m.safetensors"
    dense().save_weights(path)
    other = Sequential([Input((6,)), layers.Dense(5), layers.Dense(2), layers.Dense(1)])
    before = other.get_weights()
    with pytest.raises(
        ValueError,
        match=r"m.safetensors: these are not the model's weights: dense_1/kernel is "
        r"\(5, 2\) float32 in the model and \(5, 1\) float32 in the file.*lacks.*dense_2/kernel",
    ):
        other.load_weights(path)
    same(other.get_weights(), before)
    with pytest.warns(UserWarning, match=r"skipped: dense_1/kernel is"):
        other.load_weights(path, skip_mismatch=True)
    after = other.get_weights()
    same(after[:1], [contents(path)[0]["weights/dense/kernel"]])
    same(after[2:], before[2:])


def test_file_names(tmp_path):
    model = dense()
    for name in ("m.keras", "m.h5", "m", "m.pkl"):
        with pytest.raises(ValueError, match=r"ends in \.dlbd is needed, .*m\.dlbd for one; received"):
            model.save(tmp_path / name)
    with pytest.raises(ValueError, match=r"m\.weights\.dlbd for one.*not written"):
        model.save_weights(str(tmp_path / "m.weights.h5"))
    with pytest.raises(ValueError, match="no weights to save yet"):
        late().save_weights(tmp_path / "m.dlbd")
    model.save(tmp_path / "m.dlbd")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "m.dlbd", overwrite=False)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing.dlbd")


# Copies without files


@pytest.mark.parametrize("make", MAKERS)
def test_json(make):
    model = make()
    x, _ = data(make)
    model(x)
    again = models.model_from_json(model.to_json(indent=1))
    again(x)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize("make", MAKERS)
def test_clones(make):
    dlbd.utils.set_random_seed(0)
    model = make()
    x, _ = data(make)
    model(x)
    clone = models.clone_model(model)
    clone(x)
    assert [w.shape for w in clone.weights] == [w.shape for w in model.weights]
    assert not set(map(id, clone.weights)) & set(map(id, model.weights))
    assert any((a != b).any() for a, b in zip(clone.get_weights(), model.get_weights(), strict=True))


def test_clones_by_a_function():
    def wider(layer):
        config = layer.get_config()
        return type(layer).from_config(config | {"units": 7} if config.get("units") == 4 else config)

    clone = models.clone_model(branches(), clone_function=wider, recursive=True)
    assert clone.get_layer("shared").units == 7
    assert clone.get_layer("inner").layers[0].units == 7
    assert models.clone_model(branches(), clone_function=wider).get_layer("inner").layers[0].units == 4
    clone = models.clone_model(dense(), input_tensors=Input((3,)))
    assert clone.input_shape == (None, 3)
    told = []

    def call(layer, *args, **kwargs):
        told.append(layer.name)
        return layer(*args, **kwargs)

    models.clone_model(branches(), call_function=call)
    assert told.count("shared") == 2
    with pytest.raises(ValueError, match="takes the model alone"):
        models.clone_model(blocks(), clone_function=wider)


def test_classes_that_were_not_registered(tmp_path):
    class Doubled(Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.top = layers.Dense(units)

        def call(self, inputs):
            return 2 * self.top(inputs)

    model = Doubled(3, name="d")
    x = np.ones((2, 4))
    before = model.predict(x)
    path = tmp_path / "m.dlbd"
    model.save(path)
    with pytest.raises(
        ValueError, match=r"m\.dlbd: cannot be loaded: there is no class 'Doubled'.*register_keras_serial"
    ):
        load_model(path)
    np.testing.assert_array_equal(load_model(path, custom_objects={"Doubled": Doubled}).predict(x), before)
    with dlbd.saving.custom_object_scope({"Doubled": Doubled}):
        np.testing.assert_array_equal(load_model(path).predict(x), before)


def test_arguments_that_are_not_kept(tmp_path):
    class Forgetful(Model):
        def __init__(self, units):
            super().__init__()
            self.top = layers.Dense(units)

    with pytest.raises(NotImplementedError, match=r"keeps no attribute 'units'.*get_config"):
        Forgetful(3).save(tmp_path / "m.dlbd")


def test_functions_as_losses(tmp_path):
    @dlbd.saving.register_keras_serializable("tests")
    def cubed(y_true, y_pred):
        return dlbd.ops.mean(abs(y_true - y_pred) ** 3, axis=-1)

    model = dense()
    model.compile("sgd", cubed, metrics=[cubed])
    model.save(tmp_path / "m.dlbd")
    x, y = data(dense)
    assert load_model(tmp_path / "m.dlbd").evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)

    def unknown(y_true, y_pred):
        return cubed(y_true, y_pred)

    model.compile("sgd", unknown)
    model.save(tmp_path / "m.dlbd")
    with pytest.raises(ValueError, match=r"no function 'unknown'.*compile=False"):
        load_model(tmp_path / "m.dlbd")
    assert load_model(tmp_path / "m.dlbd", custom_objects={"unknown": unknown}).loss is not None
    load_model(tmp_path / "m.dlbd", compile=False)
    model.compile("sgd", lambda y_true, y_pred: cubed(y_true, y_pred))
    with pytest.warns(UserWarning, match="how it was compiled is not saved.*lambda"):
        model.save(tmp_path / "m.dlbd")
    assert load_model(tmp_path / "m.dlbd").optimizer is None


def test_a_compile_of_ones_own(tmp_path):
    @dlbd.saving.register_keras_serializable("tests")
    class Own(Blocks):
        def compile(self, first, second):
            super().compile(first, "mse")
            self.second = second

    model = Own(2)
    model(np.ones((1, 6)))
    model.compile("sgd", optimizers.Adam())
    model.save(tmp_path / "m.dlbd")
    with pytest.warns(UserWarning, match="Own has a compile"):
        loaded = load_model(tmp_path / "m.dlbd")
    same(loaded.get_weights(), model.get_weights())


def test_activations_of_ones_own(tmp_path):
    @dlbd.saving.register_keras_serializable("tests")
    def bent(x):
        return dlbd.ops.maximum(x, 0.5 * x)

    model = Sequential([Input((3,)), layers.Dense(2, activation=bent), layers.Activation(bent)])
    model.save(tmp_path / "m.dlbd")
    x = -np.ones((2, 3))
    np.testing.assert_array_equal(load_model(tmp_path / "m.dlbd").predict(x), model.predict(x))
    model = Sequential([Input((3,)), layers.Dense(2, activation=lambda x: x)])
    with pytest.raises(ValueError, match="a lambda cannot be saved"):
        model.save(tmp_path / "m.dlbd")
