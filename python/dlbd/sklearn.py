"""Models as scikit-learn estimators: in pipelines, ``cross_validate`` and ``GridSearchCV`` like any other.

Needs scikit-learn 1.6 or later (the extra ``sklearn``).
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlbd import random
from dlbd.models import Model

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(f"dlbd.sklearn needs scikit-learn 1.6 or later ({error}): pip install 'dlbd[sklearn]'") from error

_KWARGS = "model_kwargs__"


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What Classifier and Regressor share."""

    def __init__(
        self,
        model: Model | Callable[..., Model],
        *,
        model_kwargs: Mapping[str, Any] | None = None,
        optimizer: Any = "adam",
        loss: Any = None,
        epochs: int = 10,
        batch_size: int = 32,
        fit_kwargs: Mapping[str, Any] | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: Any = 0,
    ) -> None:
        self.model = model
        self.model_kwargs = model_kwargs
        self.optimizer = optimizer
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.fit_kwargs = fit_kwargs
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; with ``deep`` those of the builder too, as ``model_kwargs__<name>``."""
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep and isinstance(self.model_kwargs, Mapping):
            params |= {_KWARGS + name: value for name, value in self.model_kwargs.items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``model_kwargs__<name>`` sets one argument of the builder."""
        of_builder = {key: params.pop(key) for key in list(params) if key.startswith(_KWARGS)}
        super().set_params(**params)
        if of_builder:
            changed = {key.removeprefix(_KWARGS): value for key, value in of_builder.items()}
            self.model_kwargs = {**(self.model_kwargs or {}), **changed}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        return tags

    def _fit(self, x: Any, y: Any, sample_weight: Any, sizes: dict[str, int]) -> Any:
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, x, dtype=np.float32)
        with self._seeded():
            if not (self.warm_start and hasattr(self, "model_")):
                self.model_ = self._made_model(x, y, sizes)
            options = {"epochs": self.epochs, "batch_size": self.batch_size, "verbose": self.verbose}
            self.history_ = self.model_.fit(
                x, y, sample_weight=sample_weight, **(options | dict(self.fit_kwargs or {}))
            )
        self.n_iter_ = len(self.history_.epoch)
        return self

    def _seeded(self) -> Any:
        """The process's generator is left as it was when the estimator has a seed of its own."""
        if self.random_state is None:
            return contextlib.nullcontext()
        return random.seeded(int(check_random_state(self.random_state).randint(2**31 - 1)))

    def _made_model(self, x: Any, y: Any, sizes: dict[str, int]) -> Model:
        """A new model from the builder, or a copy of the one that was given; compiled."""
        if isinstance(self.model, Model):
            if self.model_kwargs:
                raise ValueError(f"model_kwargs are for a function that builds the model; received {self.model!r}")
            model = copy.deepcopy(self.model)
        elif callable(self.model):
            known = {"X": x, "y": y, "n_features_in_": self.n_features_in_, **sizes}
            model = self.model(**_accepted(self.model, known), **(self.model_kwargs or {}))
            if not isinstance(model, Model):
                raise TypeError(f"the function that builds the model gave {type(model).__name__}, which is no Model")
        else:
            raise TypeError(f"model is a dlbd.Model or a function that builds one; received {self.model!r}")
        if model.optimizer is None:
            model.compile(copy.deepcopy(self.optimizer), self.loss or self._usual_loss(model, x))
        return model

    def _usual_loss(self, model: Model, x: Any) -> Any:
        raise NotImplementedError

    def _outputs(self, x: Any) -> Any:
        check_is_fitted(self)
        x = validate_data(self, x, reset=False, dtype=_NUMBERS, allow_nd=True)
        return self.model_.predict(x, batch_size=max(self.batch_size, 256))


_NUMBERS = [np.float32, np.float64, np.uint8, np.int32, np.int64]


def _accepted(builder: Callable[..., Any], known: dict[str, Any]) -> dict[str, Any]:
    """Of what there is to know, what the builder has parameters for."""
    parameters = inspect.signature(builder).parameters
    return {name: value for name, value in known.items() if name in parameters}


class Classifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A model that tells classes apart, as a scikit-learn classifier. Labels may be numbers or names.

    Args:
        model: a function that builds the model, or a :class:`dlbd.Model`, of which each fit trains a copy, from the
            weights that it has. The function may take any of ``n_features_in_``, ``n_classes_``, ``X`` and ``y`` (class
            numbers) by name, besides ``model_kwargs``. The model gives probabilities: (batch, classes) after a softmax,
            or for two classes (batch, 1) after a sigmoid.
        model_kwargs: arguments of the function; ``model_kwargs__units`` in ``set_params`` and in grids is one of them.
        optimizer: used if the model is not compiled; "adam" by default.
        loss: used if the model is not compiled; by default binary cross-entropy for (batch, 1), else sparse categorical
            cross-entropy.
        epochs: 10 by default.
        batch_size: 32 by default.
        fit_kwargs: more arguments of :meth:`dlbd.Model.fit`: callbacks, ``validation_split``, ``class_weight``, ...
        warm_start: whether another ``fit`` goes on with the model of the one before.
        random_state: a number makes every fit the same; None (the default) draws on.
        verbose: 0 by default.

    Attributes:
        classes_: the labels, sorted.
        n_classes_: how many they are.
        n_features_in_: size of the second axis of X.
        model_: the trained model.
        history_: the :class:`dlbd.callbacks.History` of ``fit``.
        n_iter_: the number of epochs that were run.

    Example:
        >>> from sklearn.model_selection import cross_val_score
        >>> def mlp(n_features_in_, n_classes_, units=16):
        ...     return dlbd.Sequential(
        ...         [
        ...             dlbd.Input((n_features_in_,)),
        ...             dlbd.layers.Dense(units, "relu"),
        ...             dlbd.layers.Dense(n_classes_, "softmax"),
        ...         ]
        ...     )
        >>> x = np.random.default_rng(0).normal(size=(90, 2)) + np.repeat([[0, 5], [5, 0], [-5, -5]], 30, axis=0)
        >>> names = np.repeat(["north", "east", "south-west"], 30)
        >>> from dlbd.sklearn import Classifier
        >>> adam = dlbd.optimizers.Adam(0.05)
        >>> classifier = Classifier(mlp, model_kwargs={"units": 8}, optimizer=adam, random_state=0)
        >>> scores = cross_val_score(classifier, x, names)
        >>> bool(scores.mean() > 0.9)
        True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train.

        Args:
            X: (samples, features), or with more axes for images and sequences.
            y: (samples,): labels.
            sample_weight: (samples,); None for 1.

        Returns:
            The estimator.

        Raises:
            ValueError: X or y is not what is asked for, or there is only one class.
        """
        X, y = validate_data(self, X, y, dtype=_NUMBERS, allow_nd=True)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.n_classes_ = len(self.classes_)
        if self.n_classes_ < 2:
            raise ValueError(f"Classifier needs at least two classes; y has 1 class, {self.classes_.tolist()}")
        return self._fit(X, numbers, sample_weight, {"n_classes_": self.n_classes_})

    def _usual_loss(self, model: Model, x: Any) -> Any:
        width = model.predict(x[:1]).shape[-1]
        if width != self.n_classes_ and (width, self.n_classes_) != (1, 2):
            raise ValueError(f"the model gives {width} numbers for {self.n_classes_} classes")
        return "binary_crossentropy" if width == 1 else "sparse_categorical_crossentropy"

    def predict_proba(self, X: Any) -> Any:
        """The classes' probabilities: float32, (samples, classes), in the order of ``classes_``."""
        outputs = self._outputs(X)
        if outputs.shape[-1] == 1 and self.n_classes_ == 2:
            outputs = outputs.reshape(-1, 1)
            return np.hstack([1 - outputs, outputs])
        return outputs

    def predict(self, X: Any) -> Any:
        """The likeliest class of each sample."""
        numbers = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[numbers]


class Regressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A model that gives numbers, as a scikit-learn regressor.

    Args:
        model: as for :class:`Classifier`; the function may take ``n_outputs_`` in place of ``n_classes_``. The model
            gives (batch, outputs).
        loss: used if the model is not compiled; "mse" by default.
        model_kwargs, optimizer, epochs, batch_size, fit_kwargs, warm_start, random_state, verbose: as for
            :class:`Classifier`.

    Attributes:
        n_outputs_: how many numbers each sample has in y.
        n_features_in_, model_, history_, n_iter_: as for :class:`Classifier`.

    Example:
        >>> from dlbd.sklearn import Regressor
        >>> x = np.linspace(-1, 1, 64)[:, None]
        >>> model = dlbd.Sequential([dlbd.Input((1,)), dlbd.layers.Dense(1)])
        >>> regressor = Regressor(model, optimizer=dlbd.optimizers.SGD(0.5), epochs=20, random_state=0)
        >>> regressor.fit(x, 3 * x[:, 0] + 1).predict([[2.0]]).round(2).tolist()
        [7.0]
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train.

        Args:
            X: (samples, features), or with more axes for images and sequences.
            y: (samples,) or (samples, outputs).
            sample_weight: (samples,); None for 1.

        Returns:
            The estimator.

        Raises:
            ValueError: X or y is not what is asked for.
        """
        X, y = validate_data(self, X, y, dtype=_NUMBERS, allow_nd=True, multi_output=True, y_numeric=True)
        y = np.asarray(y, np.float32)
        self._flat = y.ndim == 1
        if self._flat:
            y = y[:, None]
        self.n_outputs_ = y.shape[1]
        return self._fit(X, y, sample_weight, {"n_outputs_": self.n_outputs_})

    def _usual_loss(self, model: Model, x: Any) -> Any:
        width = model.predict(x[:1]).shape[-1]
        if width != self.n_outputs_:
            raise ValueError(f"the model gives {width} numbers for {self.n_outputs_} in each row of y")
        return "mse"

    def predict(self, X: Any) -> Any:
        """The numbers for each sample: float64, as of all regressors, in the shape that y had."""
        outputs = self._outputs(X).astype(np.float64)
        return outputs[:, 0] if self._flat else outputs


__all__ = ["Classifier", "Regressor"]
