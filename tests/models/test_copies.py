import copy
import pickle

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .programs import blobs, mlp, same


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "adagrad"])
def test_a_copy_goes_on_like_the_original(copied, optimizer: str):
    x, y = blobs()
    model = mlp(optimizer=optimizer)
    model.fit(x, y, verbose=0)
    model.predict(x)
    twin = copied(model)
    np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    found = []
    for m in (model, twin):
        history = m.fit(x, y, epochs=2, shuffle=False, verbose=0)
        found.append([*m.get_weights(), np.array(history.history["loss"])])
    assert same(*found)
    assert twin.metrics_names == model.metrics_names


def test_a_copy_is_independent():
    x, y = blobs()
    model = mlp()
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    twin = copy.deepcopy(model)
    twin.fit(x, y, epochs=2, verbose=0)
    assert same(model.get_weights(), before)


def test_frozen_layers_stay_frozen():
    model = mlp()
    model.layers[0].trainable = False
    twin = pickle.loads(pickle.dumps(model))
    assert [v.path for v in twin.trainable_variables] == [v.path for v in model.trainable_variables]
    twin.layers[0].trainable = True
    assert len(twin.trainable_variables) == 4


def test_models_with_dropout_and_shared_layers():
    shared = layers.Dense(6, activation="relu")
    model = dlbd.Sequential([layers.Dropout(0.4, input_shape=(6,)), shared, layers.Dense(3)])
    other = dlbd.Sequential([shared, layers.Dense(1)])
    a, b = copy.deepcopy((model, other))
    assert a.layers[1] is b.layers[0]
    x = np.ones((4, 6), np.float32)
    np.testing.assert_array_equal(a(x, training=True), model(x, training=True))
