"""What docs/deviations.md says of dlbd holds."""

from __future__ import annotations

import numpy as np
import pytest

import dlbd
from dlbd import layers, losses, metrics, ops, optimizers
from tests.arrays import tensor

from . import answers
from .cases import generator

RNG = generator("deviations", "numbers")


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def host(x):
    return answers.on_host(x)


# Everywhere


def test_labels_out_of_range_and_kernels_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="label"):
        host(losses.SparseCategoricalCrossentropy()([0, 3], np.full((2, 3), 1 / 3, np.float32)))
    with pytest.raises(ValueError, match=r"kernel 5x5 does not fit"):
        layers.Conv2D(2, 5)(normal(1, 3, 28, 3))
    with pytest.raises(ValueError, match="channels_last"):
        layers.Conv2D(2, 3, data_format="channels_first")


def test_attention_of_one_input_is_self_attention():
    x = normal(2, 4, 3)
    np.testing.assert_array_equal(host(layers.Attention()([x])), host(layers.Attention()([x, x])))


def test_a_query_that_may_see_nothing_gives_zeros():
    x, mask = normal(2, 4, 3), np.array([[0, 0, 0, 0], [1, 1, 0, 0]], bool)
    y = host(layers.Attention()([x, x], mask=[None, mask]))
    assert not y[0].any()
    assert y[1].any()
    bias = layers.MultiHeadAttention(2, 3)
    seen = host(bias(x, x, attention_mask=np.broadcast_to(mask[:, None], (2, 4, 4))))
    np.testing.assert_allclose(seen[0], np.broadcast_to(host(bias.weights[-1]), (4, 3)), atol=1e-6)


def test_strides_and_dilation_together():
    assert layers.Conv2D(2, 2, strides=2, dilation_rate=2)(normal(1, 7, 7, 3)).shape == (1, 3, 3, 2)


def test_sparsemax_gives_probabilities():
    y = host(ops.sparsemax(10 * normal(5, 4)))
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-6)
    assert (y == 0).any()


def test_integers_and_counts_are_int64():
    assert ops.histogram(normal(9), bins=3)[0].dtype == np.int64
    assert ops.convert_to_tensor([1, 2]).dtype == np.int64
    assert ops.count_nonzero(normal(3)).dtype == np.int64
    assert dlbd.utils.to_categorical([0, 1]).dtype == np.float32


def test_names():
    assert (optimizers.RMSprop().name, optimizers.AdamW().name) == ("rmsprop", "adamw")
    assert optimizers.SGD(0.1).get_config()["learning_rate"] == 0.1
    model = dlbd.Sequential([dlbd.Input((5, 4)), layers.LSTM(3, name="read")])
    assert [w.path for w in model.weights] == ["read/kernel", "read/recurrent_kernel", "read/bias"]
    assert isinstance(losses.get("mse"), losses.Loss)


def test_operations_are_layers_of_a_model():
    x = dlbd.Input((3,))
    model = dlbd.Model(x, ops.tanh(layers.Dense(2)(x)))
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense", "Operation"]


def test_what_evaluate_lists_is_in_the_order_of_metrics_names():
    model = dlbd.Sequential([dlbd.Input((3,)), layers.Dense(1)])
    model.compile(loss="mse", metrics=["mse", "mae"])
    x, y = normal(4, 3), normal(4, 1)
    assert model.metrics_names == ["loss", "mse", "mae"]
    scores = model.evaluate(x, y, verbose=0, return_dict=True)
    assert model.evaluate(x, y, verbose=0) == [scores[name] for name in model.metrics_names]


# Losses


def test_cross_entropy_after_a_softmax_is_computed_from_the_logits():
    logits = tensor(np.array([[0.0, 50.0]], np.float32))
    loss = losses.SparseCategoricalCrossentropy()
    assert float(loss([0], ops.softmax(logits))) == pytest.approx(50)  # clipped it would be 16.1


def test_weights_that_are_broadcast_count_for_each_loss():
    y_true, y_pred, weight = normal(3, 4, 5), normal(3, 4, 5), np.array([[1.0], [2.0], [3.0]], np.float32)
    each = np.mean((y_true - y_pred) ** 2, axis=-1)
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    wanted = np.sum(each * weight) / (4 * weight.sum())
    assert float(loss(y_true, y_pred, sample_weight=weight)) == pytest.approx(wanted, rel=1e-5)
    by_sample = losses.MeanSquaredError()(y_true, y_pred, sample_weight=weight[:, 0])
    assert float(by_sample) == pytest.approx(np.mean(each * weight), rel=1e-5)


def test_losses_of_a_whole_batch_take_no_weights():
    for loss in (losses.Dice(), losses.Tversky()):
        with pytest.raises(ValueError, match="sample_weight"):
            loss(np.ones((2, 3), np.float32), np.ones((2, 3), np.float32), sample_weight=[1.0, 2.0])


def test_huber_keeps_its_delta_in_its_configuration():
    assert losses.Huber.from_config(losses.Huber(delta=0.3).get_config()).delta == 0.3


# Metrics


def test_ignored_classes_do_not_count():
    y_true, y_pred = [0, 1, 2, 1], np.abs(normal(4, 3)) + 0.1
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=1)
    metric.update_state(y_true, y_pred)
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1)(y_true, y_pred)
    assert float(metric.result()) == pytest.approx(float(loss), rel=1e-6)


def test_labels_belong_to_predictions_of_one_column():
    y_true, y_pred = np.array([1.0, -1.0, 1.0], np.float32), normal(3, 1)
    metric = metrics.Hinge()
    metric.update_state(y_true, y_pred)
    assert float(metric.result()) == pytest.approx(np.mean(np.maximum(1 - y_true * y_pred[:, 0], 0)), rel=1e-5)


def test_fractional_weights_stay_fractions_in_iou():
    metric = metrics.MeanIoU(2)
    metric.update_state([0, 1, 1], [0, 1, 0], sample_weight=[0.5, 0.25, 0.25])
    assert float(metric.result()) == pytest.approx((0.5 / 0.75 + 0.25 / 0.5) / 2, rel=1e-6)


def test_adjusted_r2_counts_samples():
    y_true = normal(12, 2)
    y_pred = y_true + 0.1 * normal(12, 2)
    plain, adjusted = metrics.R2Score(), metrics.R2Score(num_regressors=3)
    for metric in (plain, adjusted):
        metric.update_state(y_true, y_pred)
    assert float(adjusted.result()) == pytest.approx(1 - (1 - float(plain.result())) * 11 / 8, rel=1e-5)


# Layers


def test_rows_without_a_step_and_vectors_of_zeros():
    x, mask = normal(2, 3, 4), np.array([[0, 0, 0], [1, 1, 0]], bool)
    assert not host(layers.GlobalAveragePooling1D()(x, mask=mask))[0].any()
    assert not host(layers.UnitNormalization()(np.zeros((2, 3), np.float32))).any()


def test_concatenation_with_an_input_without_a_mask_has_none():
    embedded = layers.Embedding(6, 4, mask_zero=True)(np.array([[1, 2, 0]]))
    assert embedded.mask is not None
    assert layers.Concatenate()([embedded, normal(1, 3, 2)]).mask is None


def test_lookups_encode_as_floats():
    lookup = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")
    assert host(lookup(np.array([["a", "b"]]))).dtype == np.float32


def test_time_distributed_batch_normalization_sees_all_steps_together():
    x = normal(3, 5, 4)
    normalized = layers.BatchNormalization(momentum=0.5)
    y = host(layers.TimeDistributed(normalized)(x, training=True))
    mean, variance = x.mean((0, 1)), x.var((0, 1))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(host(normalized.moving_mean), 0.5 * mean, rtol=1e-4, atol=1e-6)


def test_bidirectional_knows_its_size():
    both = layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(2, go_backwards=True))
    assert both(dlbd.Input((5, 4))).shape == (None, 5)
    assert both(normal(2, 5, 4)).shape == (2, 5)


def test_random_layers_act_in_training_only():
    x = np.abs(normal(2, 6, 8, 3))
    np.testing.assert_array_equal(host(layers.RandomRotation(0.2)(x)), x)
