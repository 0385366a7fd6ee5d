"""Losses as users meet them: names, shapes, weights, masks, errors. The formulas: tests/ops/table_losses.py."""

import numpy as np
import pytest

import dlbd
from dlbd import losses
from dlbd.naming import snake_case

from ..arrays import tensor

rng = np.random.default_rng(0)
T = rng.uniform(0.1, 0.9, (4, 3)).astype(np.float32)
P = rng.uniform(0.1, 0.9, (4, 3)).astype(np.float32)
NAMES = [snake_case(c.__name__) for c in losses._CLASSES if c is not losses.SparseCategoricalCrossentropy]
WHOLE_BATCH = ("dice", "tversky")  # one value for all samples


@pytest.mark.parametrize("name", NAMES)
def test_class_function_and_name_agree(name):
    function, loss = getattr(losses, name), losses.get(name)
    each = np.array(function(T, P))
    assert each.shape == (() if name in WHOLE_BATCH else (4,))
    assert float(loss(T, P)) == pytest.approx(each.mean(), rel=1e-6)
    total, count = loss.sum_and_count(T, P)
    assert (float(total), float(count)) == (pytest.approx(each.sum(), rel=1e-6), each.size)
    cls = type(loss)
    np.testing.assert_array_equal(cls(reduction=None)(T, P), each)
    assert float(cls(reduction="sum")(T, P)) == pytest.approx(each.sum(), rel=1e-6)
    assert [float(x) for x in cls(reduction="sum").sum_and_count(T, P)] == [pytest.approx(each.sum(), rel=1e-6), 1.0]
    assert type(losses.get(function)) is cls
    assert type(losses.get(cls)) is cls
    assert cls.from_config(loss.get_config()).get_config() == loss.get_config()
    assert losses.get(loss) is loss


def test_weights_divide_by_count_not_by_their_sum():
    w = np.array([1.0, 2.0, 0.0, 5.0])
    each = ((T - P) ** 2).mean(-1)
    assert float(losses.MeanSquaredError()(T, P, w)) == pytest.approx((each * w).sum() / 4, rel=1e-6)
    by_weight = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert float(by_weight(T, P, w)) == pytest.approx((each * w).sum() / 8, rel=1e-6)
    np.testing.assert_allclose(losses.MeanSquaredError(reduction="none")(T, P, w), each * w, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3), (4, 3, 1), ()])
def test_weights_of_samples_or_of_steps(shape):
    t, p, w = rng.random((4, 3, 2)), rng.random((4, 3, 2)), rng.random(shape)
    broadcast = w.reshape(shape[:2] + (1,) * (2 - len(shape[:2])))
    expected = (((t - p) ** 2).mean(-1) * broadcast).mean()
    assert float(losses.MeanSquaredError()(t, p, w)) == pytest.approx(expected, rel=1e-5)


def test_weights_of_another_shape_are_refused():
    for w in (np.ones(3), np.ones((4, 2)), np.ones((1, 4))):
        with pytest.raises(ValueError, match=r"sample_weight must have the shape of the losses, \(4,\)"):
            losses.MeanSquaredError()(T, P, w)


def test_the_mask_of_predictions_leaves_steps_out():
    t, p = rng.random((2, 3, 2)).astype(np.float32), rng.random((2, 3, 2)).astype(np.float32)
    mask = np.array([[True, True, False], [True, False, False]])
    p[~mask] = np.nan
    pred = tensor(p)
    pred.mask = tensor(mask)
    expected = ((t - p) ** 2).mean(-1)[mask].mean()
    with dlbd.GradientTape() as tape:
        tape.watch(pred)
        loss = losses.MeanSquaredError()(t, pred)
    gradient = tape.gradient(loss, pred).numpy()
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(gradient[~mask], 0)
    np.testing.assert_allclose(gradient[mask], ((p - t) / 3)[mask], rtol=1e-5)
    pred.mask = tensor(np.zeros((2, 3), bool))
    assert float(losses.MeanSquaredError()(t, pred)) == 0.0


@pytest.mark.parametrize(("true", "pred"), [((4,), (4, 1)), ((4, 1), (4,)), ((4, 1), (4, 1)), ((4,), (4,))])
def test_a_last_dimension_of_one_is_forgiven(true, pred):
    t, p = np.arange(4.0), np.arange(4.0)[::-1]
    assert float(losses.MeanSquaredError()(t.reshape(true), p.reshape(pred))) == 5.0
    assert float(losses.MeanSquaredError()(t.reshape(true), p.reshape(pred), [1, 0, 0, 0])) == 9 / 4


@pytest.mark.parametrize(("true", "pred"), [((4,), (4, 3)), ((3, 4), (4, 3)), ((4, 1), (4, 3)), ((4, 4), (4, 1))])
def test_shapes_that_would_broadcast_are_refused(true, pred):
    with pytest.raises(ValueError, match="must have the same shape; received"):
        losses.MeanSquaredError()(np.zeros(true), np.zeros(pred))


def test_predictions_without_elements_are_refused_and_empty_batches_are_not():
    with pytest.raises(ValueError, match="at least one element per sample"):
        losses.MeanSquaredError()(np.zeros((4, 0)), np.zeros((4, 0)))
    with pytest.raises(ValueError, match="at least one class"):
        losses.SparseCategoricalCrossentropy()(np.zeros(4), np.zeros((4, 0)))
    assert float(losses.MeanSquaredError()(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))) == 0.0
    total, count = losses.SparseCategoricalCrossentropy().sum_and_count(np.zeros(0, int), np.zeros((0, 3)))
    assert (float(total), float(count)) == (0.0, 0.0)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_sparse_labels_mean_their_one_hot_rows(from_logits, shape):
    labels = np.array([0, 2, 1, 2])
    sparse = losses.SparseCategoricalCrossentropy(from_logits)(labels.reshape(shape), P)
    dense = losses.CategoricalCrossentropy(from_logits)(np.eye(3)[labels], P)
    assert float(sparse) == pytest.approx(float(dense), rel=1e-6)


def test_confusing_sparse_with_one_hot_labels_gives_a_hint():
    with pytest.raises(ValueError, match="one-hot labels belong to categorical_crossentropy"):
        losses.get("sparse_categorical_crossentropy")(np.eye(3)[[0, 1, 2, 0]], P)
    with pytest.raises(ValueError, match="class numbers belong to sparse_categorical_crossentropy"):
        losses.get("categorical_crossentropy")([0, 1, 2, 0], P)


@pytest.mark.parametrize("label", [3, -1, 255])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_a_label_out_of_range_is_named(label, dtype):
    y = np.array([0, 1, label, 2], dtype)
    for from_logits in (False, True):
        with pytest.raises(ValueError, match=f"label {label} at position 2 is out of range: expected 0 <= value < 3"):
            float(losses.SparseCategoricalCrossentropy(from_logits)(y, P))  # a GPU tells at the next read


def test_the_first_of_several_wrong_labels_is_named_at_any_number_of_threads():
    y = np.zeros(50000, int)
    y[[17, 20000, 49999]] = 9
    with pytest.raises(ValueError, match="at position 17 "):
        float(losses.SparseCategoricalCrossentropy()(y, np.ones((50000, 3))))


@pytest.mark.parametrize("label", [0.5, np.nan, np.inf, 1e30])
def test_a_label_that_is_not_whole_is_refused(label):
    with pytest.raises(ValueError, match=r"at position 1 is (not a class number|out of range)"):
        float(losses.SparseCategoricalCrossentropy()(np.array([0, label, 1, 2]), P))


def test_text_is_refused():
    with pytest.raises(TypeError, match="expected an array of numbers"):
        losses.MeanSquaredError()(np.array(["a", "b"]), np.zeros(2))


def test_a_cross_entropy_after_softmax_is_exact_where_clipping_would_not_be():
    logits = tensor(np.array([[60.0, 0.0, 0.0]], np.float32))
    with dlbd.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.SparseCategoricalCrossentropy()([1], dlbd.ops.softmax(logits))
    assert float(loss) == pytest.approx(60.0)
    np.testing.assert_allclose(tape.gradient(loss, logits), [[1.0, -1.0, 0.0]], atol=1e-6)
    dense = losses.CategoricalCrossentropy()([[0.0, 1.0, 0.0]], dlbd.ops.softmax(logits))
    assert float(dense) == pytest.approx(60.0)


def test_binary_crossentropy_of_a_softmax_output_takes_its_probabilities():
    logits = np.array([[2.0, -1.0]], np.float32)
    p = np.exp(logits) / np.exp(logits).sum()
    expected = -np.log([p[0, 0], 1 - p[0, 1]]).mean()
    assert float(losses.BinaryCrossentropy()([[1, 0]], dlbd.ops.softmax(logits))) == pytest.approx(expected, rel=1e-5)


def test_probabilities_are_clipped_as_in_keras():
    assert float(losses.BinaryCrossentropy()([[1.0]], [[0.0]])) == pytest.approx(-np.log(1e-7), rel=1e-6)
    found = float(losses.CategoricalCrossentropy()([[1.0, 0.0]], [[0.0, 1.0]]))
    assert found == pytest.approx(-np.log(1e-7), rel=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_impossible_predictions_show(value):
    p = P.copy()
    p[1, 1] = value
    assert not np.isfinite(float(losses.MeanSquaredError()(T, p)))
    found = float(losses.SparseCategoricalCrossentropy(from_logits=True)([0, 1, 2, 0], p))
    assert not np.isfinite(found)


def test_a_class_that_cannot_be_costs_nothing_where_it_is_not_the_label():
    logits = np.array([[0.0, -np.inf, 0.0]], np.float32)
    loss = losses.CategoricalCrossentropy(from_logits=True)([[1.0, 0.0, 0.0]], logits)
    assert float(loss) == pytest.approx(np.log(2), rel=1e-6)


def test_large_sums_keep_their_digits():
    p = np.full((3_000_000, 1), 0.1, np.float32)
    assert float(losses.MeanAbsoluteError()(np.zeros_like(p), p)) == pytest.approx(float(np.float32(0.1)), rel=3e-7)


def test_a_loss_of_ones_own():
    class Cubed(losses.Loss):
        def call(self, y_true, y_pred):
            return losses.mse(y_true, y_pred)

    def function(y_true, y_pred):
        return losses.mae(y_true, y_pred)

    pred = tensor(P)
    for loss, expected in ((Cubed(), ((T - P) ** 2).mean()), (losses.get(function), np.abs(T - P).mean())):
        with dlbd.GradientTape() as tape:
            tape.watch(pred)
            value = loss(T, pred, np.ones(4))
        assert float(value) == pytest.approx(expected, rel=1e-6)
        assert tape.gradient(value, pred).shape == P.shape
    assert losses.get(function).name == "function"


def test_names():
    for short, cls in losses._SHORT.items():
        assert type(losses.get(short)) is cls
        assert type(losses.get(short.upper())) is cls
        assert type(losses.get(getattr(losses, short))) is cls
    assert losses.get(None) is None
    assert losses.get({"class_name": "Huber", "config": {"delta": 2.0}}).delta == 2.0
    assert losses.deserialize(losses.serialize(losses.Huber(3.0))).delta == 3.0
    with pytest.raises(ValueError, match="nothing is named 'mes'; expected one of"):
        losses.get("mes")
    with pytest.raises(ValueError, match="expected a name, a function or a Loss"):
        losses.get(3)
    with pytest.raises(ValueError, match="reduction must be one of"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\]"):
        losses.BinaryCrossentropy(label_smoothing=1.5)


def test_crossentropy_resolves_by_shape():
    kinds = {((4, 1), (4, 1)): "binary", ((4,), (4, 3)): "sparse_categorical", ((4, 3), (4, 3)): "categorical"}
    for (true, pred), kind in kinds.items():
        assert losses.crossentropy.resolve_crossentropy(true, pred).name == f"{kind}_crossentropy"


@pytest.mark.parametrize("last", ["fused name", "function", "layer"])
def test_a_saturated_sigmoid_output_still_learns(last):
    """Keras clips the probability, or recovers the logits, by backend: through the layers it is always the logits."""
    layers = {
        "fused name": [dlbd.layers.Dense(1, activation="sigmoid")],
        "function": [dlbd.layers.Dense(1, activation=dlbd.ops.sigmoid)],
        "layer": [dlbd.layers.Dense(1), dlbd.layers.Activation("sigmoid")],
    }[last]
    model = dlbd.Sequential([dlbd.Input((1,)), *layers])
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    x, y = np.array([[50.0], [-50.0]], np.float32), np.array([[0.0], [1.0]], np.float32)
    with dlbd.GradientTape() as tape:
        loss = losses.BinaryCrossentropy()(y, model(x, training=True))
    assert float(loss) == pytest.approx(50.0, rel=1e-6)
    gradients = tape.gradient(loss, model.trainable_variables)
    np.testing.assert_allclose([float(g.numpy().sum()) for g in gradients], [50.0, 0.0], rtol=1e-6, atol=1e-6)
    model.compile(optimizer=dlbd.optimizers.SGD(0.01), loss="binary_crossentropy")
    history = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    np.testing.assert_allclose(history, [50.0, 25.0], rtol=1e-5)  # the kernel goes from 1 to 0.5
    assert model.evaluate(x, y, verbose=0) == pytest.approx(np.log1p(np.exp(-0.0)), abs=1e-5)


def test_probabilities_alone_are_clipped_as_in_keras():
    x, y = np.array([[50.0], [-50.0]], np.float32), np.array([[0.0], [1.0]], np.float32)
    probabilities = tensor(np.array(dlbd.ops.sigmoid(x)))
    with dlbd.GradientTape() as tape:
        tape.watch(probabilities)
        loss = losses.BinaryCrossentropy()(y, probabilities)
    assert float(loss) == pytest.approx(-np.log(1e-7), rel=1e-2)  # 1 - 1e-7 is 1 - 2^-23 as a float32
    np.testing.assert_array_equal(tape.gradient(loss, probabilities), 0)
    saturated = losses.BinaryCrossentropy(from_logits=True)(y, x)
    assert float(saturated) == pytest.approx(50.0, rel=1e-6)
