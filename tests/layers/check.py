"""check_layer: everything that is promised of any layer, in one call."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

import dlbd
from dlbd import GradientTape

from ..arrays import tensor


def check_layer(
    make: Callable[[], Any],
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    weights: list[tuple[int, ...]] | None = None,
    frozen: int = 0,
    integers: int | None = None,
    random: bool = False,
    reference: Callable[..., np.ndarray] | None = None,
    rtol: float = 1e-5,
) -> Any:
    """Build, call, differentiate, copy and configure a layer.

    Args:
        make: makes it, unbuilt.
        input_shape: batch included.
        output_shape: that must come out.
        weights: shapes of all weights in Keras's order.
        frozen: how many of them, at the end of the list, are not trained.
        integers: the input is made of integers below this.
        random: training is random.
        reference: the output in NumPy from (x, *weights).
        rtol: of the comparison with it.
    """
    dlbd.utils.set_random_seed(7)
    rng = np.random.default_rng(0)
    x = (
        rng.standard_normal(input_shape).astype(np.float32)
        if integers is None
        else rng.integers(0, integers, input_shape)
    )
    weights = weights or []
    layer = make()
    assert not layer.weights
    y = layer(x)
    assert layer.built
    assert y.shape == output_shape
    assert y.dtype == np.float32
    _check_shapes(make, layer, input_shape, output_shape)
    assert [v.shape for v in layer.weights] == weights
    assert layer.count_params() == sum(int(np.prod(s)) for s in weights)
    assert len(layer.trainable_variables) == len(weights) - frozen
    assert len({v.path for v in layer.weights}) == len(weights)
    assert all(v.path.startswith(layer.name + "/") or "/" in v.path for v in layer.weights)
    _check_weights(layer, x, y, rng)
    if reference is not None:
        y = layer(x)
        wanted = reference(x, *layer.get_weights())
        np.testing.assert_allclose(y, wanted, rtol=rtol, atol=rtol)
    _check_copies(layer, x)
    _check_gradients(layer, x, integers is not None)
    if not random:
        np.testing.assert_array_equal(layer(x, training=False), layer(x))
    _check_freezing(layer)
    _check_training(make, x, output_shape, random)
    return layer


def _check_shapes(make: Any, layer: Any, input_shape: Any, output_shape: Any) -> None:
    assert layer.compute_output_shape(input_shape) == output_shape
    unknown_batch = (None, *input_shape[1:])
    assert layer.compute_output_shape(unknown_batch) == (None, *output_shape[1:])
    empty = layer(np.zeros((0, *input_shape[1:]), np.float32))
    assert empty.shape == (0, *output_shape[1:])
    built = make()
    built.build(unknown_batch)
    assert built.built
    assert [v.shape for v in built.weights] == [v.shape for v in layer.weights]


def _check_weights(layer: Any, x: Any, y: Any, rng: Any) -> None:
    values = [rng.uniform(0.1, 0.5, v.shape).astype(np.float32) for v in layer.weights]
    layer.set_weights(values)
    for found, wanted in zip(layer.get_weights(), values, strict=True):
        np.testing.assert_array_equal(found, wanted)
    if values:
        assert not np.array_equal(np.array(layer(x)), np.array(y))


def _check_copies(layer: Any, x: Any) -> None:
    y = np.array(layer(x))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), y)
        assert [v.path for v in twin.weights] == [v.path for v in layer.weights]
    other = type(layer).from_config(layer.get_config())
    assert other.name == layer.name
    other.build((None, *x.shape[1:]))
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(other(x), y)
    assert str(other.get_config()) == str(layer.get_config())


def _check_gradients(layer: Any, x: Any, integers: bool) -> None:
    t = tensor(np.ascontiguousarray(x))
    with GradientTape(persistent=True) as tape:
        tape.watch(t)
        y = layer(t, training=True)
    sources = [*layer.trainable_variables, *([] if integers else [t])]
    for s, g in zip(sources, tape.gradient(y, sources), strict=True):
        assert g is not None
        assert g.shape == s.shape
        assert np.all(np.isfinite(np.array(g)))


def _check_freezing(layer: Any) -> None:
    before = [v.trainable for v in layer.weights]
    layer.trainable = False
    assert layer.trainable_variables == []
    assert len(layer.non_trainable_variables) == len(layer.weights)
    layer.trainable = True
    assert [v.trainable for v in layer.weights] == before


def _check_training(make: Any, x: Any, output_shape: Any, random: bool) -> None:
    """In a model: the loss falls, and a recorded step does what eager ones do."""
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(3)
        layer = make()
        head = [] if len(output_shape) == 2 else [dlbd.layers.Flatten()]
        model = dlbd.Sequential([layer, *head, dlbd.layers.Dense(2)])
        model.compile(optimizer=dlbd.optimizers.SGD(1e-3), loss="mse", run_eagerly=eagerly)
        y = np.random.default_rng(1).standard_normal((len(x), 2)).astype(np.float32)
        history = model.fit(x, y, epochs=4, batch_size=len(x), shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    assert random or losses[0][-1] < losses[0][0]
