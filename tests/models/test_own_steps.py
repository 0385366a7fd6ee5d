"""Models with a train_step, test_step, predict_step or compute_loss of their own."""

import numpy as np
import pytest

import dlbd
from dlbd import layers, ops

from .programs import blobs, same


class Net(dlbd.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(8, activation="tanh")
        self.top = layers.Dense(3, activation="softmax")

    def call(self, inputs):
        return self.top(self.hidden(inputs))


class OwnStep(Net):
    def train_step(self, data):
        x, y = data
        with dlbd.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.compute_metrics(x, y, y_pred)
        return self.get_metrics_result() | {"loss": loss}


def trained(kind, **options):
    dlbd.utils.set_random_seed(1)
    x, y = blobs(60)
    model = kind()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    history = model.fit(x, y, batch_size=20, epochs=3, shuffle=False, verbose=0)
    return model, history.history, x, y


def test_an_own_step_that_does_the_usual_gives_the_usual():
    usual, history, _, _ = trained(Net)
    own, own_history, _, _ = trained(OwnStep)
    for a, b in zip(usual.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(own_history["accuracy"], history["accuracy"])
    eager, eager_history, _, _ = trained(OwnStep, run_eagerly=True)
    assert same(own.get_weights(), eager.get_weights())
    assert own_history == eager_history


def test_an_own_step_is_recorded():
    calls = []

    class Counting(OwnStep):
        def train_step(self, data):
            calls.append(1)
            return super().train_step(data)

    trained(Counting)
    assert len(calls) == 3  # of 9 steps: one builds everything, one warms up what was built, one is recorded


def test_a_step_that_reads_numbers_is_called_each_time():
    seen = []

    class Reading(OwnStep):
        def train_step(self, data):
            logs = super().train_step(data)
            seen.append(float(logs["loss"]))
            return logs

    _, history, _, _ = trained(Reading)
    assert len(seen) == 9
    assert history["loss"] == pytest.approx(seen[2::3])


def test_super_of_the_usual_step():
    class More(Net):
        def train_step(self, data):
            return super().train_step(data) | {"one": ops.ones(())}

    usual, history, _, _ = trained(Net)
    more, own_history, _, _ = trained(More)
    assert same(usual.get_weights(), more.get_weights())
    assert own_history["one"] == [1.0, 1.0, 1.0]
    assert own_history["loss"] == pytest.approx(history["loss"], rel=1e-6)


def test_a_loss_of_ones_own():
    class OwnLoss(Net):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.multiply(super().compute_loss(x, y, y_pred, sample_weight), 2.0)

    usual, history, x, y = trained(Net)
    twice, own_history, _, _ = trained(OwnLoss)
    assert own_history["loss"][0] == pytest.approx(2 * history["loss"][0], rel=1e-3)
    assert twice.evaluate(x, y, verbose=0)[0] == pytest.approx(2 * usual.evaluate(x, y, verbose=0)[0], rel=1e-3)


def test_own_test_and_predict_steps():
    class Own(Net):
        def test_step(self, data):
            x, _ = data
            return {"rows": ops.sum(ops.ones_like(self(x, training=False))[:, 0])}

        def predict_step(self, data):
            return ops.argmax(self(data, training=False), axis=-1)

    model, _, x, y = trained(Own)
    assert model.evaluate(x, y, batch_size=60, verbose=0, return_dict=True) == {"rows": 60.0}
    assert model.predict(x).dtype.kind == "i"
    np.testing.assert_array_equal(model.predict(x[:4]), np.argmax(model(x[:4]), axis=-1))


class GAN(dlbd.Model):
    """Two networks and two optimizers, as Keras's guide writes them."""

    def __init__(self):
        super().__init__()
        self.generator = dlbd.Sequential([dlbd.Input((2,)), layers.Dense(8, "relu"), layers.Dense(6)])
        self.discriminator = dlbd.Sequential([dlbd.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1)])
        self.seeds = dlbd.random.SeedGenerator(5)
        self.loss_tracker = dlbd.metrics.Mean(name="d_mean")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def call(self, inputs):
        return self.generator(inputs)

    def train_step(self, real):
        n = real.shape[0]
        fake = self.generator(dlbd.random.normal((n, 2), seed=self.seeds))
        both = ops.concatenate([fake, real], axis=0)
        labels = ops.concatenate([ops.ones((n, 1)), ops.zeros((n, 1))], axis=0)
        with dlbd.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both))
        found = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(found, self.discriminator.trainable_weights, strict=True))
        with dlbd.GradientTape() as tape:
            made = self.generator(dlbd.random.normal((n, 2), seed=self.seeds))
            g_loss = self.loss_fn(ops.zeros((n, 1)), self.discriminator(made))
        found = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(found, self.generator.trainable_weights, strict=True))
        self.loss_tracker.update_state(d_loss)
        return {"d_loss": self.loss_tracker.result(), "g_loss": g_loss}


def gan_trained(eager: bool):
    dlbd.utils.set_random_seed(2)
    model = GAN()
    model.compile(
        dlbd.optimizers.Adam(1e-2), dlbd.optimizers.Adam(1e-2), dlbd.losses.BinaryCrossentropy(from_logits=True)
    )
    model.run_eagerly = eager
    x = np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32) + 2
    history = model.fit(x, batch_size=16, epochs=4, shuffle=False, verbose=0).history
    return model, history


def test_a_gan_with_two_optimizers():
    model, history = gan_trained(eager=False)
    assert [int(o.iterations) for o in (model.d_optimizer, model.g_optimizer)] == [16, 16]
    assert len(history["d_loss"]) == 4
    eager, eager_history = gan_trained(eager=True)
    assert same(model.get_weights(), eager.get_weights())
    assert history == eager_history


def test_a_metric_that_the_model_keeps_is_reset_each_epoch():
    model, _ = gan_trained(eager=False)
    assert [m.name for m in model.metrics] == ["d_mean"]
    model.reset_metrics()
    assert float(model.loss_tracker.result()) == 0


def test_make_train_function_would_not_be_called():
    class Own(Net):
        def make_train_function(self, force=False):
            return None

    with pytest.raises(NotImplementedError, match=r"would not call Own.make_train_function\(\); define train_step"):
        Own().compile("sgd", "mse")
