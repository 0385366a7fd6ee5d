import numpy as np
import pytest

import dlbd
from dlbd import layers

from ..arrays import tensor
from .check import check_layer


def data(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_dense_on_every_step():
    check_layer(
        lambda: layers.TimeDistributed(layers.Dense(4)),
        (2, 5, 3),
        (2, 5, 4),
        weights=[(3, 4), (4,)],
        reference=lambda x, w, b: x @ w + b,
    )


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: layers.Conv2D(2, 3), (6, 6, 3)),
        (lambda: layers.LSTM(4, return_sequences=True), (4, 3)),
        (lambda: layers.Flatten(), (4, 3)),
        (lambda: layers.Reshape((3, 4)), (4, 3)),
    ],
)
def test_each_step_by_itself(make, shape):
    x = data(2, 5, *shape)
    layer = layers.TimeDistributed(make())
    y = np.array(layer(x))
    for t in range(5):
        np.testing.assert_allclose(y[:, t], layer.layer(x[:, t]), rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape((None, None, *shape)) == (None, None, *y.shape[2:])


def test_several_outputs():
    layer = layers.TimeDistributed(layers.GRU(4, return_state=True, return_sequences=True))
    y, h = layer(data(2, 5, 3, 2))
    assert (y.shape, h.shape) == ((2, 5, 3, 4), (2, 5, 4))
    assert layer.compute_output_shape((None, 5, 3, 2)) == ((None, 5, 3, 4), (None, 5, 4))


def test_batch_normalization_inside_is_over_all_steps():
    x = data(4, 5, 3)
    layer = layers.TimeDistributed(layers.BatchNormalization(epsilon=0.0))
    y = layer(x, training=True)
    np.testing.assert_allclose(y, (x - x.mean((0, 1))) / x.std((0, 1)), rtol=1e-4, atol=1e-5)


def test_a_mask_of_steps_goes_on_and_inside():
    x = tensor(data(2, 3, 4))
    x.mask = tensor(np.array([[1, 1, 0], [1, 0, 0]], bool))
    np.testing.assert_array_equal(layers.TimeDistributed(layers.Dense(2))(x).mask, x.mask)
    y = np.array(layers.TimeDistributed(layers.BatchNormalization(epsilon=0.0))(x, training=True))
    kept = y[np.array(x.mask)]
    np.testing.assert_allclose(kept.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(kept.std(0), 1, rtol=1e-4)
    words = layers.TimeDistributed(layers.LSTM(2))(tensor_with_mask(data(2, 3, 5, 4), x.mask))
    np.testing.assert_array_equal(words.mask, x.mask)


def tensor_with_mask(x, mask):
    t = tensor(x)
    t.mask = mask
    return t


def test_masks_of_words_in_sentences():
    """A document is (sentences, words): each sentence becomes a vector, those without words are padding."""
    ids = np.array([[[1, 2, 0], [3, 0, 0], [0, 0, 0]]])
    embedded = layers.Embedding(5, 4, mask_zero=True)(ids)
    dense = layers.TimeDistributed(layers.Dense(6))(embedded)
    np.testing.assert_array_equal(dense.mask, ids != 0)
    lstm = layers.LSTM(6)
    sentences = layers.TimeDistributed(lstm)(dense)
    np.testing.assert_array_equal(sentences.mask, [[True, True, False]])
    np.testing.assert_allclose(sentences[0, 0], lstm(dense[0, 0][None, :2])[0], rtol=1e-5, atol=1e-6)
    document = layers.GRU(3)
    np.testing.assert_allclose(document(sentences), document(sentences[:, :2]), rtol=1e-5, atol=1e-6)


def test_embedding_inside_gives_a_mask():
    ids = np.array([[[1, 2, 0], [3, 0, 0]]])
    y = layers.TimeDistributed(layers.Embedding(5, 4, mask_zero=True))(ids)
    np.testing.assert_array_equal(y.mask, ids != 0)


def test_dropout_inside_is_new_for_each_step_and_batch():
    layer = layers.TimeDistributed(layers.Dropout(0.5))
    x = np.ones((1, 2, 200), np.float32)
    first, second = np.array(layer(x, training=True)), np.array(layer(x, training=True))
    assert (first[:, 0] != first[:, 1]).any()
    assert (first != second).any()
    assert np.array(layer(x)).all()


def test_what_does_not_fit():
    with pytest.raises(TypeError, match="takes a layer; received 'Dense'"):
        layers.TimeDistributed("Dense")
    with pytest.raises(ValueError, match=r"layer 't'.*at least three axes; received \(2, 3\)"):
        layers.TimeDistributed(layers.Dense(2), name="t")(data(2, 3))
    with pytest.raises(ValueError, match=r"mask must begin with \(batch, time\) = \(2, 5\); received \(2, 4\)"):
        layers.TimeDistributed(layers.Dense(2))(data(2, 5, 3), mask=np.ones((2, 4), bool))


def test_in_a_functional_model():
    x = dlbd.Input((None, 8, 8, 1))
    y = layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu"))(x)
    y = layers.TimeDistributed(layers.GlobalAveragePooling2D())(y)
    model = dlbd.Model(x, layers.LSTM(4)(y))
    assert model.predict(data(2, 3, 8, 8, 1), verbose=0).shape == (2, 4)
