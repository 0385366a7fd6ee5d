"""Averages of weights, accumulated gradients, scaled losses, constraints: as Keras 3 does them, written in NumPy."""

import copy
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import layers, models
from dlbd.optimizers import SGD, Adam

from ..arrays import tensor

SHAPES = [(3, 5), (), (70, 129)]
STEPS = 6


def start(dtype=np.float64):
    rng = np.random.default_rng(3)
    values = [rng.standard_normal(s) for s in SHAPES]
    gradients = [[rng.standard_normal(s) for s in SHAPES] for _ in range(STEPS)]
    return values, [dlbd.Variable(x, dtype=dtype, name=f"v{i}") for i, x in enumerate(values)], gradients


def run(optimizer, variables, gradients):
    for step in gradients:
        optimizer.apply_gradients(zip(step, variables, strict=True))


def close(variables, values):
    for v, x in zip(variables, values, strict=True):
        np.testing.assert_allclose(v, x, rtol=1e-6, atol=1e-6)


def adam(values, gradients):
    """Adam(0.125) on lists of arrays: what the parameters are after each update."""
    m, v, found = [0.0] * len(values), [0.0] * len(values), []
    for t, step in enumerate(gradients, 1):
        m = [a + (g - a) * 0.1 for a, g in zip(m, step, strict=True)]
        v = [a + (g * g - a) * 0.001 for a, g in zip(v, step, strict=True)]
        rate = 0.125 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        values = [p - a * rate / (np.sqrt(b) + 1e-7) for p, a, b in zip(values, m, v, strict=True)]
        found.append(values)
    return found


def means(gradients, n):
    """Of each n steps that are complete."""
    whole = len(gradients) // n
    return [[sum(parts) / n for parts in zip(*gradients[i * n : i * n + n], strict=True)] for i in range(whole)]


# gradient accumulation


@pytest.mark.parametrize("n", [2, 3, 4])
def test_an_update_takes_the_mean_of_so_many_gradients(n):
    values, variables, gradients = start()
    optimizer = Adam(0.125, gradient_accumulation_steps=n)
    run(optimizer, variables, gradients[: n - 1])
    close(variables, values)
    assert int(optimizer.iterations) == 0
    run(optimizer, variables, gradients[n - 1 :])
    close(variables, adam(values, means(gradients, n))[-1])
    assert int(optimizer.iterations) == STEPS // n
    assert int(optimizer.variables[0]) == STEPS


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_the_mean_is_clipped(clip):
    values, variables, gradients = start()
    run(SGD(1.0, gradient_accumulation_steps=2, **{clip: 0.5}), variables, gradients[:2])
    (g,) = means(gradients[:2], 2)
    norm = np.sqrt(sum((x * x).sum() for x in g))
    clipped = {
        "clipnorm": lambda x: x * 0.5 / max(np.sqrt((x * x).sum()), 0.5),
        "clipvalue": lambda x: np.clip(x, -0.5, 0.5),
        "global_clipnorm": lambda x: x * 0.5 / max(norm, 0.5),
    }[clip]
    close(variables, [p - clipped(x) for p, x in zip(values, g, strict=True)])


def test_a_step_without_a_gradient_adds_nothing():
    values, variables, gradients = start()
    optimizer = SGD(1.0, gradient_accumulation_steps=3)
    run(optimizer, variables, gradients[:3])
    optimizer.apply_gradients([(gradients[3][0], variables[0]), (None, variables[1])])
    optimizer.apply_gradients([(None, variables[0]), (gradients[4][1], variables[1])])
    optimizer.apply_gradients([(gradients[5][0], variables[0]), (None, variables[1])])
    expected = [p - sum(g) / 3 for p, g in zip(values, zip(*gradients[:3], strict=True), strict=True)]
    expected[0] = expected[0] - (gradients[3][0] + gradients[5][0]) / 3  # variable 1 takes no part in the update
    close(variables, expected)


def test_counts_of_steps_divide_each_of_them():
    v = dlbd.Variable([1.0, 2.0])
    optimizer = SGD(1.0, gradient_accumulation_steps=2)
    optimizer.build([v])
    for count in (4.0, 2.0):
        optimizer.gradient_slots[id(v)][...] = [4.0, 8.0]
        optimizer.apply(tensor(np.array(count, np.float32)))
    np.testing.assert_array_equal(v, [1 - 1.5, 2 - 3.0])


def test_a_schedule_counts_steps():
    v, seen = dlbd.Variable([0.0]), []
    optimizer = SGD(lambda step: seen.append(step) or float(step), gradient_accumulation_steps=2)
    for _ in range(4):
        optimizer.apply_gradients([([1.0], v)])
    assert seen == [0, 1, 2, 3]
    np.testing.assert_array_equal(v, [-1 - 3])


# moving averages


@pytest.mark.parametrize("accumulation", [None, 2])
@pytest.mark.parametrize("every", [None, 2])
def test_averages(every, accumulation):
    """Keras moves the average in each step, with accumulation too, and counts updates for what depends on a number."""
    values, variables, gradients = start()
    options = {"ema_momentum": 0.75, "ema_overwrite_frequency": every, "gradient_accumulation_steps": accumulation}
    optimizer = SGD(0.5, use_ema=True, **options)
    run(optimizer, variables, gradients)
    n, average = accumulation or 1, [0.0] * len(values)
    sums = [np.zeros_like(p) for p in values]
    for step, g in enumerate(gradients):
        sums = [s + x for s, x in zip(sums, g, strict=True)]
        if (step + 1) % n == 0:
            values = [p - 0.5 * s / n for p, s in zip(values, sums, strict=True)]
            sums = [np.zeros_like(p) for p in values]
        keep = 0.75 if step // n else 0.0
        average = [keep * a + (1 - keep) * p for a, p in zip(average, values, strict=True)]
        if every and (step // n + 1) % every == 0:
            values = average
    close(variables, values)
    names = [v.name for v in optimizer.variables]
    held = [v for v in optimizer.variables if v.name.endswith("_average")]
    close(held, average)
    assert names.index("v2_average") == names.index("v0_average") + 2
    optimizer.finalize_variable_values(variables[:2])
    close(variables, [*average[:2], values[2]])


def test_averages_begin_with_what_the_variables_are():
    values, variables, gradients = start()
    optimizer = SGD(0.5, use_ema=True)
    optimizer.build(variables)
    optimizer.finalize_variable_values(variables)
    close(variables, values)
    other = SGD(0.5)
    run(other, variables, gradients[:1])
    other.use_ema = True  # from here on
    run(other, variables, gradients[1:2])
    after = [p - 0.5 * g for p, g in zip(values, gradients[0], strict=True)]
    close(
        [v for v in other.variables if v.name.endswith("_average")],
        [a * 0.99 + (a - 0.5 * g) * 0.01 for a, g in zip(after, gradients[1], strict=True)],
    )


def test_without_averages_finalizing_does_nothing():
    values, variables, _ = start()
    SGD().finalize_variable_values(variables)
    close(variables, values)


# scaled losses


@pytest.mark.parametrize("count", [None, 4.0])
def test_the_gradient_of_a_scaled_loss_is_scaled_back(count):
    v, optimizer = dlbd.Variable([3.0]), SGD(0.5, loss_scale_factor=1024.0, clipnorm=100.0)
    optimizer.build([v])
    with dlbd.GradientTape() as tape:
        loss = optimizer.scale_loss(dlbd.ops.sum(v * v))
    tape.backward([loss], [None], [v], optimizer.gradient_slots)
    np.testing.assert_array_equal(optimizer.gradient_slots[id(v)].tolist(), [6 * 1024.0])
    optimizer.apply(None if count is None else tensor(np.array(count, np.float32)))
    np.testing.assert_array_equal(v, [3 - 3 / (count or 1)])
    assert SGD().scale_loss(2.0) == 2.0


# constraints


def test_constraints_hold_after_each_update():
    a, b, c = (dlbd.Variable([1.0, -1.0], name=n) for n in "abc")
    a.constraint = c.constraint = dlbd.constraints.NonNeg()
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.apply_gradients([([2.0, 0.5], a), ([2.0, 0.5], b), (None, c)])
    np.testing.assert_array_equal(a, [0.0, 0.0])
    np.testing.assert_array_equal(b, [-1.0, -1.5])
    np.testing.assert_array_equal(c, [1.0, -1.0])  # it had no part in the update
    average = next(v for v in optimizer.variables if v.name == "a_average")
    np.testing.assert_array_equal(average, [-1.0, -1.5])  # Keras averages before it constrains


# all of them, in recorded steps, copied and saved

OPTIONS = {
    "accumulation": {"gradient_accumulation_steps": 2},
    "accumulation, clipped": {"gradient_accumulation_steps": 3, "global_clipnorm": 0.1},
    "averages": {"use_ema": True, "ema_momentum": 0.5},
    "averages that overwrite": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
    "scaled loss": {"loss_scale_factor": 256.0},
    "all": {"use_ema": True, "ema_overwrite_frequency": 3, "gradient_accumulation_steps": 2, "loss_scale_factor": 8.0},
}


def fitted(options, **how):
    dlbd.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((28, 6)), rng.integers(0, 3, 28)
    model = models.Sequential([layers.Input((6,)), layers.Dense(3)])
    model.weights[0].constraint = dlbd.constraints.MaxNorm(0.5)
    schedule = dlbd.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    model.compile(Adam(schedule, **options), dlbd.losses.SparseCategoricalCrossentropy(from_logits=True), **how)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    return model, x, y


@pytest.mark.parametrize("name", OPTIONS)
def test_recorded_steps_are_the_steps(name):
    recorded, eager = fitted(OPTIONS[name])[0], fitted(OPTIONS[name], run_eagerly=True)[0]
    for a, b in zip(
        [*recorded.weights, *recorded.optimizer.variables], [*eager.weights, *eager.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert np.sqrt((recorded.get_weights()[0] ** 2).sum(0)).max() <= 0.5001 or OPTIONS[name].get("use_ema")


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_goes_on_where_the_original_was(name, copied):
    model, x, y = fitted(OPTIONS[name])  # 7 steps: in the middle of an accumulation
    again = copied(model)
    for m in (model, again):
        m.fit(x, y, batch_size=4, verbose=0, shuffle=False)
    for a, b in zip(
        [*model.weights, *model.optimizer.variables], [*again.weights, *again.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_scaled_loss_is_reported_as_it_is():
    losses = [fitted(options)[0].history.history["loss"] for options in ({}, {"loss_scale_factor": 256.0})]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


def test_fit_ends_with_the_averages():
    model = fitted({"use_ema": True, "ema_momentum": 0.5})[0]
    averages = [v for v in model.optimizer.variables if v.name.endswith("_average")]
    for v, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(v, average)


@pytest.mark.parametrize("name", OPTIONS)
def test_config_round_trip(name):
    optimizer = Adam(0.5, **OPTIONS[name])
    config = optimizer.get_config()
    assert config.items() >= OPTIONS[name].items()
    assert dlbd.optimizers.deserialize(dlbd.optimizers.serialize(optimizer)).get_config() == config


def test_state_may_be_set():
    _, variables, gradients = start()
    options = {"gradient_accumulation_steps": 4, "use_ema": True}
    first, second = Adam(0.125, **options), Adam(0.125, **options)
    run(first, variables, gradients[:2])
    others = [dlbd.Variable(v.numpy(), dtype=np.float64, name=v.name) for v in variables]
    second.build(others)
    second.set_weights([v.numpy() for v in first.variables])
    for optimizer, vs in ((first, variables), (second, others)):
        run(optimizer, vs, gradients[2:])
    for a, b in zip([*variables, *first.variables], [*others, *second.variables], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ema_momentum": 1.5}, r"ema_momentum must be in \[0, 1\]; received 1.5"),
        (
            {"ema_overwrite_frequency": 0},
            "ema_overwrite_frequency must be an integer of 1 or more, or None; received 0",
        ),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps must be an integer of 2 or more"),
        ({"gradient_accumulation_steps": 2.5}, "received 2.5"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        SGD(**options)


def test_an_option_may_be_set_later():
    values, variables, gradients = start()
    optimizer = SGD(0.5)
    run(optimizer, variables, gradients[:2])
    optimizer.gradient_accumulation_steps = 2
    run(optimizer, variables, gradients[2:4])
    total = [g0 + g1 + (g2 + g3) / 2 for g0, g1, g2, g3 in zip(*gradients[:4], strict=True)]
    close(variables, [p - 0.5 * g for p, g in zip(values, total, strict=True)])
