"""Seed 004, question 3, 如何避免过拟合: L1, L2 and dropout against learning by heart.

A network with a weight for each of 5,000 words soon knows all sentences that it has read, and others no better for it.
L1 and L2 punish large weights, so that no word counts more than it must; dropout leaves out most units at random, so
that none can rely on another. What counts is the accuracy on sentences that the network has not read. The document's
third way, data augmentation, is 004_augmentation.py.
"""

import numpy as np
from data import QUICK, sentences

import dlbd
from dlbd import layers, regularizers

(x_train, y_train), (x_test, y_test) = sentences()
words = layers.TextVectorization(max_tokens=5000, output_mode="multi_hot")  # for each word whether it occurs
words.adapt(x_train)
x_train, x_test = (np.asarray(words(x)).astype(np.uint8) for x in (x_train, x_test))


def network(regularizer=None, dropout=0.0) -> dlbd.Sequential:
    return dlbd.Sequential(
        [
            dlbd.Input((x_train.shape[1],)),
            layers.Dense(64, activation="relu", kernel_regularizer=regularizer),
            layers.Dropout(dropout),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


found = {}
for name, made in {
    "nothing": network(),
    "L1, 1e-4 sum |w|": network(regularizers.L1(1e-4)),
    "L2, 1e-3 sum w^2": network(regularizers.L2(1e-3)),
    "dropout of 0.7": network(dropout=0.7),
}.items():
    made.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    made.fit(x_train, y_train, epochs=2 if QUICK else 12, batch_size=64, verbose=0)
    known, unknown = (made.evaluate(*rows, verbose=0)[1] for rows in ((x_train, y_train), (x_test, y_test)))
    found[name] = known, unknown
    print(f"{name:17} {known:7.2%} right of what it has read, {unknown:.2%} of the test")
