"""Every rule over several steps against the formulas of Keras 3, written in NumPy."""

import numpy as np
import pytest

import dlbd
from dlbd import _cpu
from dlbd.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

from ..arrays import tensor


def sgd(p, g, s, t, lr, momentum=0.0, nesterov=False):
    if momentum == 0:
        return p - lr * g
    s["m"] = momentum * s.get("m", 0) - lr * g
    return p + momentum * s["m"] - lr * g if nesterov else p + s["m"]


def adam(p, g, s, t, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    s["m"] = s.get("m", 0) + (g - s.get("m", 0)) * (1 - beta_1)
    s["v"] = s.get("v", 0) + (g * g - s.get("v", 0)) * (1 - beta_2)
    v = s["v"]
    if amsgrad:
        v = s["h"] = np.maximum(s.get("h", 0), v)
    return p - s["m"] * (lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)) / (np.sqrt(v) + epsilon)


def rmsprop(p, g, s, t, lr, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    s["v"] = rho * s.get("v", 0) + (1 - rho) * g * g
    denominator = s["v"] + epsilon
    if centered:
        s["a"] = rho * s.get("a", 0) + (1 - rho) * g
        denominator = s["v"] - s["a"] ** 2 + epsilon
    step = lr * g / np.sqrt(denominator)
    if momentum:
        step = s["m"] = momentum * s.get("m", 0) + step
    return p - step


def adagrad(p, g, s, t, lr, initial=0.1, epsilon=1e-7):
    s["a"] = s.get("a", initial) + g * g
    return p - lr * g / np.sqrt(s["a"] + epsilon)


RULES = {
    "sgd": (lambda **k: SGD(0.05, **k), lambda *a: sgd(*a, 0.05)),
    "sgd-momentum": (lambda **k: SGD(0.05, momentum=0.9, **k), lambda *a: sgd(*a, 0.05, 0.9)),
    "sgd-nesterov": (lambda **k: SGD(0.05, 0.9, True, **k), lambda *a: sgd(*a, 0.05, 0.9, True)),
    "adam": (lambda **k: Adam(0.01, **k), lambda *a: adam(*a, 0.01)),
    "adam-amsgrad": (
        lambda **k: Adam(0.01, 0.8, 0.9, 1e-5, True, **k),
        lambda *a: adam(*a, 0.01, 0.8, 0.9, 1e-5, True),
    ),
    "rmsprop": (lambda **k: RMSprop(0.01, **k), lambda *a: rmsprop(*a, 0.01)),
    "rmsprop-momentum": (lambda **k: RMSprop(0.01, 0.8, 0.5, **k), lambda *a: rmsprop(*a, 0.01, 0.8, 0.5)),
    "rmsprop-centered": (
        lambda **k: RMSprop(0.01, 0.8, 0.5, 1e-5, True, **k),
        lambda *a: rmsprop(*a, 0.01, 0.8, 0.5, 1e-5, True),
    ),
    "adagrad": (lambda **k: Adagrad(0.1, **k), lambda *a: adagrad(*a, 0.1)),
    "adagrad-started": (lambda **k: Adagrad(0.1, 0.5, 1e-5, **k), lambda *a: adagrad(*a, 0.1, 0.5, 1e-5)),
}
SHAPES = [(3, 5), (), (7,), (130, 129), (0,)]  # the fourth is more than one chunk
STEPS = 5


def start(dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    values = [rng.standard_normal(s) for s in SHAPES]
    variables = [dlbd.Variable(x, dtype=dtype, name=f"v{i}") for i, x in enumerate(values)]
    gradients = [[rng.standard_normal(s) for s in SHAPES] for _ in range(STEPS)]
    return values, variables, gradients


def run(optimizer, variables, gradients):
    for step in gradients:
        optimizer.apply_gradients(zip(step, variables, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, dtype):
    make, reference = RULES[rule]
    values, variables, gradients = start(dtype)
    optimizer = make()
    run(optimizer, variables, gradients)
    for i, p in enumerate(values):
        state = {}
        for t, step in enumerate(gradients, 1):
            p = reference(p, step[i], state, t)
        # float32: the corrections 1 - beta^t are rounded to it, as in Keras; the learning rate always is
        np.testing.assert_allclose(variables[i], p, rtol=1e-5, atol=3e-6 if dtype == np.float32 else 1e-8)
    assert int(optimizer.iterations) == STEPS


@pytest.mark.parametrize("rule", RULES)
def test_bits_do_not_depend_on_the_number_of_threads(rule):
    before, results = _cpu.num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            _cpu.set_num_threads(threads)
            _, variables, gradients = start()
            run(RULES[rule][0](global_clipnorm=20.0), variables, gradients)
            results.append([v.numpy().tobytes() for v in variables])
    finally:
        _cpu.set_num_threads(before)
    assert all(r == results[0] for r in results)


def test_adamw_decays_before_the_step():
    values, variables, gradients = start(np.float64)
    optimizer = AdamW(0.01, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_list=[variables[0]], var_names=["v2"])
    run(optimizer, variables, gradients)
    for i, p in enumerate(values):
        state = {}
        for t, step in enumerate(gradients, 1):
            p = adam(p if i in (0, 2) else p - p * 0.1 * 0.01, step[i], state, t, 0.01)
        np.testing.assert_allclose(variables[i], p, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping(clip, limit):
    values, variables, gradients = start(np.float64)
    optimizer = SGD(0.1, **{clip: limit})
    run(optimizer, variables, gradients[:1])
    g = gradients[0]
    if clip == "clipvalue":
        clipped = [np.clip(x, -limit, limit) for x in g]
    elif clip == "clipnorm":
        clipped = [x * limit / max(np.sqrt((x * x).sum()), limit) for x in g]
    else:
        norm = np.sqrt(sum((x * x).sum() for x in g))
        clipped = [x * limit / max(norm, limit) for x in g]
    for v, p, x in zip(variables, values, clipped, strict=True):
        np.testing.assert_allclose(v, p - np.float32(0.1) * x, rtol=1e-9, atol=1e-9)


def test_clipping_applies_to_the_gradient_of_the_mean():
    v = dlbd.Variable([1.0, 1.0])
    optimizer = SGD(1.0, clipnorm=10.0)
    optimizer.build([v])
    optimizer.gradient_slots[id(v)][...] = [30.0, 40.0]  # norm 50, of the mean 5
    optimizer.apply(tensor(np.array(10.0, np.float32)))
    np.testing.assert_allclose(v, [-2.0, -3.0], rtol=1e-6)


def test_a_norm_that_is_not_finite_shows():
    v = dlbd.Variable([1.0, 1.0])
    SGD(1.0, clipnorm=1.0).apply_gradients([([np.nan, 1.0], v)])
    assert np.isnan(v.numpy()).all()


def test_at_most_one_kind_of_clipping():
    with pytest.raises(ValueError, match="at most one"):
        SGD(clipnorm=1.0, clipvalue=1.0)


def test_count_divides_the_gradient_and_zero_leaves_nothing_of_it():
    v = dlbd.Variable([1.0, 2.0])
    optimizer = SGD(1.0)
    optimizer.build([v])
    optimizer.gradient_slots[id(v)][...] = [4.0, 8.0]
    optimizer.apply(tensor(np.array(4.0, np.float32)))
    np.testing.assert_array_equal(v, [0.0, 0.0])
    optimizer.apply(tensor(np.array(0.0, np.float32)))
    np.testing.assert_array_equal(v, [0.0, 0.0])
    assert int(optimizer.iterations) == 2


def test_variables_without_a_gradient_stay():
    a, b = dlbd.Variable([1.0]), dlbd.Variable([1.0])
    optimizer = AdamW(0.1)
    optimizer.apply_gradients([([1.0], a), ([1.0], b)])
    before = b.numpy().copy()
    optimizer.apply_gradients([([1.0], a), (None, b)])
    np.testing.assert_array_equal(b, before)
    optimizer.apply([np.ones(1), None])
    np.testing.assert_array_equal(b, before)
    with pytest.raises(ValueError, match="no gradients"):
        optimizer.apply_gradients([(None, a), (None, b)])


def test_wrong_gradients_are_named():
    v, other = dlbd.Variable(np.zeros((2, 3)), name="kernel"), dlbd.Variable([1.0], name="bias")
    optimizer = Adam()
    optimizer.build([v])
    with pytest.raises(ValueError, match=r"kernel must have its shape \(2, 3\); received \(3,\)"):
        optimizer.apply_gradients([(np.ones(3), v)])
    with pytest.raises(ValueError, match="bias is not among the variables"):
        optimizer.apply_gradients([(np.ones(1), other)])
    with pytest.raises(ValueError, match="received 2 gradients for 1 variables"):
        optimizer.apply([np.ones(3), np.ones(3)])
    assert int(optimizer.iterations) == 0
    with pytest.raises(TypeError, match="all variables must be float32"):
        Adam().build([v, dlbd.Variable([1.0], dtype=np.float64)])
