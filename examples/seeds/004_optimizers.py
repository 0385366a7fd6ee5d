"""Seed 004, question 1, 如何选择合适的优化器: gradient descent, momentum, AdaGrad, RMSprop and Adam on one problem.

The dense network of seed 003 reads digits, from the same initial weights each time, with a usual learning rate of each.
Gradient descent and momentum take the gradient as it is; the other three divide it by how large it usually is, weight
by weight, so that one learning rate suits all of them. None is best everywhere: Adam is where one begins.
"""

from data import QUICK, digits

import dlbd
from dlbd import layers, optimizers

(x_train, y_train), (x_test, y_test) = digits()
network = dlbd.Sequential(
    [
        dlbd.Input((28, 28, 1)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
initial_weights = network.get_weights()

losses, right = {}, {}
for name, optimizer in {
    "gradient descent": optimizers.SGD(0.1),
    "momentum": optimizers.SGD(0.01, momentum=0.9),
    "AdaGrad": optimizers.Adagrad(0.01),
    "RMSprop": optimizers.RMSprop(0.001),
    "Adam": optimizers.Adam(0.001),
}.items():
    network.set_weights(initial_weights)
    network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = network.fit(x_train, y_train, epochs=2 if QUICK else 5, verbose=0)
    losses[name] = history.history["loss"]
    right[name] = network.evaluate(x_test, y_test, verbose=0)[1]
    by_epoch = " ".join(f"{loss:.3f}" for loss in losses[name])
    print(f"{name:17} loss by epoch {by_epoch}   {right[name]:.2%} of the test right")
