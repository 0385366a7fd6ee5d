"""Rows of the recurrent family. The references are the textbook loops."""

import numpy as np

from dlbd import ops

from .row import Row

GATES = {"rnn": 1, "lstm": 4, "gru": 3, "gru_reset_before": 3}
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "leaky_relu": lambda x: np.where(x < 0, float(np.float32(0.2)) * x, x),
    "elu": lambda x: np.where(x < 0, np.expm1(x), x),
    "softplus": lambda x: np.logaddexp(x, 0),
}
sigmoid = ACTIVATIONS["sigmoid"]


def rnn_step(x, state, w, u, b, activation):
    return (ACTIVATIONS[activation](x @ w + state[0] @ u + b),)


def lstm_step(x, state, w, u, b, _):
    i, f, g, o = np.split(x @ w + state[0] @ u + b, 4, axis=-1)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, state, w, u, b, _):
    h = state[0]
    xz, xr, xh = np.split(x @ w + b[0], 3, axis=-1)
    hz, hr, hh = np.split(h @ u + b[1], 3, axis=-1)
    z = sigmoid(xz + hz)
    candidate = np.tanh(xh + sigmoid(xr + hr) * hh)
    return (z * h + (1 - z) * candidate,)


def gru_reset_before_step(x, state, w, u, b, _):
    h = state[0]
    uz, ur, uh = np.split(u, 3, axis=-1)
    xz, xr, xh = np.split(x @ w + b, 3, axis=-1)
    z = sigmoid(xz + h @ uz)
    candidate = np.tanh(xh + (sigmoid(xr + h @ ur) * h) @ uh)
    return (z * h + (1 - z) * candidate,)


STEPS = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step, "gru_reset_before": gru_reset_before_step}


def reference(cell, reverse, activation):
    def loop(x, w, u, b=None, h0=None, c0=None, mask=None):
        batch, steps, units = *x.shape[:2], u.shape[0]
        b = np.zeros((2, 3 * units) if cell == "gru" else u.shape[1]) if b is None else b
        zero = np.zeros((batch, units))
        state = [zero if h0 is None else h0] + ([zero if c0 is None else c0] if cell == "lstm" else [])
        sequence = np.zeros((batch, steps, units))
        for s in range(steps):
            t = steps - 1 - s if reverse else s
            new = STEPS[cell](x[:, t], state, w, u, b, activation)
            live = np.ones((batch, 1), bool) if mask is None else mask[:, t, None]
            state = [np.where(live, n, old) for n, old in zip(new, state, strict=True)]
            sequence[:, s] = state[0]
        return sequence, *state

    return loop


def operation(cell, reverse, activation):
    def run(x, w, u, b=None, h0=None, c0=None, mask=None):
        options = {"mask": mask, "reverse": reverse}
        if cell == "rnn":
            return ops.rnn(x, w, u, b, initial_state=h0, activation=activation, **options)
        if cell == "lstm":
            return ops.lstm(x, w, u, b, initial_state=None if h0 is None else (h0, c0), **options)
        return ops.gru(x, w, u, b, initial_state=h0, reset_after=cell == "gru", **options)

    return run


def masks(kind, batch, steps, rng):
    """Right-padded, left-padded, holes, or nothing at all in half of the rows."""
    lengths = rng.integers(0, steps + 1, (batch, 1))
    position = np.arange(steps)
    if kind == "right":
        return position < lengths
    if kind == "left":
        return position >= lengths
    if kind == "holes":
        return rng.random((batch, steps)) < 0.6
    return np.broadcast_to(np.arange(batch)[:, None] % 2 == 0, (batch, steps)).copy()


def row(
    cell,
    batch,
    steps,
    depth,
    units,
    *,
    path=None,
    bias=True,
    state=False,
    mask=None,
    reverse=False,
    activation="tanh",
    name="",
):
    def inputs(rng):
        scale = 1 / np.sqrt(max(units, 1))
        columns = GATES[cell] * units
        x = rng.standard_normal((batch, steps, depth))
        w = rng.standard_normal((depth, columns)) / np.sqrt(max(depth, 1))
        u = rng.standard_normal((units, columns)) * scale
        b = rng.standard_normal((2, columns) if cell == "gru" else columns) if bias else None
        h0 = rng.standard_normal((batch, units)) if state else None
        c0 = rng.standard_normal((batch, units)) if state and cell == "lstm" else None
        m = None if mask is None else masks(mask, batch, steps, rng)
        return x, w, u, b, h0, c0, m

    differentiable = [0, 1, 2] + [3] * bias + [4] * state + [5] * (state and cell == "lstm")
    what = [cell, f"b{batch}t{steps}d{depth}h{units}"]
    what += [name] if name else []
    what += [path] if path else []
    return Row(
        name="-".join(what),
        run=operation(cell, reverse, activation),
        reference=reference(cell, reverse, activation),
        inputs=inputs,
        differentiable=tuple(differentiable),
        path=("rnn", path) if path else None,
        # The gradients of kernels are sums over all steps and rows, whose float32 rounding grows with what they add up.
        gradient_rtol=1e-5,
        gradient_atol=3e-5,
    )


def _rows():
    for cell in GATES:
        for path in ("generic", "rows", "units"):
            # the edges of vectors, panels, tiles and chunks of rows
            for batch, steps, depth, units in [
                (1, 1, 1, 1),
                (2, 5, 3, 7),
                (5, 5, 8, 8),
                (33, 2, 10, 16),
                (5, 5, 7, 17),
                (2, 5, 33, 33),
                (33, 5, 5, 64),
            ]:
                yield row(cell, batch, steps, depth, units, path=path)
            for mask in ("right", "left", "holes", "rows"):
                yield row(cell, 5, 5, 3, 17, path=path, mask=mask, state=True, name=f"mask-{mask}")
            yield row(cell, 5, 4, 3, 17, path=path, reverse=True, state=True, name="reverse")
            yield row(cell, 5, 5, 3, 17, path=path, reverse=True, mask="holes", name="reverse-mask")
            yield row(cell, 3, 4, 5, 6, path=path, bias=False, name="no-bias")
        yield row(cell, 70, 3, 5, 9, path="units", name="two-row-groups")
        yield row(cell, 2, 3, 4, 150, path="units", name="many-blocks")
        yield row(cell, 17, 2, 4, 130, path="rows", name="wide-chunks")
        # on a GPU: weights that exceed the registers of a block, for one row and for several
        yield row(cell, 2, 3, 4, 70, path="rows", mask="holes", name="wide-row")
        yield row(cell, 9, 2, 3, 70, path="rows", name="wide-rows")
        yield row(cell, 3, 0, 4, 5, state=True, name="no-steps")
        yield row(cell, 0, 3, 4, 5, state=True, name="no-rows")
        yield row(cell, 3, 2, 0, 5, name="no-inputs")
        yield row(cell, 3, 2, 4, 0, name="no-units")
    for activation in ACTIVATIONS:
        yield row("rnn", 5, 4, 3, 17, activation=activation, state=True, mask="holes", name=activation)


ROWS = list(_rows())
