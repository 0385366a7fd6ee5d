"""What is changed between two calls of fit, or by a callback between two batches, counts from the next step on."""

import copy
import functools

import numpy as np
import pytest

import dlbd
from dlbd import callbacks, layers, losses, metrics, ops, optimizers

from .programs import blobs, same


class Scaled(layers.Layer):
    """A layer of a user's own, with settings of its own."""

    def __init__(self, factor: float, settings: dict, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor
        self._settings = settings

    def call(self, x):
        self.last = x  # for the user to look at: no reason to record anew
        return ops.multiply(x, self.factor + self._settings["more"])

    def compute_output_shape(self, input_shape):
        return input_shape


def program(optimizer=None, run_eagerly=False):
    dlbd.utils.set_random_seed(3)
    model = dlbd.Sequential(
        [
            layers.Dense(8, activation="relu", name="first", input_shape=(6,)),
            layers.BatchNormalization(name="norm"),
            Scaled(1.0, {"more": 0.5}, name="scaled"),
            layers.LeakyReLU(0.1, name="leaky"),
            layers.Dropout(0.0, seed=5, name="dropout"),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )
    model.compile(
        optimizer or optimizers.SGD(0.05),
        losses.CategoricalCrossentropy(),
        metrics=[metrics.TopKCategoricalAccuracy(k=1, name="top")],
        run_eagerly=run_eagerly,
    )
    return model


def data():
    x, y = blobs(64)
    return x, np.eye(3, dtype=np.float32)[y]


def layer_change(name, attribute, value):
    return lambda model: setattr(model.get_layer(name), attribute, value)


CHANGES = {
    "dropout rate": layer_change("dropout", "rate", 0.5),
    "activation": layer_change("first", "activation", ops.tanh),
    "slope": layer_change("leaky", "negative_slope", 0.9),
    "momentum of moving averages": layer_change("norm", "momentum", 0.5),
    "epsilon": layer_change("norm", "epsilon", 0.5),
    "trainable": layer_change("first", "trainable", False),
    "a user's number": layer_change("scaled", "factor", 3.0),
    "a user's private dictionary": layer_change("scaled", "_settings", {"more": -2.0}),
    "bias": layer_change("last", "bias", None),
    "label smoothing": lambda model: setattr(model.loss, "label_smoothing", 0.3),
    "top k": lambda model: setattr(model.metrics[0], "k", 2),
    "momentum": lambda model: setattr(model.optimizer, "momentum", 0.9),
    "clipping": lambda model: setattr(model.optimizer, "global_clipnorm", 1e-2),
    "weight decay": lambda model: setattr(model.optimizer, "weight_decay", 0.5),
    "learning rate": lambda model: setattr(model.optimizer, "learning_rate", 0.5),
    "schedule": lambda model: setattr(model.optimizer, "learning_rate", lambda step: 0.1 / (step + 1)),
    "optimizer": lambda model: setattr(model, "optimizer", optimizers.SGD(0.5)),
    "a weight": lambda model: model.get_layer("last").kernel.assign(np.zeros((8, 3))),
    "a layer more": lambda model: model.add(layers.Activation("softmax")),
}


def trained(change, run_eagerly: bool, between_batches: bool):
    x, y = data()
    model = program(run_eagerly=run_eagerly)
    seen = []

    class Changer(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(logs["loss"])
            if between_batches and batch == 1:
                change(self.model)

    options = {"batch_size": 16, "shuffle": False, "verbose": 0, "callbacks": [Changer()]}
    model.fit(x, y, **options)
    before = model.predict(x)
    if not between_batches:
        change(model)
    model.fit(x, y, **options)
    return [*model.get_weights(), np.array(seen), before, model.predict(x), np.array(model.evaluate(x, y, verbose=0))]


@functools.cache
def trained_without_change() -> list[np.ndarray]:
    return trained(lambda model: None, False, False)


@pytest.mark.parametrize("between_batches", [False, True], ids=["between-fits", "in-a-callback"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_counts_at_once(name: str, between_batches: bool):
    changed = trained(CHANGES[name], False, between_batches)
    assert same(changed, trained(CHANGES[name], True, between_batches))
    assert not same(changed, trained_without_change())


def recorded(model) -> list:
    return [step for steps in model._train_steps.values() for free in steps._free.values() for step in free]


def test_what_changes_nothing_is_not_recorded_anew():
    x, y = data()
    model = program()
    model.fit(x, y, batch_size=16, verbose=0)
    (before,) = recorded(model)
    assert before._replay is not None

    class Idle(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.get_layer("dropout").rate = 0.0
            self.model.optimizer.momentum = 0.0
            self.model.optimizer.learning_rate = 0.05
            layers.Dense(3)

    model.fit(x, y, batch_size=16, verbose=0, callbacks=[Idle()])
    assert recorded(model) == [before]


def test_taking_turns_in_freezing_records_once():
    """The loop of a generative adversarial network: the discriminator is frozen while the generator learns."""
    x, y = blobs(32)[0], np.ones(32)
    judge = dlbd.Sequential([layers.Dense(8, input_shape=(6,)), layers.BatchNormalization(), layers.Dense(1)])
    maker = dlbd.Sequential([layers.Dense(6, input_shape=(6,)), judge])
    for model in (judge, maker):
        model.compile(optimizers.Adam(0.01), "mse")
    found = []
    for _ in range(4):
        for model, learns in ((judge, True), (maker, False)):
            judge.trainable = learns
            before = judge.get_weights()
            model.train_on_batch(x, y)
            assert same(before, judge.get_weights()) != learns
        found.append([recorded(judge), recorded(maker)])
    assert found[1] == found[2] == found[3]
    assert [len(steps) for steps in found[3]] == [1, 1]


def test_eager_running_can_be_switched_on():
    x, y = data()
    model = program()
    model.fit(x, y, batch_size=16, verbose=0)
    model.run_eagerly = True
    model.get_layer("scaled").last = None
    model.fit(x, y, batch_size=16, verbose=0)
    assert model.get_layer("scaled").last is not None
    assert all(step._replay is None for step in recorded(model))


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (lambda: optimizers.SGD(0.1), {"momentum": 0.5}),
        (lambda: optimizers.Adam(0.1), {"amsgrad": True}),
        (lambda: optimizers.RMSprop(0.1), {"momentum": 0.5, "centered": True}),
        (lambda: optimizers.RMSprop(0.1, momentum=0.5, centered=True), {"momentum": 0.0, "centered": False}),
    ],
)
def test_constants_that_need_another_state(make, changes: dict):
    """State that was not there starts as if it had been made new; what was there stays."""
    variable, optimizer = dlbd.Variable([1.0, 2.0]), make()
    optimizer.apply_gradients([([1.0, -1.0], variable)])
    for name, value in changes.items():
        setattr(optimizer, name, value)
    again, twin = copy.deepcopy((variable, optimizer))
    wanted = len(optimizer._slots())
    for v, o in ((variable, optimizer), (again, twin)):
        for gradient in ([0.5, 0.5], [-1.0, 2.0]):
            o.apply_gradients([(gradient, v)])
        assert len(o.variables) == 2 + wanted
    np.testing.assert_array_equal(variable, again)
    assert np.isfinite(variable.numpy()).all()


class Branches(dlbd.Model):
    def __init__(self):
        super().__init__()
        self.left, self.right = layers.Dense(1), layers.Dense(1)
        self.both = True

    def call(self, x):
        y = self.left(x)
        return y + self.right(x) if self.both else y


@pytest.mark.parametrize("clip", [{}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.01}])
@pytest.mark.parametrize(
    "make",
    [
        lambda **k: optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1, **k),
        lambda **k: optimizers.SGD(0.1, momentum=0.9, nesterov=True, **k),
        lambda **k: optimizers.AdamW(0.1, amsgrad=True, **k),
        lambda **k: optimizers.RMSprop(0.1, momentum=0.9, centered=True, weight_decay=0.1, **k),
        lambda **k: optimizers.Adagrad(0.1, weight_decay=0.1, **k),
    ],
)
def test_a_weight_without_gradient_stays_with_its_state(make, clip: dict):
    """As in Keras, which leaves variables without a gradient out: no momentum, no decay, no part in the norm."""
    x, _ = blobs(32)
    y = x.sum(1)
    model = Branches()
    model.compile(make(**clip), "mse")
    model.fit(x, y, epochs=2, verbose=0)  # the right branch has momentum now
    right = {id(v) for v in model.right.weights}
    before = {v.name: v.numpy().copy() for v in model.optimizer.variables}
    weights = model.get_weights()

    model.both = False
    alone = copy.deepcopy(model)
    model.fit(x, y, epochs=2, verbose=0, shuffle=False)
    after = {v.name: v.numpy() for v in model.optimizer.variables}
    for v, value in zip(model.weights, weights, strict=True):
        assert np.array_equal(v.numpy(), value) == (id(v) in right)
        for name in before:
            if name.startswith(v.path.replace("/", "_")):
                assert np.array_equal(before[name], after[name]) == (id(v) in right)

    for _ in range(2):  # the same steps by hand, which know of the left branch only
        with dlbd.GradientTape() as tape:
            loss = dlbd.losses.MeanSquaredError()(y, alone(x, training=True))
        alone.optimizer.apply_gradients(zip(tape.gradient(loss, alone.left.weights), alone.left.weights, strict=True))
    for found, wanted in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
