"""Have real Keras save models, and write what they answer to keras_files/answers.npz.

    pip install keras tensorflow-cpu && python tests/golden/make_keras_files.py

On TensorFlow, which alone has strings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

FOLDER = Path(__file__).parent / "keras_files"
rng = np.random.default_rng(0)
answers: dict[str, np.ndarray] = {}


def random_weights(model: Any) -> None:
    """So that biases, moving means and the like are something else than zeros and ones."""
    model.set_weights([(w + rng.uniform(0.1, 0.5, w.shape)).astype(w.dtype) for w in model.get_weights()])


def keep(name: str, model: Any, x: Any, y: Any = None) -> None:
    random_weights(model)
    if y is not None:
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    model.save(FOLDER / f"{name}.keras")
    for i, part in enumerate(x if isinstance(x, list) else [x]):
        answers[f"{name}/input{i}"] = part
    outputs = keras.models.load_model(FOLDER / f"{name}.keras").predict(x, verbose=0)
    for i, part in enumerate(outputs if isinstance(outputs, list) else [outputs]):
        answers[f"{name}/output{i}"] = part.astype(np.float32)
    if y is not None:  # what training goes on to
        answers[f"{name}/target"] = y
        losses = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]
        answers[f"{name}/losses"] = np.array(losses)


def images() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(3, 3, padding="same", activation="relu", kernel_regularizer=keras.regularizers.L2(0.01)),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.0),
            layers.Dense(3, activation="softmax", kernel_constraint="max_norm"),
        ],
        name="images",
    )
    loss = keras.losses.SparseCategoricalCrossentropy()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, decay_steps=2, decay_rate=0.8)
    model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), loss, metrics=["accuracy"])
    keep("images", model, rng.random((16, 8, 8, 2), np.float32), np.arange(16) % 3)
    model.save_weights(FOLDER / "images.weights.h5")
    answers["images/weights"] = np.concatenate([w.ravel() for w in model.get_weights()])


def sequences() -> None:
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(3, return_sequences=True),
            layers.SimpleRNN(2, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="sequences",
    )
    model.compile("rmsprop", "binary_crossentropy")
    words = rng.integers(1, 9, (8, 6))
    words[:3, 4:] = 0
    keep("sequences", model, words, (np.arange(8) % 2).astype(np.float32)[:, None])


def graph() -> None:
    a, b = keras.Input((5, 4), name="a"), keras.Input((5, 4), name="b")
    shared = layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.2), name="shared")
    x = layers.MultiHeadAttention(2, 3)(shared(a), shared(b))
    x = layers.LayerNormalization()(x + a)
    x = layers.TimeDistributed(layers.Dense(4))(x)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, "gelu"), layers.Dense(3, name="named")], name="inner")
    i = keras.Input((4,))
    deeper = keras.Model(i, layers.Dense(3)(i) * 2.0)
    y = layers.RNN(layers.StackedRNNCells([layers.GRUCell(4), layers.SimpleRNNCell(4)]))(x)
    y = ops.relu(inner(y)) - deeper(ops.mean(x, axis=1))
    z = layers.Concatenate()([y[:, 1:], layers.GlobalAveragePooling1D()(b)])
    model = keras.Model([a, b], [layers.Dense(2, name="u")(z), layers.Dense(1, name="v")(ops.reshape(y, (-1, 3)))])
    model.compile("sgd", {"u": "mse", "v": keras.losses.Huber(0.5)}, loss_weights={"v": 0.5}, metrics={"u": ["mae"]})
    keep("graph", model, [rng.random((4, 5, 4), np.float32), rng.random((4, 5, 4), np.float32)])


def many() -> None:
    x = keras.Input((8, 8, 4))
    normalization = layers.Normalization()
    normalization.adapt(rng.random((20, 8, 8, 4), np.float32))
    y = normalization(layers.Rescaling(0.5, offset=0.1)(x))
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", depthwise_constraint="max_norm")(y)
    y = layers.SeparableConv2D(4, 3, padding="same", activation="elu")(y)
    y = layers.GroupNormalization(groups=2)(layers.Conv2D(4, 3, groups=2, padding="same")(y))
    y = layers.PReLU(shared_axes=[1, 2])(layers.Conv2DTranspose(3, 3, strides=2)(y))
    y = layers.Cropping2D(((0, 1), (1, 0)))(y)
    y = layers.AveragePooling2D(2)(layers.ZeroPadding2D(1)(y))
    y = layers.UpSampling2D(2)(layers.UnitNormalization()(y))
    y = layers.SpatialDropout2D(0.2)(layers.ReLU(max_value=6.0)(y))
    y = layers.Multiply()([y, layers.Activation("tanh")(y)])
    z = layers.Reshape((-1, 3))(y)
    z = layers.Conv1D(4, 3, strides=2, padding="causal")(z)
    z = layers.MaxPooling1D(4)(z)
    z = layers.Permute((2, 1))(layers.GaussianNoise(0.1)(z))
    z = layers.Add()([z, layers.Attention()([z, z])])
    z = layers.Softmax()(layers.GlobalMaxPooling1D()(z))
    z = layers.RepeatVector(2)(z)
    keep("many", keras.Model(x, layers.Flatten()(z)), rng.random((3, 8, 8, 4), np.float32))


@keras.saving.register_keras_serializable("golden")
class Blocks(keras.Model):
    """The same stands in test_keras_files.py, on dlbd."""

    def __init__(self, width: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.blocks = [layers.Dense(width, activation="relu") for _ in range(2)]
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}
        self.last = keras.Sequential([layers.Dense(2), layers.BatchNormalization()])

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.last(ops.concatenate([self.heads["a"](x), self.heads["b"](x)], axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


def subclass() -> None:
    model = Blocks(4)
    x = rng.random((5, 6), np.float32)
    model(x)
    keep("subclass", model, x)
    model.save_weights(FOLDER / "subclass.weights.h5")


def half() -> None:
    """Numbers of 16 bits, in the weights or in the computation alone."""
    for policy in ("float16", "mixed_bfloat16"):
        model = keras.Sequential([keras.Input((3,), dtype="float32"), layers.Dense(4, "tanh"), layers.Dense(2)])
        model = keras.models.clone_model(
            model, clone_function=lambda layer, p=policy: type(layer).from_config(layer.get_config() | {"dtype": p})
        )
        keep(policy, model, rng.random((4, 3), np.float32))


def text() -> None:
    lookup = layers.StringLookup(output_mode="multi_hot")
    lookup.adapt(["x", "y", "x"])
    split = layers.TextVectorization(output_sequence_length=4)
    split.adapt(["a b c a", "b a d"])
    words = keras.Input((1,), dtype="string")
    y = layers.Flatten()(layers.Embedding(8, 2)(split(words)))
    model = keras.Model(words, layers.Dense(1)(layers.Concatenate()([y, lookup(words)])))
    model.save(FOLDER / "text.keras")
    answers["text/output0"] = model.predict(tf.constant([["d a"], ["x"], ["ZZ b"]]), verbose=0)


def refused() -> None:
    """A model with code in it."""
    keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x + 1)]).save(FOLDER / "lambda.keras")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for make in (images, sequences, graph, many, subclass, half, text, refused):
        keras.utils.set_random_seed(0)
        make()
    np.savez_compressed(FOLDER / "answers.npz", **answers)
