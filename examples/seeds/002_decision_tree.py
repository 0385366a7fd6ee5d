"""Seed 002, sections 3.3 and 3.5, 决策树的信息增益: a decision tree, and its like, beside a network of dlbd.

One Source, one split, one metric: a tree and a support vector machine of scikit-learn and a network learn the species
of penguins from the same arrays. The document's formula, Gain(S) = sum_i |S_i| / |S| Gain(S_i), says nothing: the gain
of a question is the entropy before it less that of the answers, H(S) - sum_i |S_i| / |S| H(S_i). The tree's first
question has the largest gain of all.
"""

import numpy as np
import pandas as pd
from data import QUICK, SEED, penguins
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, export_text

import dlbd
from dlbd import layers, metrics
from dlbd.data import Category, Features, Number
from dlbd.sklearn import Classifier

MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
rows = dlbd.data.open(pd.read_csv(penguins()))
train, test = rows.split(train=0.8, test=0.2, seed=SEED)

features = Features(
    [*(Number(name, missing="mean", scale="standard") for name in MEASURES), Category("sex")], "species"
)
features.adapt(train)
x, y = features.to_numpy(train)
x_test, y_test = features.to_numpy(test)


def network() -> dlbd.Sequential:
    hidden, top = layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")
    made = dlbd.Sequential([dlbd.Input(features.input_shape), hidden, top])
    made.compile("adam", "sparse_categorical_crossentropy")
    return made


tree = DecisionTreeClassifier(criterion="entropy", max_depth=3, random_state=SEED)
estimators = {
    "decision tree": tree,
    "support vector machine": SVC(),
    "network": Classifier(network, epochs=5 if QUICK else 60, random_state=SEED),
}
found = {}
for name, estimator in estimators.items():
    estimator.fit(x, y)
    accuracy = metrics.Accuracy()
    accuracy.update_state(y_test, estimator.predict(x_test))
    found[name] = float(accuracy.result())
    print(f"{name:22} {found[name]:.2%} of {len(y_test)} right")


def entropy(labels: np.ndarray) -> float:
    """H(S) = - sum_k p_k log2(p_k), with the share p_k of class k: 0 where all are alike."""
    p = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(p * np.log2(p)).sum())


def gain(answers: np.ndarray) -> float:
    """H(S) - sum_i |S_i| / |S| H(S_i), for the parts S_i that have the same answer."""
    return entropy(y) - sum((answers == a).mean() * entropy(y[answers == a]) for a in np.unique(answers))


def best_gain(column: np.ndarray) -> float:
    """Of the questions "is it at most t?", t between two values."""
    values = np.unique(column)
    return max((gain(column <= t) for t in (values[:-1] + values[1:]) / 2), default=0.0)


names = [*MEASURES, *(f"sex {i}" for i in range(x.shape[1] - len(MEASURES)))]
gains = {name: best_gain(x[:, i]) for i, name in enumerate(names)}
for name in sorted(gains, key=gains.__getitem__, reverse=True):
    print(f"  {name:20} {gains[name]:.3f} bits")
print(export_text(tree, feature_names=names, class_names=features.classes))
