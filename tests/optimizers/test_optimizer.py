"""What all optimizers share: flat buffers, learning rate, saving, and being recorded."""

import copy
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import losses, optimizers
from dlbd.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

from ..arrays import tensor

ALL = [SGD, lambda: SGD(momentum=0.9), Adam, lambda: Adam(amsgrad=True), AdamW, RMSprop, Adagrad]


def pair(seed=0):
    rng = np.random.default_rng(seed)
    return [dlbd.Variable(rng.standard_normal(s), name=n) for s, n in (((3, 5), "kernel"), ((5,), "bias"))]


def step(optimizer, variables, value=1.0):
    optimizer.apply_gradients([(np.full(v.shape, value), v) for v in variables])


def address(array):
    host = isinstance(array, np.ndarray)
    return (array.__array_interface__ if host else array.__cuda_array_interface__)["data"][0]


def test_variables_become_aligned_views_of_one_buffer():
    variables = pair()
    before = [v.numpy().copy() for v in variables]
    optimizer = Adam()
    optimizer.build(variables)
    for v, b in zip(variables, before, strict=True):
        np.testing.assert_array_equal(v, b)
        assert address(v.array) % 64 == 0
        assert v.array.flags.c_contiguous
        assert optimizer.gradient_slots[id(v)].shape == v.shape
    variables[0].assign(np.ones((3, 5)))
    step(optimizer, variables)
    np.testing.assert_allclose(variables[0], np.ones((3, 5)) - 0.001, rtol=1e-5)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_where_the_original_was(make, copied):
    variables, optimizer = pair(), make()
    step(optimizer, variables)
    again, theirs = copied((optimizer, variables))
    for o, vs in ((optimizer, variables), (again, theirs)):
        step(o, vs, 0.3)
    for v, w in zip(variables, theirs, strict=True):
        assert v.array is not w.array
        np.testing.assert_array_equal(v, w)
    assert int(again.iterations) == 2


def test_another_optimizer_may_take_the_variables_over_and_give_them_back():
    variables, first, second = pair(), SGD(1.0, momentum=0.5), SGD(1.0)
    expected = [v.numpy().copy() for v in variables]
    step(first, variables)
    step(second, variables)
    step(first, variables)
    for v, e in zip(variables, expected, strict=True):
        np.testing.assert_allclose(v, e - 1 - 1 - 1.5, rtol=1e-5)


def test_building_for_other_variables_keeps_the_state_of_those_that_stay():
    a, b = pair()
    optimizer = SGD(1.0, momentum=0.5)
    step(optimizer, [a, b])
    before = a.numpy().copy()
    optimizer.build([a])
    step(optimizer, [a])
    np.testing.assert_allclose(a, before - 1.5, rtol=1e-5)


def test_learning_rate_is_a_variable_that_can_be_set():
    variables, optimizer = pair(), SGD(0.5)
    before = variables[1].numpy().copy()
    step(optimizer, variables)
    optimizer.learning_rate = 0.25
    step(optimizer, variables)
    optimizer.learning_rate.assign(0.125)
    step(optimizer, variables)
    np.testing.assert_allclose(variables[1], before - 0.875, rtol=1e-6)
    assert float(optimizer.learning_rate) == 0.125
    for wrong in ("fast", None, True):
        with pytest.raises(TypeError, match="learning_rate must be a number or a schedule"):
            SGD(wrong)


def test_a_function_of_the_step_is_a_learning_rate():
    variables = pair()
    before = variables[1].numpy().copy()
    optimizer = SGD(lambda step: 1.0 / (step + 1))
    for _ in range(3):
        step(optimizer, variables)
    np.testing.assert_allclose(variables[1], before - (1 + 1 / 2 + 1 / 3), rtol=1e-5)


def test_variables_stand_in_keras_order_and_can_be_set():
    variables, optimizer = pair(), Adam(amsgrad=True)
    step(optimizer, variables)
    names = [v.name for v in optimizer.variables]
    assert names == [
        "iteration",
        "learning_rate",
        "kernel_momentum",
        "kernel_velocity",
        "bias_momentum",
        "bias_velocity",
        "kernel_velocity_hat",
        "bias_velocity_hat",
    ]
    other, theirs = Adam(amsgrad=True), pair()
    other.build(theirs)
    for v, w in zip(theirs, variables, strict=True):
        v.assign(w)
    other.set_weights(optimizer.variables)
    step(optimizer, variables, 0.2)
    step(other, theirs, 0.2)
    for v, w in zip(variables, theirs, strict=True):
        np.testing.assert_array_equal(v, w)


@pytest.mark.parametrize("make", ALL)
def test_config_makes_the_same_optimizer(make):
    optimizer = make()
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()


def test_get():
    for name, cls in (("adam", Adam), ("SGD", SGD), ("rmsprop", RMSprop), ("Adagrad", Adagrad), ("AdamW", AdamW)):
        assert type(optimizers.get(name)) is cls
    made = optimizers.get({"class_name": "Adam", "config": {"learning_rate": 0.5}})
    assert float(made.learning_rate) == 0.5
    assert optimizers.get(made) is made
    assert type(optimizers.get(RMSprop)) is RMSprop
    for wrong in ("adm", 3, None):
        with pytest.raises(ValueError, match="expected an Optimizer or one of"):
            optimizers.get(wrong)


def test_defaults_are_those_of_keras():
    assert SGD().get_config().items() >= {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}.items()
    assert Adam().get_config().items() >= {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999}.items()
    assert AdamW().get_config().items() >= {"weight_decay": 0.004, "epsilon": 1e-7}.items()
    assert RMSprop().get_config().items() >= {"learning_rate": 0.001, "rho": 0.9, "centered": False}.items()
    assert Adagrad().get_config().items() >= {"learning_rate": 0.001, "initial_accumulator_value": 0.1}.items()


class Step:
    """A step as ``fit`` records it: softmax regression."""

    def __init__(self, optimizer):
        rng = np.random.default_rng(5)
        self.kernel = dlbd.Variable(rng.standard_normal((4, 3)))
        self.x = tensor(rng.standard_normal((8, 4)).astype(np.float32))
        self.y = tensor(rng.integers(0, 3, 8))
        self.optimizer, self.loss = optimizer, losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer.build([self.kernel])

    def run(self):
        with dlbd.GradientTape() as tape:
            logits = dlbd.ops.matmul(self.x, self.kernel)
            total, count = self.loss.sum_and_count(self.y, logits)
        tape.backward([total], [None], [self.kernel], self.optimizer.gradient_slots)
        self.optimizer.apply(count)

    def record(self):
        recording = dlbd.backend.current_twin().Recording()
        recording.begin()
        try:
            self.run()
        finally:
            recording.end()
        assert not recording.poisoned
        return recording


@pytest.mark.parametrize("make", [*ALL, lambda: Adam(global_clipnorm=0.01), lambda: Adam(clipnorm=0.01)])
def test_a_replayed_step_is_the_step(make):
    direct, recorded = Step(make()), Step(make())
    recording = recorded.record()
    direct.run()
    for rate in (0.1, 0.2):
        for s in (direct, recorded):
            s.optimizer.learning_rate = rate
        direct.run()
        recording.replay()
        np.testing.assert_array_equal(direct.kernel, recorded.kernel)
    assert int(recorded.optimizer.iterations) == 3


@pytest.mark.parametrize("label", [3, -1, 2**40])
def test_an_update_that_met_an_impossible_label_does_not_happen(label):
    step = Step(Adam(global_clipnorm=1.0))
    recording = step.record()
    before = [v.numpy().copy() for v in (step.kernel, *step.optimizer.variables)]
    good = np.array(step.y)
    bad = good.copy()
    bad[5] = label
    dlbd.backend.write(step.y.array, bad)
    message = f"label {label} at position 5 is out of range: expected 0 <= value < 3"
    for run in (recording.replay, step.run):
        with pytest.raises(ValueError, match=message):
            run(), step.kernel.numpy()  # a GPU tells at the next read
    for v, b in zip((step.kernel, *step.optimizer.variables), before, strict=True):
        np.testing.assert_array_equal(v, b)
    dlbd.backend.write(step.y.array, good)
    recording.replay()
    assert int(step.optimizer.iterations) == 2
    assert dlbd.backend.on_host(step.optimizer._built().ticket).tolist() == [0]


@pytest.mark.parametrize("make", [lambda: SGD(momentum=0.9), Adam, RMSprop])
def test_moments_of_zero_gradients_fade_to_zero_not_into_subnormal_numbers(make):
    """Arithmetic on subnormal numbers made late epochs three times as slow. The caller's arithmetic keeps them."""
    variables, optimizer = [dlbd.Variable(np.zeros(8, np.float32))], make()
    step(optimizer, variables, 1e-18)
    for _ in range(900):
        step(optimizer, variables, 0.0)
    tiny = np.finfo(np.float32).tiny
    for state in optimizer.variables:
        values = np.abs(np.asarray(state).astype(np.float64))
        assert not np.any((values > 0) & (values < tiny)), state.name
    assert np.float32(1e-40) * np.float32(0.5) > 0
