"""Projections of weights, with Keras's names and formulas. A layer's are applied after every update of its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlbd import lookup, ops
from dlbd.tensor import Tensor
from dlbd.tensor import as_float as _as_float

_EPSILON = 1e-7  # added to a norm that divides, as in Keras


class Constraint:
    """Base of all constraints: ``constraint(weight)`` gives the weight's new value, made by :mod:`dlbd.ops`.

    One of your own overrides ``__call__``; with constructor arguments also :meth:`get_config`. A function of the weight
    serves as well.

    Example:
        >>> class Centred(dlbd.constraints.Constraint):
        ...     def __call__(self, w):
        ...         return w - dlbd.ops.mean(w)
        >>> Centred()(dlbd.ops.convert_to_tensor([1.0, 3.0])).numpy().tolist()
        [-1.0, 1.0]
    """

    def __call__(self, w: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """The constraint that :meth:`get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class NonNeg(Constraint):
    """Negative weights become 0.

    Example:
        >>> dlbd.constraints.NonNeg()([[-1.0, 2.0]]).numpy().tolist()
        [[0.0, 2.0]]
    """

    def __call__(self, w: Any) -> Tensor:
        return ops.maximum(_as_float(w), 0)


class MinMaxNorm(Constraint):
    """Weights are scaled so that their norm becomes ``(1 - rate) norm + rate clip(norm, min_value, max_value)``.

    Args:
        min_value: 0 by default.
        max_value: 1 by default.
        rate: how far to go at once; 1 by default: all the way.
        axis: the axis, or several, along which a norm is taken: 0 (the default) for a dense kernel, (inputs, units),
            and (0, 1, 2) for the kernel of a 2-D convolution, so that each unit has its own.

    Raises:
        ValueError: (at the call) the weight has no such axis.

    Example:
        >>> dlbd.constraints.MinMaxNorm(max_value=10.0)([[3.0], [4.0]]).numpy().round(4).tolist()
        [[3.0], [4.0]]
        >>> dlbd.constraints.MinMaxNorm(max_value=1.0, rate=0.5)([[3.0], [4.0]]).numpy().round(4).ravel()
        array([1.8, 2.4], dtype=float32)
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Tensor:
        w = _as_float(w)
        norms = _norms(w, self.axis)
        wanted = ops.clip(norms, self.min_value, self.max_value)
        if self.rate != 1:
            wanted = wanted * self.rate + norms * (1 - self.rate)
        return ops.multiply(w, wanted / (norms + _EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


class MaxNorm(MinMaxNorm):
    """Weights with a norm above ``max_value`` are scaled down to it (Srivastava et al., 2014).

    Args:
        max_value: 2 by default.
        axis: as for :class:`MinMaxNorm`; 0 by default.

    Raises:
        ValueError: (at the call) the weight has no such axis.

    Example:
        >>> dlbd.constraints.MaxNorm(max_value=1.0)([[3.0, 0.1], [4.0, 0.2]]).numpy().round(4)
        array([[0.6, 0.1],
               [0.8, 0.2]], dtype=float32)
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        super().__init__(max_value=max_value, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(Constraint):
    """Weights are divided by their norm; zeros stay zeros.

    Args:
        axis: as for :class:`MinMaxNorm`; 0 by default.

    Raises:
        ValueError: (at the call) the weight has no such axis.

    Example:
        >>> dlbd.constraints.UnitNorm()([[3.0], [4.0]]).numpy().round(4).ravel()
        array([0.6, 0.8], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        w = _as_float(w)
        return ops.divide(w, _norms(w, self.axis) + _EPSILON)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


def _norms(w: Tensor, axis: int | Sequence[int]) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


# Keras's functions of the same names.
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm

_BY_NAME = lookup.by_name((MaxNorm, MinMaxNorm, NonNeg, UnitNorm))


def get(identifier: Any) -> Any:
    """The constraint that ``identifier`` means.

    Args:
        identifier: a constraint, a function or None (given back as it is); a name, "max_norm" or "MaxNorm"; a class; a
            dict ``{"class_name": ..., "config": {...}}``.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.constraints.get("max_norm")
        <MaxNorm {'max_value': 2, 'axis': 0}>
    """
    return lookup.find("constraint", Constraint, _BY_NAME, identifier)


def serialize(constraint: Any) -> Any:
    """A constraint as plain data, which :func:`deserialize` understands; a function becomes its name.

    Example:
        >>> dlbd.constraints.serialize(dlbd.constraints.UnitNorm())
        {'class_name': 'UnitNorm', 'config': {'axis': 0}}
    """
    return lookup.serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The constraint that :func:`serialize` wrote down.

    Args:
        config: what that gave.
        custom_objects: classes of your own by their names.

    Raises:
        ValueError: nothing has that name.

    Example:
        >>> dlbd.constraints.deserialize({"class_name": "UnitNorm", "config": {"axis": 1}})
        <UnitNorm {'axis': 1}>
    """
    return lookup.find("constraint", Constraint, {**_BY_NAME, **(custom_objects or {})}, config)


__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]
