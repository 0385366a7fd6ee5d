"""Cross-validation: how good a model is on rows that it was not trained on, and how much that depends on chance."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.source import Source
from dlbd.models.raw_rows import features_of


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What :func:`dlbd.data.cross_validate` gives; printed, it is a table.

    Attributes:
        scores: the loss and each metric: an array with a value per fold.
    """

    scores: dict[str, Array]

    @property
    def mean(self) -> dict[str, float]:
        """Over the folds."""
        return {name: float(values.mean()) for name, values in self.scores.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation between folds (the sample's, with k - 1)."""
        return {name: float(values.std(ddof=1)) for name, values in self.scores.items()}

    def __repr__(self) -> str:
        folds = len(next(iter(self.scores.values())))
        width = max(len("fold"), *map(len, self.scores))
        lines = ["fold".ljust(width) + "".join(f"{name:>10}" for name in (*range(1, folds + 1), "mean", "std"))]
        for name, values in self.scores.items():
            numbers = (*values, self.mean[name], self.std[name])
            lines.append(name.ljust(width) + "".join(f"{number:10.4g}" for number in numbers))
        return "\n".join(lines)


def cross_validate(
    build: Callable[[], Any],
    source: Source,
    k: int = 5,
    *,
    target: Any = None,
    features: Any = None,
    by: str | None = None,
    seed: int = 0,
    **fit_arguments: Any,
) -> CrossValidation:
    """Train and evaluate ``k`` models, each on its own fold of the rows, which the others are trained without.

    What is learned of the columns (means, categories, words) is learned anew from the rows that each model is trained
    on: nothing of a fold gets into the model that is evaluated on it. Rows are read as they are needed, in bounded
    memory.

    Args:
        build: gives a new, compiled model; called for each fold. Seed the initial weights in it where they are to
            be the same.
        source: all rows.
        k: how many folds, at least 2; 5 by default.
        target: the columns to predict, as in :meth:`dlbd.Model.fit`.
        features: how columns become inputs, as in :meth:`dlbd.Model.fit`; what they have learned is not used.
        by: a column: rows that are equal in it are in one fold, such as all of one patient. None (the default): the
            row's number decides, which needs an order of rows.
        seed: another one gives other folds; 0 by default.
        fit_arguments: more of :meth:`dlbd.Model.fit`, such as ``epochs`` and ``batch_size``; ``verbose`` is 0.

    Returns:
        A :class:`CrossValidation`.

    Raises:
        ValueError: ``build`` gives the same model again, a fold has no rows, or what ``fit`` does not take.

    Example:
        >>> rows = dlbd.data.open({"x": np.arange(200.0), "y": 2 * np.arange(200.0)})
        >>> def build():
        ...     dlbd.utils.set_random_seed(0)
        ...     model = dlbd.Sequential([dlbd.layers.Dense(1)])
        ...     model.compile(dlbd.optimizers.Adam(1.0), "mse", metrics=["r2_score"])
        ...     return model
        >>> result = dlbd.data.cross_validate(build, rows, k=4, target="y", epochs=100)
        >>> result.scores["r2_score"].shape, result.mean["r2_score"] > 0.9
        ((4,), True)
    """
    previous = None
    folds: list[dict[str, float]] = []
    for number, (train, held_out) in enumerate(source.k_folds(k, by=by, seed=seed), start=1):
        model = build()
        if not hasattr(model, "fit"):
            raise TypeError(f"build gives a compiled model; received {model!r}")
        if model is previous:
            raise ValueError("build gives the same model again, which has seen the other folds: make a new one in it")
        previous = model
        if not held_out.head(1).num_rows:
            raise ValueError(
                f"fold {number} of {k} has no rows: {source.name} has too few"
                + (f" different values in {by!r}" if by else "")
            )
        own = deepcopy(features_of(model) if features is None else features)
        if own is not None:
            own.adapt(train)
        model.fit(train, target=target, features=own, **{"verbose": 0, **fit_arguments})
        batch_size = fit_arguments.get("validation_batch_size", fit_arguments.get("batch_size"))
        limit = {name: fit_arguments[name] for name in ("memory_limit",) if name in fit_arguments}
        folds.append(model.evaluate(held_out, batch_size=batch_size, verbose=0, return_dict=True, **limit))
    return CrossValidation({name: np.array([fold[name] for fold in folds]) for name in folds[0]})
