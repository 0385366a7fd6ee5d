"""Metric: a number that is gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import backend, ops
from dlbd.backend import FLOAT32, FLOAT64, Array
from dlbd.initializers import get as get_initializer
from dlbd.naming import snake_case
from dlbd.ops import metrics as launches
from dlbd.saving.registration import get_registered_name, get_registered_object
from dlbd.tensor import Tensor, Variable


class Metric(backend.Versioned):
    """Base of all metrics. One of your own makes variables with :meth:`add_variable`, and defines :meth:`update_state`
    and :meth:`result`.

    Calling a metric updates it and gives the result so far. ``fit`` records the launches of :meth:`update_state` with
    the step: it must not read values on the host, :meth:`result` may.

    Args:
        dtype: taken for Keras's sake.
        name: the key in ``History.history``; made from the class name by default.

    Example:
        >>> class Largest(dlbd.metrics.Metric):
        ...     def __init__(self, name="largest"):
        ...         super().__init__(name=name)
        ...         self.value = self.add_variable((), "zeros", name="value")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.value.assign(dlbd.ops.maximum(self.value, dlbd.ops.max(y_pred)))
        ...     def result(self):
        ...         return self.value
        >>> float(Largest()([[0.0]], [[3.0]]))
        3.0
    """

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = dtype
        self._variables: list[Variable] = []

    def add_variable(
        self, shape: Sequence[int] = (), initializer: Any = "zeros", dtype: Any = None, name: str = "variable"
    ) -> Variable:
        """State that :meth:`reset_state` sets to zero.

        Args:
            shape: a scalar by default.
            initializer: name or initializer of its first value; "zeros" by default.
            dtype: float32 by default.
            name: "variable" by default.
        """
        make = get_initializer(initializer) or get_initializer("zeros")
        assert make is not None
        variable = Variable(make(tuple(shape), dtype or FLOAT32), trainable=False, dtype=dtype, name=name)
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Sequence[int] = (), initializer: Any = "zeros", dtype: Any = None, name: str = "variable"
    ) -> Variable:
        """Keras's other name of :meth:`add_variable`."""
        return self.add_variable(shape, initializer, dtype, name)

    @property
    def variables(self) -> list[Variable]:
        """The state."""
        return list(self._variables)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Count a batch, usually (y_true, y_pred, sample_weight=None)."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state()")

    def result(self) -> Any:
        """The value so far: a scalar, or an array where the metric says so."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def reset_state(self) -> None:
        """Start anew: all state is 0."""
        for v in self._variables:
            v.assign(np.zeros(v.shape))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """A new metric, without state, as :meth:`get_config` describes it."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class MeanState(Metric):
    """A weighted mean: its sum and weight lie in :attr:`state`, and an update is a launch that can be recorded."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype=dtype, name=name)
        self.state: Array = backend.zeros((2,), FLOAT64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "state": backend.copied(self.state)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, state=backend.place(state["state"]))

    def reset_state(self) -> None:
        super().reset_state()
        backend.write(self.state, 0.0)

    @property
    def variables(self) -> list[Variable]:
        """Copies of sum and weight."""
        return [
            Variable(float(x), trainable=False, name=n)
            for x, n in zip(backend.on_host(self.state), ("total", "count"), strict=True)
        ]

    def result(self) -> Tensor:
        """The mean so far; 0 where nothing was counted."""
        if backend.is_recording():
            return mean_of(self.state)
        total, weight = backend.on_host(self.state)
        return as_result(total / weight if weight else 0.0)


def mean_of(state: Array) -> Tensor:
    """The mean that :class:`MeanState` keeps in ``state``, by launches: for a step that returns it."""
    total, weight = Tensor(state)[0], Tensor(state)[1]
    return ops.cast(ops.divide(total, ops.where(ops.equal(weight, 0), 1, weight)), FLOAT32)


def as_result(value: Any) -> Tensor:
    """What a metric gives, on the CPU: it was read there, and is read there again."""
    return Tensor(np.array(value, FLOAT32, order="C"))


def ratio(part: Any, whole: Any) -> Any:
    """``part / whole``, and 0 where ``whole`` is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.not_equal(whole, 0))


class Mean(MeanState):
    """The mean of all values seen, each with a weight of its own or of its sample.

    Args:
        name: "mean" by default.
        dtype: taken for Keras's sake: sums are float64, the result is float32.

    Example:
        >>> metric = dlbd.metrics.Mean()
        >>> metric.update_state([1.0, 3.0])
        >>> metric.update_state([5.0], sample_weight=[2.0])
        >>> float(metric.result())  # (1 + 3 + 2 * 5) / 4
        3.5
    """

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        launches.add("value", None, values, self.state, sample_weight=sample_weight)

    def add_loss(self, total: Tensor, count: Tensor, batch: int) -> None:
        """Count a batch's loss as ``fit`` does: ``total / count``, weighted by the number of samples."""
        launches.add_loss(total, count, batch, self.state)


class Sum(MeanState):
    """The sum of all values seen, times their weights.

    Args:
        name: "sum" by default.
        dtype: taken for Keras's sake: the sum is float64, the result is float32.

    Example:
        >>> metric = dlbd.metrics.Sum()
        >>> metric.update_state([1.0, 3.0], sample_weight=[1.0, 2.0])
        >>> float(metric.result())
        7.0
    """

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        launches.add("value", None, values, self.state, sample_weight=sample_weight)

    def result(self) -> Tensor:
        backend.poison("a metric was read on the host inside the step")
        return as_result(backend.on_host(self.state)[0])


class MeanMetricWrapper(MeanState):
    """The mean of ``fn(y_true, y_pred)``, which gives one value per sample.

    Args:
        fn: the function.
        name: its name unless given.
        dtype: taken for Keras's sake: the result is float32.
        kwargs: passed on to it.

    Example:
        >>> metric = dlbd.metrics.MeanMetricWrapper(lambda y_true, y_pred: abs(y_pred - y_true), name="gap")
        >>> metric.update_state(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        >>> float(metric.result())
        1.0
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", "metric"), dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        launches.add("value", None, values, self.state, sample_weight=sample_weight, mask=mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": get_registered_name(self._fn), **self._fn_kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """A new metric; its function is one of :mod:`dlbd.metrics`, or registered under the name in ``config``."""
        name = config.get("fn")
        if not isinstance(name, str):
            return cls(**config)
        from dlbd import metrics

        function = get_registered_object(name) or (getattr(metrics, name) if name in metrics.__all__ else None)
        if function is None:
            raise ValueError(f"[metric] {name!r} is no function of dlbd.metrics, and is not registered")
        return cls(**{**config, "fn": function})
