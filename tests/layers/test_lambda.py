import numpy as np
import pytest

import dlbd
from dlbd import layers, ops

from ..arrays import tensor
from .check import check_layer


@pytest.mark.parametrize(
    ("function", "arguments", "reference"),
    [
        ("relu6", {}, lambda x: np.clip(x, 0, 6)),
        (ops.abs, {}, np.abs),
        ("clip", {"x_min": -0.5, "x_max": 0.5}, lambda x: np.clip(x, -0.5, 0.5)),
        (ops.gelu, {"approximate": False}, None),
        (dlbd.activations.gelu, {}, None),
        (dlbd.activations.softplus, {}, lambda x: np.log1p(np.exp(x))),
    ],
)
def test_functions_of_ours_are_saved_by_name(function, arguments, reference):
    check_layer(
        lambda: layers.Lambda(function, output_shape=(4,), arguments=arguments), (3, 4), (3, 4), reference=reference
    )
    again = layers.Lambda.from_config(layers.Lambda(function, arguments=arguments).get_config())
    if callable(function):
        assert again.function is function


def test_the_two_gelus_are_told_apart():
    assert layers.Lambda(ops.gelu).get_config()["function"] == "ops.gelu"
    assert layers.Lambda(dlbd.activations.gelu).get_config()["function"] == "gelu"


@dlbd.saving.register_keras_serializable(package="test_lambda")
def halved(x, by=2.0):
    return x / by


def unregistered(x):
    return x + 1


def test_registered_functions_are_saved():
    layer = layers.Lambda(halved, arguments={"by": 4.0})
    config = layer.get_config()
    again = layers.Lambda.from_config(config)
    assert again.function is halved
    np.testing.assert_array_equal(again(np.full((1, 2), 8.0)), np.full((1, 2), 2.0))


@pytest.mark.parametrize("function", [lambda x: 2 * x, unregistered, np.tanh])
def test_others_work_but_are_not_saved(function):
    x = np.ones((1, 2), np.float32)
    layer = layers.Lambda(function, name="own")
    np.testing.assert_allclose(layer(x), function(x), rtol=1e-6)
    with pytest.raises(ValueError, match=r"\[own\].*cannot be saved.*register_keras_serializable"):
        layer.get_config()


def test_a_model_with_a_lambda_is_saved_and_loaded(tmp_path):
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    model = dlbd.Sequential([dlbd.Input((3,)), layers.Dense(4), layers.Lambda(halved), layers.Lambda("abs")])
    model.save(tmp_path / "m.dlbd")
    np.testing.assert_array_equal(dlbd.models.load_model(tmp_path / "m.dlbd").predict(x), model.predict(x))


def test_output_shapes_are_found_by_trial_or_given():
    x = dlbd.Input((4, 3))
    assert layers.Lambda(lambda t: t[:, -1])(x).shape == (None, 3)
    assert layers.Lambda(ops.argmax, arguments={"axis": -1})(x).dtype.kind == "i"
    given = layers.Lambda(lambda t: t[:, -1], output_shape=(3,))
    assert given.compute_output_shape((None, 4, 3)) == (None, 3)
    by_function = layers.Lambda(lambda t: t[:, -1], output_shape=lambda s: (s[0], s[2]))
    assert by_function.compute_output_shape((None, 4, 3)) == (None, 3)


def test_masks_and_training_are_passed_on_where_they_are_taken():
    x = tensor(np.ones((1, 3, 2), np.float32))
    x.mask = tensor(np.array([[True, True, False]]))
    told = []

    def listening(t, mask=None, training=None):
        told.append((mask is not None, training))
        return t * 1

    assert layers.Lambda(listening)(x, training=True).mask is None
    assert told == [(True, True)]
    kept = layers.Lambda(lambda t: t, mask=lambda inputs, mask: mask)
    np.testing.assert_array_equal(kept(x).mask, x.mask)


def test_a_name_that_is_none():
    with pytest.raises(ValueError, match=r"name of one in dlbd\.ops or dlbd\.activations; received 'rely'"):
        layers.Lambda("rely")
