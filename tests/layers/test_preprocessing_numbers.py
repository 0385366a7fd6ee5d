"""Layers that make numbers ready: Rescaling, Normalization, Discretization, CategoryEncoding."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import dlbd
from dlbd import layers
from dlbd.layers.preprocessing import discretization, reading

from ..arrays import tensor
from .check import check_layer

RNG = np.random.default_rng(0)
TABLE = (RNG.standard_normal((60, 4, 3)) * [1, 20, 0.01] + [1000, 0, 3]).astype(np.float32)


class Sliced:
    """An array that says how many rows were asked for at once."""

    def __init__(self, array):
        self.array, self.shape, self.most = array, array.shape, 0

    def __getitem__(self, rows):
        part = self.array[rows]
        self.most = max(self.most, len(part))
        return part


def streams(x):
    """The same data in the forms that adapt takes."""
    batches = [x[i : i + 7] for i in range(0, len(x), 7)]

    class Sequence:
        def __len__(self):
            return len(batches)

        def __getitem__(self, i):
            return batches[i], np.zeros(len(batches[i]))

    return {
        "array": x,
        "nested lists": x.tolist(),
        "tensor": tensor(x),
        "batches": batches,
        "generator": (b for b in batches),
        "pairs": Sequence(),
        "slices": Sliced(x),
    }


# Rescaling


def test_rescaling():
    check_layer(lambda: layers.Rescaling(0.5, -1.0), (4, 3), (4, 3), reference=lambda x: x * 0.5 - 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.float64])
def test_rescaling_gives_floats(dtype):
    y = layers.Rescaling([1.0, 2.0], offset=np.array([0.0, 1.0]))(np.array([[1, 0], [1, 1]], dtype))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[1, 1], [1, 3]])


def test_rescaling_is_plain_data():
    layer = layers.Rescaling(np.array([1.0, 2.0]), np.float32(0.5))
    assert layer.get_config()["scale"] == [1.0, 2.0]
    assert layer.get_config()["offset"] == 0.5


# Normalization


def test_normalization_by_given_numbers():
    mean, variance = [1.0, -2.0, 0.5], [4.0, 1.0, 0.25]
    check_layer(
        lambda: layers.Normalization(mean=mean, variance=variance),
        (5, 3),
        (5, 3),
        reference=lambda x: (x - mean) / np.sqrt(variance),
    )
    check_layer(
        lambda: layers.Normalization(mean=2.0, variance=9.0, invert=True),
        (5, 3),
        (5, 3),
        reference=lambda x: x * 3 + 2,
    )


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (-1,), None])
@pytest.mark.parametrize("kind", streams(TABLE))
def test_adapt_finds_mean_and_variance(axis, kind, monkeypatch):
    monkeypatch.setattr(reading, "PART", 100)
    layer = layers.Normalization(axis)
    layer.adapt(streams(TABLE)[kind])
    kept = {-1: (2,), 1: (1,), (1, 2): (1, 2), (-1,): (2,), None: ()}[axis]
    reduced = tuple(a for a in range(3) if a not in kept)
    exact = TABLE.astype(np.float64)
    mean, variance, count = layer.get_weights()
    np.testing.assert_allclose(mean, exact.mean(reduced), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(variance, exact.var(reduced), rtol=1e-6)
    assert count == TABLE.size // mean.size
    assert [w.name for w in layer.weights] == ["mean", "variance", "count"]
    assert layer.trainable_variables == []
    shift, scale = exact.mean(reduced, keepdims=True), exact.std(reduced, keepdims=True)
    y = layer(TABLE)
    np.testing.assert_allclose(y, (TABLE - shift.astype(np.float32)) / scale, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.mean, shift, rtol=1e-6, atol=1e-9)
    assert layer.variance.shape == shift.shape
    inverse = layers.Normalization(axis, invert=True)
    inverse.adapt(TABLE)
    np.testing.assert_allclose(inverse(y), TABLE, rtol=1e-5, atol=1e-4)


def test_what_never_varies_becomes_zero():
    layer = layers.Normalization()
    layer.adapt([[1.0, 7.0], [2.0, 7.0]])
    np.testing.assert_array_equal(layer([[2.0, 7.0]]), [[1.0, 0.0]])


def test_large_data_is_read_in_parts(monkeypatch):
    monkeypatch.setattr(reading, "PART", 64)
    data = Sliced(np.arange(5000.0).reshape(1000, 5))
    layers.Normalization().adapt(data)
    assert data.most == 64 // 5
    layers.Discretization(num_bins=3).adapt(data)
    assert data.most == 64 // 5


def test_small_deviations_far_from_zero_keep_their_digits():
    x = 1e8 + np.tile([0.25, -0.25], 3000)[:, None]
    layer = layers.Normalization()
    layer.adapt(x[i : i + 97] for i in range(0, len(x), 97))
    np.testing.assert_allclose(layer.get_weights()[1], 0.0625, rtol=1e-6)


def test_adapting_again_forgets_and_other_columns_are_an_error():
    layer = layers.Normalization(name="norm")
    layer.adapt(TABLE[:30])
    layer.adapt(TABLE)
    np.testing.assert_allclose(layer.get_weights()[0], TABLE.astype(np.float64).mean((0, 1)), rtol=1e-6)
    with pytest.raises(ValueError, match=r"'norm'.*3 in axis 2.*\(60, 4, 2\)"):
        layer.adapt(TABLE[..., :2])


def test_adapt_reads_data_frames():
    frame = pd.DataFrame({"a": [1, 2, 3, 6], "b": [0.5, 1.5, 0.5, 1.5]}, index=[9.5, 8.5, 7.5, 6.5])
    layer = layers.Normalization()
    layer.adapt(frame)
    np.testing.assert_allclose(layer.get_weights()[0], [3, 1])
    column = layers.Normalization(axis=None)
    column.adapt(frame["a"])
    assert column.get_weights()[0] == 3


def test_normalization_is_copied_with_what_it_found():
    layer = layers.Normalization(axis=[1, 2])
    layer.adapt(TABLE)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(TABLE), layer(TABLE))
    other = layers.Normalization.from_config(layer.get_config())
    other.build((None, 4, 3))
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(other(TABLE), layer(TABLE))


def test_a_model_trains_on_normalized_bytes_as_on_normalized_floats():
    pixels = RNG.integers(0, 256, (48, 5)).astype(np.uint8)
    norm = layers.Normalization()
    norm.adapt(pixels)
    found = []
    for first, x in (([norm], pixels), ([], np.array(norm(pixels)))):
        for eagerly in (False, True):
            dlbd.utils.set_random_seed(1)
            model = dlbd.Sequential([*first, layers.Dense(3, activation="tanh"), layers.Dense(1)])
            model.compile("adam", "mse", run_eagerly=eagerly)
            history = model.fit(x, np.arange(48.0), batch_size=16, epochs=3, verbose=0)
            found.append([*history.history["loss"], *model.predict(x)[:, 0]])
    for other in found[1:]:
        assert other == found[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": 1.0}, "given together"),
        ({"variance": 1.0}, "given together"),
        ({"mean": [1.0, 2.0], "variance": 1.0}, "same shape"),
    ],
)
def test_mean_and_variance_belong_together(options, message):
    with pytest.raises(ValueError, match=message):
        layers.Normalization(**options)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: layers.Normalization(), (5,), "that of the batch.*axis=None"),
        (lambda: layers.Normalization(axis=(0, 1)), (5, 2), "that of the batch"),
        (lambda: layers.Normalization(axis=3), (5, 2), "does not exist"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0]), (5, 3), "does not broadcast"),
    ],
)
def test_axes_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer()(np.zeros(shape))


def test_sizes_of_axes_must_be_known():
    with pytest.raises(ValueError, match=r"must be known; received shape \(None, None\)"):
        layers.Normalization().build((None, None))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[1.0, np.nan]], "NaN or infinity"),
        ([[1.0, np.inf], [1.0, 2.0]], "NaN or infinity"),
        (np.zeros((0, 2)), "no data"),
        (iter([]), "no data"),
    ],
)
def test_adapt_wants_numbers(data, message):
    with pytest.raises(ValueError, match=message):
        layers.Normalization().adapt(data)


def test_adapt_beside_given_numbers():
    with pytest.raises(ValueError, match="was given"):
        layers.Normalization(mean=0.0, variance=1.0).adapt(TABLE)
    with pytest.raises(TypeError, match="received int"):
        layers.Normalization().adapt(3)
    with pytest.raises(TypeError, match="adapt\\(\\) takes numbers; received dtype <U1"):
        layers.Normalization().adapt([["a"]])


# Discretization


def test_bins_are_those_of_digitize():
    boundaries = [-1.0, 0.0, 0.5, 0.5, 2.0]
    x = np.append(RNG.normal(size=300), [*boundaries, np.nan, np.inf, -np.inf]).astype(np.float32)
    layer = layers.Discretization(boundaries)
    y = layer(x)
    assert y.dtype == layer.output_dtype == np.int32
    np.testing.assert_array_equal(y, np.digitize(x, boundaries))
    assert layer.compute_output_shape((None, 3)) == (None, 3)


def test_bins_of_integers():
    np.testing.assert_array_equal(layers.Discretization([2, 4])(np.array([1, 2, 3, 4])), [0, 1, 1, 2])


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("one_hot", [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]),
        ("multi_hot", [[1, 0, 1], [0, 1, 0]]),
        ("count", [[1, 0, 1], [0, 2, 0]]),
    ],
)
def test_bins_as_vectors(mode, wanted):
    layer = layers.Discretization([0.0, 1.0], output_mode=mode)
    y = layer([[-1.0, 1.0], [0.0, 0.5]])
    assert y.dtype == layer.output_dtype == np.float32
    np.testing.assert_array_equal(y, wanted)
    assert layer.compute_output_shape((2, 2)) == y.shape


@pytest.mark.parametrize("kept", [1 << 16, 128])
@pytest.mark.parametrize("kind", streams(TABLE))
def test_bins_are_equally_full(kept, kind, monkeypatch):
    monkeypatch.setattr(reading, "PART", 100)
    monkeypatch.setattr(discretization, "_KEPT", kept)
    data = np.random.default_rng(1).exponential(size=(2000, 2))
    layer = layers.Discretization(num_bins=5)
    layer.adapt(streams(data)[kind])
    assert len(layer.bin_boundaries) == 4
    parts = np.bincount(np.array(layer(data)).ravel()) / data.size
    assert np.all(np.abs(parts - 0.2) <= 0.02)


def test_batches_give_the_bins_of_all_data():
    data = np.random.default_rng(1).standard_normal(3000)
    whole, parts = layers.Discretization(num_bins=7), layers.Discretization(num_bins=7)
    whole.adapt(data)
    parts.adapt(data[i : i + 11] for i in range(0, 3000, 11))
    assert whole.bin_boundaries == parts.bin_boundaries


def test_found_boundaries_are_plain_data():
    layer = layers.Discretization(num_bins=3, output_mode="count")
    assert layer.compute_output_shape((None, 2)) == (None, 3)
    with pytest.raises(ValueError, match=r"adapt\(\) with data first"):
        layer([[1.0]])
    layer.adapt(np.arange(9.0), steps=1)
    other = layers.Discretization.from_config(layer.get_config())
    assert other.bin_boundaries == layer.bin_boundaries
    assert other.get_config() == layer.get_config()
    other.adapt(np.arange(90.0))
    assert other.bin_boundaries != layer.bin_boundaries
    given = layers.Discretization([1.0, 2.0])
    assert layers.Discretization.from_config(given.get_config()).bin_boundaries == [1.0, 2.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either bin_boundaries or num_bins"),
        ({"bin_boundaries": [1.0], "num_bins": 2}, "either bin_boundaries or num_bins"),
        ({"bin_boundaries": [2.0, 1.0]}, "must ascend"),
        ({"bin_boundaries": [1.0, np.nan]}, "must ascend"),
        ({"num_bins": 0}, "at least 1"),
        ({"num_bins": 2, "epsilon": 0.0}, "epsilon"),
        ({"num_bins": 2, "output_mode": "tf_idf"}, "output_mode"),
        ({"num_bins": 2, "sparse": True}, "sparse"),
    ],
)
def test_discretization_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        layers.Discretization(**options)


def test_bins_need_numbers():
    with pytest.raises(ValueError, match="NaN or infinity"):
        layers.Discretization(num_bins=2).adapt([1.0, np.nan])
    with pytest.raises(ValueError, match="no data"):
        layers.Discretization(num_bins=2).adapt([])
    with pytest.raises(ValueError, match="needs num_bins"):
        layers.Discretization([1.0]).adapt([1.0])


# CategoryEncoding


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32])
@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("multi_hot", [[1, 0, 1, 0], [0, 1, 0, 0]]),
        ("binary", [[1, 0, 1, 0], [0, 1, 0, 0]]),
        ("count", [[1, 0, 2, 0], [0, 3, 0, 0]]),
        ("one_hot", np.eye(4)[[[0, 2, 2], [1, 1, 1]]]),
    ],
)
def test_categories_as_vectors(dtype, mode, wanted):
    layer = layers.CategoryEncoding(4, mode)
    x = np.array([[0, 2, 2], [1, 1, 1]], dtype)
    y = layer(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, wanted)
    assert layer.compute_output_shape((None, 3)) == (None, *y.shape[1:])
    assert layers.CategoryEncoding.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(x[:0]).shape == (0, *y.shape[1:])


def test_shapes_of_encoded_categories():
    one_hot, counts = layers.CategoryEncoding(4, "one_hot"), layers.CategoryEncoding(4, "count")
    for layer in (one_hot, counts):
        for shape in ((3,), (3, 1), (2, 3, 5), (2, 3, 1)):
            assert layer(np.zeros(shape, int)).shape == layer.compute_output_shape(shape)
    assert one_hot.compute_output_shape((None, 1)) == (None, 4)
    assert one_hot.compute_output_shape((None,)) == (None, 4)
    np.testing.assert_array_equal(counts(np.array([1, 1, 3])), [0, 2, 0, 1])


def test_weighted_counts():
    layer = layers.CategoryEncoding(3, "count")
    x, weights = np.array([[0, 2, 2], [1, 0, 1]]), np.array([[0.5, 1.0, 2.0], [1.0, 4.0, 0.25]])
    np.testing.assert_array_equal(layer(x, count_weights=weights), [[0.5, 0, 3], [4, 1.25, 0]])
    with pytest.raises(ValueError, match="count_weights are for"):
        layers.CategoryEncoding(3)(x, count_weights=weights)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("wrong", [4, -1])
def test_categories_out_of_range(mode, wrong):
    with pytest.raises(ValueError, match=rf"index {wrong} at position 2 is out of range: expected 0 <= value < 4"):
        layers.CategoryEncoding(4, mode)(np.array([[1, 2], [wrong, 3]])).numpy()


def test_category_arguments():
    with pytest.raises(ValueError, match="IntegerLookup"):
        layers.CategoryEncoding()
    with pytest.raises(ValueError, match="at least 1"):
        layers.CategoryEncoding(0)
    with pytest.raises(ValueError, match="output_mode"):
        layers.CategoryEncoding(3, "int")
    with pytest.raises(ValueError, match="sparse"):
        layers.CategoryEncoding(3, sparse=True)


def test_categories_and_bins_inside_a_model_train_as_eagerly():
    x = RNG.uniform(0, 4, (40, 3)).astype(np.float32)
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(2)
        bins = layers.Discretization([1.0, 2.0, 3.0])
        model = dlbd.Sequential([bins, layers.CategoryEncoding(4, "count"), layers.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eagerly)
        losses.append(model.fit(x, x.sum(1), epochs=3, batch_size=20, verbose=0).history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]
