import numpy as np
import pytest

import dlbd
from dlbd import layers, models

from .programs import mlp


def seed_000_cnn():
    model = models.Sequential()
    model.add(layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    return model


def seed_000_lstm():
    return models.Sequential(
        [
            layers.LSTM(64, input_shape=(None, 10), return_sequences=True),
            layers.LSTM(32),
            layers.Dense(1, activation="linear"),
        ]
    )


def seed_002_cnn():
    return models.Sequential(
        [
            layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def seed_003_dense():
    return dlbd.keras.Sequential(
        [
            dlbd.keras.layers.Dense(128, activation="relu", input_shape=(784,)),
            dlbd.keras.layers.Dense(10, activation="softmax"),
        ]
    )


def seed_004_dense():
    return dlbd.keras.Sequential(
        [
            dlbd.keras.layers.Dense(10, activation="relu", input_shape=(2,)),
            dlbd.keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def generator_of_000():
    return models.Sequential(
        [
            layers.Dense(256, input_shape=(100,), activation="relu"),
            layers.LeakyReLU(),
            layers.Dense(512, activation="relu"),
            layers.LeakyReLU(),
            layers.Dense(1024, activation="relu"),
            layers.LeakyReLU(),
            layers.Dense(7 * 7 * 256, activation="relu"),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(256, (4, 4), strides=(1, 1), padding="same", activation="relu"),
            layers.Conv2DTranspose(128, (4, 4), strides=(2, 2), padding="same", activation="relu"),
            layers.Conv2DTranspose(64, (4, 4), strides=(2, 2), padding="same", activation="relu"),
            layers.Conv2DTranspose(3, (4, 4), strides=(2, 2), padding="same", activation="tanh"),
        ]
    )


def discriminator_of_000():
    return models.Sequential(
        [
            layers.Conv2D(64, (3, 3), strides=(2, 2), padding="same", input_shape=(28, 28, 1)),
            layers.LeakyReLU(),
            layers.Conv2D(128, (3, 3), strides=(2, 2), padding="same"),
            layers.LeakyReLU(),
            layers.Conv2D(128, (3, 3), strides=(2, 2), padding="same"),
            layers.LeakyReLU(),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


@pytest.mark.parametrize(
    ("make", "parameters", "output"),
    [
        (seed_000_cnn, 93_322, (None, 10)),
        (seed_000_lstm, 31_649, (None, 1)),
        (seed_002_cnn, 54_410, (None, 10)),
        (seed_003_dense, 101_770, (None, 10)),
        (seed_004_dense, 41, (None, 1)),
        (generator_of_000, 15_247_811, (None, 56, 56, 3)),
        (discriminator_of_000, 224_129, (None, 1)),
    ],
)
def test_programs_of_the_seeds(make, parameters, output):
    model = make()
    assert model.count_params() == parameters
    assert model.output_shape == output


def test_composing_what_does_not_fit_names_layer_and_shapes():
    with pytest.raises(ValueError, match=r"\(None, 56, 56, 3\)"):
        models.Sequential([generator_of_000(), discriminator_of_000()])


def test_layers_without_input_are_built_by_data():
    model = models.Sequential([layers.Dense(4), layers.Dense(2)])
    assert not model.built
    with pytest.raises(ValueError, match="no weights yet"):
        model.count_params()
    assert model(np.zeros((3, 5), np.float32)).shape == (3, 2)
    assert model.count_params() == 5 * 4 + 4 + 4 * 2 + 2
    assert model.input_shape == (None, 5)


def test_build():
    model = models.Sequential([layers.Dense(4)])
    model.build((None, 3))
    assert model.count_params() == 16
    assert model.output_shape == (None, 4)


@pytest.mark.parametrize(
    "first", [lambda: layers.Input((4,)), lambda: layers.InputLayer((4,)), lambda: layers.Input(batch_shape=(None, 4))]
)
def test_input(first):
    model = models.Sequential([first(), layers.Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)
    assert [layer.name for layer in model.layers] == ["dense"] or len(model.layers) == 1


def test_input_shapes_that_make_no_sense():
    with pytest.raises(TypeError, match=r"such as \(4,\)"):
        layers.Input(4)
    with pytest.raises(ValueError, match="shape="):
        layers.Input()
    with pytest.raises(ValueError, match="sizes"):
        layers.Input((-1,))


def test_add_and_pop():
    model = mlp()
    assert model.output_shape == (None, 3)
    last = model.pop()
    assert model.output_shape == (None, 16)
    model.add(layers.Dense(5))
    assert model.output_shape == (None, 5)
    assert last not in model.layers
    with pytest.raises(TypeError, match="add\\(\\) takes a layer; received 'relu'"):
        model.add("relu")
    with pytest.raises(TypeError, match="add\\(\\) takes a layer"):
        model.add(layers.Dense)
    with pytest.raises(ValueError, match="comes first"):
        model.add(layers.Input((3,)))
    with pytest.raises(ValueError, match="no layer to remove"):
        models.Sequential().pop()


def test_two_layers_of_one_name():
    with pytest.raises(ValueError, match=r"name of its own.*'a'"):
        models.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")])


def test_names_are_those_of_keras():
    dlbd.utils.clear_session()
    kinds = [layers.Dense(1), layers.Dense(1), layers.Conv2D(1, 1), layers.Conv2DTranspose(1, 1), layers.MaxPooling2D()]
    assert [layer.name for layer in kinds] == ["dense", "dense_1", "conv2d", "conv2d_transpose", "max_pooling2d"]
    names = {
        layers.GlobalAveragePooling2D(): "global_average_pooling2d",
        layers.LSTM(1): "lstm",
        layers.SimpleRNN(1): "simple_rnn",
        layers.LeakyReLU(): "leaky_re_lu",
        layers.ReLU(): "re_lu",
        layers.BatchNormalization(): "batch_normalization",
        layers.MultiHeadAttention(1, 1): "multi_head_attention",
        models.Sequential(): "sequential",
    }
    for layer, name in names.items():
        assert layer.name == name


def test_get_layer():
    model = mlp()
    first = model.layers[0]
    assert model.get_layer(first.name) is first
    assert model.get_layer(index=0) is first
    with pytest.raises(ValueError, match="no layer named 'nobody'; the layers are"):
        model.get_layer("nobody")
    with pytest.raises(ValueError, match="2 layers; received index=7"):
        model.get_layer(index=7)


def test_nested_models():
    inner = models.Sequential([layers.Dense(4, activation="relu", input_shape=(3,)), layers.Dense(2)])
    model = models.Sequential([inner, layers.Dense(1)])
    assert model.count_params() == 16 + 10 + 3
    assert [w.shape for w in model.get_weights()] == [(3, 4), (4,), (4, 2), (2,), (2, 1), (1,)]
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3)), np.ones(8), verbose=0)
    inner.trainable = False
    assert len(model.trainable_variables) == 2


def test_wrong_shape_names_the_layer_that_met_it():
    with pytest.raises(ValueError, match=r"layer 'second' \(Conv2D.*\(None, 12\)"):
        models.Sequential([layers.Flatten(input_shape=(3, 4)), layers.Conv2D(2, 3, name="second")])
    model = mlp()
    for call in (model.predict, lambda x: model.fit(x, np.zeros(len(x)), verbose=0)):
        with pytest.raises(ValueError, match=r"takes inputs of shape \(None, 6\).*\(Dense\).*received shape \(4, 7\)"):
            call(np.zeros((4, 7), np.float32))


def test_config_round_trip():
    model = seed_000_cnn()
    again = models.Sequential.from_config(model.get_config())
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
    again.set_weights(model.get_weights())
    x = np.random.default_rng(0).random((2, 28, 28, 1))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
