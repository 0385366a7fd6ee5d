import numpy as np
import pytest

import dlbd
from dlbd import layers

X = np.random.default_rng(0).standard_normal((4, 5, 3)).astype(np.float32)


def test_position_embedding():
    layer = layers.PositionEmbedding(7, initializer="uniform")
    y = layer(X)
    (table,) = layer.get_weights()
    assert table.shape == (7, 3)
    np.testing.assert_array_equal(y, np.broadcast_to(table[:5], X.shape))
    np.testing.assert_array_equal(layer(X, start_index=2)[0], table[2:7])
    assert layer.compute_output_shape((None, None, 3)) == (None, None, 3)
    again = layers.PositionEmbedding.from_config(layer.get_config())
    again.build((None, 5, 3))
    assert again.weights[0].shape == (7, 3)


def test_a_position_learns_from_every_sample():
    layer = layers.PositionEmbedding(7)
    with dlbd.GradientTape() as tape:
        y = layer(X)
    (gradient,) = tape.gradient(y, layer.trainable_variables)
    np.testing.assert_array_equal(gradient, np.repeat([4.0, 0.0], [5, 2])[:, None].repeat(3, 1))


def test_positions_beyond_the_table():
    layer = layers.PositionEmbedding(4, name="p")
    with pytest.raises(ValueError, match=r"layer 'p'.*positions 0 to 4 do not lie within sequence_length=4"):
        layer(X)
    with pytest.raises(ValueError, match="positions 3 to 7"):
        layers.PositionEmbedding(7)(X, start_index=3)
    with pytest.raises(ValueError, match=r"layer 'p'.*\(batch, time, features\)"):
        layers.PositionEmbedding(4, name="p")(X[0])
    with pytest.raises(ValueError, match="sequence_length must be at least 1"):
        layers.PositionEmbedding(0)


@pytest.mark.parametrize("features", [4, 5])
@pytest.mark.parametrize("start", [0, 3])
def test_sine_position_encoding(features, start):
    layer = layers.SinePositionEncoding(max_wavelength=100)
    y = np.array(layer(np.ones((2, 6, features), np.float32), start_index=start))
    for position in range(6):
        for i in range(features):
            angle = (position + start) / 100 ** (2 * (i // 2) / features)
            np.testing.assert_allclose(y[:, position, i], np.cos(angle) if i % 2 else np.sin(angle), atol=1e-6)
    assert y.dtype == np.float32
    assert layers.SinePositionEncoding.from_config(layer.get_config()).max_wavelength == 100


def test_positions_in_a_model_train_as_they_do_step_by_step():
    """Which of two tokens stands first is told by positions alone."""
    rng = np.random.default_rng(0)
    ids = rng.permuted(np.tile([1, 2], (64, 1)), axis=1)
    target = (ids[:, 0] == 1).astype(np.float32)
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(1)
        x = dlbd.Input((2,), dtype="int32")
        y = layers.Embedding(3, 4)(x)
        y = y + layers.PositionEmbedding(2)(y) + layers.SinePositionEncoding()(y)
        y = layers.GlobalAveragePooling1D()(layers.Attention()([y, y]))
        model = dlbd.Model(x, layers.Dense(1, activation="sigmoid")(y))
        model.compile(dlbd.optimizers.Adam(0.05), "binary_crossentropy", run_eagerly=eagerly)
        losses.append(model.fit(ids, target, batch_size=16, epochs=15, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < 0.1
