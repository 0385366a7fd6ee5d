"""Bad input of the recurrent operations, and what a table row cannot say."""

import numpy as np
import pytest

from dlbd import GradientTape, Variable, backend, ops

from ..arrays import tensor


def operands(cell="lstm", batch=2, steps=3, depth=4, units=5):
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[cell]
    rng = np.random.default_rng(0)
    shapes = [(batch, steps, depth), (depth, gates * units), (units, gates * units)]
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_wrong_shapes_are_named(cell):
    op = getattr(ops, cell)
    x, w, u = operands(cell)
    with pytest.raises(ValueError, match=rf"\[{cell}\] x must be \(B, T, D\); received \(2, 3\)"):
        op(x[:, :, 0], w, u)
    with pytest.raises(ValueError, match=rf"\[{cell}\] kernel must have shape"):
        op(x, w[1:], u)
    with pytest.raises(ValueError, match=rf"\[{cell}\] recurrent_kernel must have shape"):
        op(x, w, u[:, 1:])
    with pytest.raises(ValueError, match=rf"\[{cell}\] recurrent_kernel must have shape"):
        op(x, w, np.float32(1))
    with pytest.raises(ValueError, match=rf"\[{cell}\] bias must have shape"):
        op(x, w, u, np.ones(3))
    with pytest.raises(ValueError, match=rf"\[{cell}\] mask must have shape \(2, 3\); received \(3, 2\)"):
        op(x, w, u, mask=np.ones((3, 2), bool))
    with pytest.raises(TypeError, match=rf"\[{cell}\] mask must be bool; received float32"):
        op(x, w, u, mask=np.ones((2, 3)))


def test_an_initial_state_of_another_batch_size_is_an_error():
    x, w, u = operands("rnn")
    with pytest.raises(ValueError, match=r"\[rnn\] initial_state must have shape \(2, 5\); received \(3, 5\)"):
        ops.rnn(x, w, u, initial_state=np.zeros((3, 5)))
    x, w, u = operands("lstm")
    with pytest.raises(ValueError, match="initial_state must be 2 arrays; received 1"):
        ops.lstm(x, w, u, initial_state=[np.zeros((2, 5))])


def test_an_activation_without_a_kernel_is_refused():
    x, w, u = operands("rnn")
    with pytest.raises(ValueError, match=r"\[rnn\] activation must be one of .* received 'gelu'"):
        ops.rnn(x, w, u, activation="gelu")


def test_gradients_add_up_where_one_tensor_comes_in_twice():
    state = tensor(np.full((2, 5), 0.5))
    x, w, u = (tensor(a.astype(np.float64)) for a in operands("lstm"))
    with GradientTape() as tape:
        tape.watch(state)
        _, h, _ = ops.lstm(x, w, u, initial_state=(state, state))
    both = tape.gradient(h, state)
    single = []
    for i in range(2):
        states = [tensor(state.array.copy()), tensor(state.array.copy())]
        with GradientTape() as tape:
            tape.watch(states[i])
            _, h, _ = ops.lstm(x, w, u, initial_state=states)
        single.append(np.array(tape.gradient(h, states[i])))
    np.testing.assert_allclose(np.array(both), single[0] + single[1], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_variable_may_be_both_kernels(dtype):
    x, w, _ = operands("lstm", depth=5)
    x, w, twin = (tensor(a.astype(dtype)) for a in (x, w, w))
    with GradientTape(persistent=True) as tape:
        for t in (w, twin):
            tape.watch(t)
        same, _, _ = ops.lstm(x, w, w)
        apart, _, _ = ops.lstm(x, w, twin)
    both = np.array(tape.gradient(same, w))
    parts = [np.array(g) for g in tape.gradient(apart, [w, twin])]
    np.testing.assert_allclose(both, parts[0] + parts[1], rtol=1e-5)


def test_gradients_only_of_the_last_state_or_only_of_the_sequence():
    x, w, u = (tensor(a.astype(np.float64)) for a in operands("gru"))
    with GradientTape(persistent=True) as tape:
        tape.watch(u)
        y, h = ops.gru(x, w, u)
    weights = np.zeros(y.shape)
    weights[:, -1] = 1
    np.testing.assert_allclose(
        np.array(tape.gradient(y, u, output_gradients=weights)), np.array(tape.gradient(h, u)), rtol=1e-12
    )


@pytest.mark.parametrize("path", ["rows", "units"])
def test_a_masked_step_ignores_what_is_not_a_number(path):
    x, w, u = operands("lstm")
    x[0, 1] = np.nan
    mask = np.ones((2, 3), bool)
    mask[0, 1] = False
    source = tensor(u)
    with backend.forced_path("rnn", path), GradientTape() as tape:
        tape.watch(source)
        y, _, _ = ops.lstm(x, w, source, mask=mask)
    assert np.isfinite(np.array(y)).all()
    assert np.isfinite(np.array(tape.gradient(y, source))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_tensor_as_kernel_and_initial_state_gathers_both_gradients(dtype):
    rng = np.random.default_rng(0)
    x, u, both = (rng.standard_normal(shape) for shape in ((6, 2, 6), (6, 6), (6, 6)))
    x, u = Variable(x, dtype=dtype), Variable(u, dtype=dtype)

    def gradients(kernel, state):
        with GradientTape() as tape:
            y = ops.rnn(x, kernel, u, initial_state=state)[1]
        return tape.gradient(y, [kernel, state])

    wanted = sum(np.asarray(g) for g in gradients(Variable(both, dtype=dtype), Variable(both, dtype=dtype)))
    shared = Variable(both, dtype=dtype)
    np.testing.assert_allclose(gradients(shared, shared)[0], wanted, rtol=1e-4, atol=1e-5)
