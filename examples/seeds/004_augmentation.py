"""Seed 004, question 3, 如何避免过拟合: 数据增强, new training samples from old ones.

A digit that is moved or turned a little is the same digit. Layers that do so at random stand in the model itself: they
work while it trains, and let images pass unchanged afterwards. 500 digits are all there is to learn from.
"""

from data import QUICK, digits

import dlbd
from dlbd import layers

(x_train, y_train), (x_test, y_test) = digits()
x_train, y_train = x_train[:500], y_train[:500]


def network(*augmentation: dlbd.Layer) -> dlbd.Sequential:
    return dlbd.Sequential(
        [
            dlbd.Input((28, 28, 1)),
            *augmentation,
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


found = {}
for name, made in {
    "as they are": network(),
    "moved": network(layers.RandomTranslation(0.1, 0.1)),  # by up to a tenth of height and width
    "moved and turned": network(layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.05)),  # of a full turn
}.items():
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    made.fit(x_train, y_train, epochs=2 if QUICK else 60, verbose=0)
    known, unknown = (made.evaluate(*rows, verbose=0)[1] for rows in ((x_train, y_train), (x_test, y_test)))
    found[name] = known, unknown
    print(f"{name:17} {known:7.2%} right of what it learnt from, {unknown:.2%} of the test")
