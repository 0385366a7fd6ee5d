"""Seed 001, question 7.6, 如何评估深度学习模型的性能: accuracy, recall and F1 by cross-validation over K folds.

``dlbd.sklearn.Classifier`` makes a scikit-learn estimator of a network, and scikit-learn's cross-validation trains and
judges it K times, each time on a fold that it has not seen: the mean says how good it is, the spread how sure that is.
"""

import numpy as np
from data import QUICK, SEED
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.tree import DecisionTreeClassifier

import dlbd
from dlbd import layers
from dlbd.sklearn import Classifier

x, y = load_digits(return_X_y=True)
if QUICK:
    x, y = x[:600], y[:600]
print(f"data: {len(x):,} of scikit-learn's 8x8 digits")


def network(n_features_in_: int, n_classes_: int) -> dlbd.Sequential:
    return dlbd.Sequential(
        [
            dlbd.Input((n_features_in_,)),
            layers.Rescaling(1 / 16),
            layers.Dense(64, activation="relu"),
            layers.Dense(n_classes_, activation="softmax"),
        ]
    )


folds = StratifiedKFold(3 if QUICK else 5, shuffle=True, random_state=SEED)
scores = {}
for name, estimator in {
    "network": Classifier(network, epochs=3 if QUICK else 30, random_state=SEED),
    "decision tree": DecisionTreeClassifier(random_state=SEED),
}.items():
    found = cross_validate(estimator, x, y, cv=folds, scoring=("accuracy", "recall_macro", "f1_macro"))
    scores[name] = {key.removeprefix("test_"): found[key] for key in found if key.startswith("test_")}
    figures = [f"{key} {np.mean(values):.3f} +- {np.std(values):.3f}" for key, values in scores[name].items()]
    print(f"{name:14} {', '.join(figures)}")
