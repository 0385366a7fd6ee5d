"""Losses, weights and metrics of several outputs; what layers and regularizers add to the loss; what is trained."""

import numpy as np
import pytest

import dlbd
from dlbd import layers, ops

from .programs import blobs, mlp, same
from .test_functional import pairs, two_towers


def losses_by_hand(model, left, right, number, kind):
    predicted, scores = model.predict([left, right])
    return np.mean((predicted - number) ** 2), np.mean(-np.log(scores[np.arange(len(kind)), kind]))


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        (["mse", "sparse_categorical_crossentropy"], None),
        ({"kind": "sparse_categorical_crossentropy", "number": "mse"}, {"kind": 0.25}),
        (["mse", "sparse_categorical_crossentropy"], [2.0, 0.5]),
    ],
    ids=["list", "dict", "weighted list"],
)
@pytest.mark.parametrize("as_dict", [False, True], ids=["y in a list", "y in a dict"])
def test_a_loss_for_each_output(loss, weights, as_dict: bool):
    left, right, number, kind = pairs()
    model = two_towers()
    model.compile(dlbd.optimizers.SGD(0.0), loss, loss_weights=weights, metrics={"kind": "accuracy", "number": ["mae"]})
    y = {"kind": kind, "number": number} if as_dict else [number, kind]
    first, second = losses_by_hand(model, left, right, number, kind)
    factors = {"number": 1.0, "kind": 1.0} | (
        dict(zip(("number", "kind"), weights, strict=True)) if isinstance(weights, list) else weights or {}
    )
    wanted = {"loss": factors["number"] * first + factors["kind"] * second, "number_loss": first, "kind_loss": second}
    history = model.fit([left, right], y, epochs=1, shuffle=False, verbose=0).history
    found = model.evaluate([left, right], y, verbose=0, return_dict=True)
    assert set(found) == {"loss", "number_loss", "kind_loss", "kind_accuracy", "number_mae"}
    assert model.metrics_names == ["loss", "number_loss", "kind_loss", "number_mae", "kind_accuracy"]
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-4)
        assert history[name] == [pytest.approx(value, rel=1e-4)]
    np.testing.assert_allclose(model.test_on_batch([left, right], y)[0], wanted["loss"], rtol=1e-4)


def test_gradients_of_the_weighted_sum():
    """One step of SGD moves the weights against the gradient of the weighted sum of the means."""
    left, right, number, kind = pairs(8)
    model = two_towers()
    before = model.get_weights()
    with dlbd.GradientTape() as tape:
        predicted, scores = model([left, right])
        mean = dlbd.losses.MeanSquaredError()(number, predicted)
        entropy = dlbd.losses.SparseCategoricalCrossentropy()(kind, scores)
        total = ops.add(ops.multiply(mean, 0.5), ops.multiply(entropy, 3.0))
    gradients = tape.gradient(total, model.trainable_variables)
    model.compile(dlbd.optimizers.SGD(0.1), ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.5, 3.0])
    model.fit([left, right], [number, kind], batch_size=8, verbose=0)
    for w, g, after in zip(before, gradients, model.get_weights(), strict=True):
        np.testing.assert_allclose(after, w - 0.1 * np.asarray(g), rtol=1e-4, atol=1e-6)


def test_an_output_without_a_loss():
    left, right, number, _ = pairs()
    model = two_towers()
    before = model.get_layer("kind").get_weights()
    model.compile("sgd", {"number": "mse"})
    history = model.fit([left, right], {"number": number}, verbose=0).history
    assert set(history) == {"loss"}
    assert same(before, model.get_layer("kind").get_weights())


def test_weights_of_samples_for_each_output():
    left, right, number, kind = pairs()
    model = two_towers()
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"])
    none, ones = np.zeros(40, np.float32), np.ones(40, np.float32)
    only_number = model.evaluate([left, right], [number, kind], sample_weight=[ones, none], verbose=0, return_dict=True)
    assert only_number["kind_loss"] == 0
    assert only_number["loss"] == pytest.approx(only_number["number_loss"])
    by_name = model.evaluate([left, right], [number, kind], sample_weight={"kind": none}, verbose=0, return_dict=True)
    assert by_name == pytest.approx(only_number, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": ["mse"]}, r"2 outputs, \['number', 'kind'\]; received 1 entries of loss"),
        ({"loss": {"numbers": "mse"}}, r"\['numbers'\] belong to none of the outputs \['number', 'kind'\]"),
        ({"loss": "mse", "loss_weights": [1.0]}, "received 1 entries of loss_weights"),
        ({"loss": "mse", "metrics": ["mae"]}, r"2 outputs, \['number', 'kind'\]: metrics are a dict"),
        ({"loss": "mse", "metrics": {"other": "mae"}}, r"metrics named \['other'\] belong to none"),
    ],
)
def test_what_fits_no_output(options, message: str):
    left, right, number, kind = pairs()
    model = two_towers()

    def run():
        model.compile("sgd", **options)
        model.fit([left, right], [number, kind], verbose=0)

    with pytest.raises(ValueError, match=message):
        run()


def test_targets_that_fit_no_output():
    left, right, number, kind = pairs()
    model = two_towers()
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"])
    with pytest.raises(ValueError, match="received 1 targets"):
        model.fit([left, right], number, verbose=0)
    with pytest.raises(ValueError, match=r"targets named \['sort'\]"):
        model.fit([left, right], {"number": number, "sort": kind}, verbose=0)


class Penalized(layers.Layer):
    """Gives its input, and adds its mean square, times ``weight``, to the loss."""

    def __init__(self, weight: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, inputs):
        self.add_loss(ops.multiply(ops.mean(ops.square(inputs)), self.weight))
        return inputs


def regularized(**options):
    dlbd.utils.set_random_seed(3)
    hidden = layers.Dense(
        5, "tanh", kernel_regularizer=dlbd.regularizers.L2(0.1), bias_regularizer="l1", activity_regularizer="l2"
    )
    model = dlbd.Sequential([dlbd.Input((6,)), hidden, Penalized(), layers.Dense(1)])
    model.compile(dlbd.optimizers.SGD(0.05), "mse", **options)
    return model


def test_what_layers_add_to_the_loss():
    model = regularized()
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((12, 6)).astype(np.float32), rng.standard_normal((12, 1)).astype(np.float32)
    kernel, bias, kernel_2, bias_2 = model.get_weights()
    hidden = np.tanh(x @ kernel + bias)
    wanted = (
        np.mean((hidden @ kernel_2 + bias_2 - y) ** 2)
        + 0.1 * np.sum(kernel**2)
        + 0.01 * np.abs(bias).sum()
        + 0.01 * np.sum(hidden**2)
        + 0.1 * np.mean(hidden**2)
    )
    assert model.evaluate(x, y, verbose=0) == pytest.approx(wanted, rel=1e-4)
    assert len(model.losses) == 4


def test_the_recorded_step_with_added_losses_is_the_eager_one():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((36, 6)).astype(np.float32), rng.standard_normal((36, 1)).astype(np.float32)
    found = []
    for eager in (False, True):
        model = regularized(run_eagerly=eager)
        history = model.fit(x, y, batch_size=12, epochs=2, shuffle=False, verbose=0)
        found.append([*model.get_weights(), history.history["loss"]])
    assert same(*found)
    assert found[0][-1][1] < found[0][-1][0]


def test_only_what_layers_add():
    model = dlbd.Sequential([dlbd.Input((2,)), layers.Dense(2, kernel_initializer="ones"), Penalized(1.0)])
    model.compile(dlbd.optimizers.SGD(0.1))
    history = model.fit(np.ones((4, 2)), epochs=5, verbose=0).history
    assert history["loss"][0] == 4.0
    assert history["loss"][-1] < 1.0
    assert model.evaluate(np.ones((4, 2)), verbose=0) < 1.0


def test_losses_in_a_loop_of_ones_own():
    model = regularized()
    x = np.ones((3, 6), np.float32)
    with dlbd.GradientTape() as tape:
        model(x)
        total = sum(model.losses)
    gradients = tape.gradient(total, model.trainable_variables)
    assert gradients[0] is not None
    assert gradients[3] is None
    first = [float(v) for v in model.losses]
    model(x)
    assert [float(v) for v in model.losses] == first  # not twice
    with pytest.raises(ValueError, match=r"add_loss\(\) takes scalars; received shape \(2,\)"):
        model.add_loss(np.ones(2))


def test_frozen_weights_are_not_regularized():
    model = regularized()
    model.layers[0].trainable = False
    model(np.ones((3, 6)))
    assert len(model.losses) == 2


def test_constraints_hold_after_each_update():
    model = dlbd.Sequential(
        [
            layers.Dense(
                3, kernel_constraint="non_neg", bias_constraint=lambda w: ops.clip(w, -0.01, 0.01), input_shape=(6,)
            )
        ]
    )
    model.compile(dlbd.optimizers.SGD(0.5), "mse")
    x, y = blobs(60)
    model.fit(x, -np.eye(3)[y], batch_size=20, epochs=2, verbose=0)
    kernel, bias = model.get_weights()
    assert (kernel >= 0).all()
    assert np.abs(bias).max() <= np.float32(0.01)
    assert np.abs(bias).max() > 0


def test_training_some_of_the_weights():
    x, y = blobs()
    model = mlp()
    first, last = model.layers
    model.compile("adam", "sparse_categorical_crossentropy", variables=[last])
    before = model.get_weights()
    model.fit(x, y, epochs=1, verbose=0)
    after = model.get_weights()
    assert same(before[:2], after[:2])
    assert not np.array_equal(before[2], after[2])
    model.compile("adam", "sparse_categorical_crossentropy", variables=first.trainable_variables)
    model.fit(x, y, epochs=1, verbose=0)
    assert same(after[2:], model.get_weights()[2:])
    assert not np.array_equal(after[0], model.get_weights()[0])
    first.trainable = False
    with pytest.raises(ValueError, match=r"has nothing to train: compile\(variables=...\)"):
        model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="is not among the model's weights"):
        model.compile("adam", "mse", variables=[dlbd.Variable([1.0])])


def test_a_gan_trains_each_half_alone():
    """The classical way: the discriminator is trained by itself, the generator through it."""
    generator = dlbd.Sequential([layers.Dense(4, "relu", input_shape=(2,)), layers.Dense(3)], name="generator")
    discriminator = dlbd.Sequential([layers.Dense(4, "relu", input_shape=(3,)), layers.Dense(1, "sigmoid")])
    discriminator.compile("adam", "binary_crossentropy")
    noise = dlbd.Input((2,))
    gan = dlbd.Model(noise, discriminator(generator(noise)))
    gan.compile("adam", "binary_crossentropy", variables=[generator])
    z, ones = np.random.default_rng(0).standard_normal((8, 2)), np.ones((8, 1))
    for _ in range(3):
        fixed, moving = discriminator.get_weights(), generator.get_weights()
        gan.train_on_batch(z, ones)
        assert same(fixed, discriminator.get_weights())
        assert not same(moving, generator.get_weights())
        fixed, moving = generator.get_weights(), discriminator.get_weights()
        discriminator.train_on_batch(generator.predict(z), 0 * ones)
        assert same(fixed, generator.get_weights())
        assert not same(moving, discriminator.get_weights())


def test_classes_in_balance():
    x, y = blobs(90)
    kept = np.flatnonzero((y != 2) | (np.arange(90) % 3 == 0))
    x, y = x[kept], y[kept]
    counts = np.bincount(y)
    weights = {c: len(y) / (3 * n) for c, n in enumerate(counts)}
    found = []
    for given in ("balanced", weights):
        dlbd.utils.set_random_seed(0)
        model = mlp()
        model.fit(x, y, class_weight=given, epochs=2, shuffle=False, verbose=0)
        found.append(model.get_weights())
    assert same(*found)
