"""Seed 004, question 2, 如何选择合适的激活函数: what sigmoid, tanh and ReLU do to the gradient; and how to begin.

Ten layers between an image and its digit. A sigmoid's derivative is at most 1/4: with each layer on its way back the
gradient shrinks, until the first ones learn nothing (梯度消失). tanh and ReLU pass it on, if the first weights suit
them: Glorot's for tanh, He's for ReLU. From weights that are all 0 nothing begins. ReLU has a trouble of its own, units
that give 0 for every image (死亡节点): they have no gradient and stay so. LeakyReLU has none of these.
"""

import numpy as np
from data import QUICK, digits

import dlbd
from dlbd import layers

LAYERS = 10
(x_train, y_train), (x_test, y_test) = digits()


def deep_network(activation: str, initializer: str) -> dlbd.Sequential:
    hidden = [layers.Dense(64, activation=activation, kernel_initializer=initializer) for _ in range(LAYERS)]
    top = layers.Dense(10, activation="softmax")
    return dlbd.Sequential([dlbd.Input((28, 28, 1)), layers.Flatten(), *hidden, top])


def gradient_sizes(network: dlbd.Sequential) -> list[float]:
    """Of each hidden layer: the mean size of the loss's derivatives by its weights, before any training."""
    loss = dlbd.losses.SparseCategoricalCrossentropy()
    with dlbd.GradientTape() as tape:
        value = loss(y_train[:256], network(x_train[:256]))
    kernels = [layer.kernel for layer in network.layers[1 : LAYERS + 1]]
    return [float(np.abs(gradient).mean()) for gradient in tape.gradient(value, kernels)]


def dead_units(network: dlbd.Sequential) -> float:
    """The share of hidden units that give 0 for all of 256 images."""
    hidden = dlbd.Model(network.inputs, [layer.output for layer in network.layers[1 : LAYERS + 1]])
    return float(np.mean([(h == 0).all(axis=0) for h in hidden.predict(x_train[:256], verbose=0)]))


found = {}
print("activation   initializer      gradient of layer 1 / of layer 10   dead units   test accuracy")
for activation, initializer in (
    ("sigmoid", "glorot_uniform"),
    ("tanh", "glorot_uniform"),
    ("relu", "glorot_uniform"),
    ("relu", "he_normal"),
    ("relu", "zeros"),
    ("leaky_relu", "he_normal"),
):
    network = deep_network(activation, initializer)
    sizes = gradient_sizes(network)
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(x_train, y_train, epochs=1 if QUICK else 5, verbose=0)
    dead, accuracy = dead_units(network), network.evaluate(x_test, y_test, verbose=0)[1]
    found[activation, initializer] = sizes[0], sizes[-1], accuracy
    print(f"{activation:12} {initializer:16} {sizes[0]:.1e} / {sizes[-1]:.1e} {dead:27.1%} {accuracy:15.2%}")
