"""Penalties on weights, with Keras's names and formulas. A layer's are added to the loss at every training step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dlbd import lookup, ops
from dlbd.tensor import Tensor
from dlbd.tensor import as_float as _as_float

_EPSILON = 1e-7  # the least length of a row, as in Keras


class Regularizer:
    """Base of all regularizers: ``regularizer(weight)`` gives a scalar tensor, made by :mod:`dlbd.ops`.

    One of your own overrides ``__call__``; with constructor arguments also :meth:`get_config`. A function of the weight
    serves as well.

    Example:
        >>> class Peak(dlbd.regularizers.Regularizer):
        ...     def __call__(self, x):
        ...         return dlbd.ops.max(abs(x))
        >>> float(Peak()(dlbd.ops.convert_to_tensor([1.0, -3.0])))
        3.0
    """

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(x)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """The regularizer that :meth:`get_config` describes."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class L1L2(Regularizer):
    """l1 sum(|w|) + l2 sum(w^2)

    Args:
        l1, l2: 0 or more; 0 by default, which leaves the term out.

    Raises:
        ValueError: a factor is negative, infinite or no number.

    Example:
        >>> float(dlbd.regularizers.L1L2(l1=1.0, l2=0.5)([3.0, -4.0]))  # 7 + 25 / 2
        19.5
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1, self.l2 = _factor("l1", l1, 0.0), _factor("l2", l2, 0.0)

    def __call__(self, x: Any) -> Tensor:
        if not self.l2:
            return ops.multiply(ops.sum(ops.absolute(x)), self.l1)
        squares = ops.multiply(ops.sum(ops.square(x)), self.l2)
        return ops.add(ops.multiply(ops.sum(ops.absolute(x)), self.l1), squares) if self.l1 else squares

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 sum(|w|): drives weights to exactly zero (lasso; Tibshirani, 1996).

    Args:
        l1: 0 or more; 0.01 by default.

    Raises:
        ValueError: ``l1`` is negative, infinite or no number.

    Example:
        >>> round(float(dlbd.regularizers.L1()([3.0, -4.0])), 4)
        0.07
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=_factor("l1", l1, 0.01))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 sum(w^2), without a half: keeps weights small (ridge; Hoerl and Kennard, 1970).

    Args:
        l2: 0 or more; 0.01 by default.

    Raises:
        ValueError: ``l2`` is negative, infinite or no number.

    Example:
        >>> float(dlbd.regularizers.L2()([3.0, -4.0]))
        0.25
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=_factor("l2", l2, 0.01))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean of |cos| of the angles between every two rows (or columns) of a matrix.

    Args:
        factor: 0 or more; 0.01 by default.
        mode: "rows" (the default) or "columns": which of them are to be orthogonal.

    Raises:
        ValueError: ``factor`` is negative, infinite or no number, ``mode`` is unknown, or (at the call) the weight is
            no matrix.

    Example:
        >>> regularizer = dlbd.regularizers.OrthogonalRegularizer(factor=1.0)
        >>> float(regularizer([[1.0, 0.0], [0.0, 2.0]])), float(regularizer([[1.0, 0.0], [2.0, 0.0]]))
        (0.0, 1.0)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("factor", factor, 0.01)
        if mode not in ("rows", "columns"):
            raise ValueError(f'[orthogonal_regularizer] mode must be "rows" or "columns"; received {mode!r}')
        self.mode = mode

    def __call__(self, x: Any) -> Tensor:
        x = _as_float(x)
        if x.ndim != 2:
            raise ValueError(f"[orthogonal_regularizer] the weight must be a matrix; received shape {x.shape}")
        if self.mode == "columns":
            x = ops.transpose(x)
        lengths = ops.sum(ops.square(x), axis=1, keepdims=True)
        rows = x * ops.rsqrt(ops.maximum(lengths, _EPSILON**2))
        n = x.shape[0]
        cosines = ops.matmul(rows, ops.transpose(rows)) * (1.0 - ops.eye(n, dtype=x.dtype))
        return ops.multiply(ops.sum(ops.absolute(cosines)), self.factor / max(n * (n - 1), 1))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


def _factor(name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"[regularizer] {name} must be a number, 0 or more; received {value!r}")
    return float(value)


# Keras's functions of the same names.
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

_BY_NAME = lookup.by_name((L1, L2, L1L2, OrthogonalRegularizer)) | {"l1_l2": L1L2}


def get(identifier: Any) -> Any:
    """The regularizer that ``identifier`` means.

    Args:
        identifier: a regularizer, a function or None (given back as it is); a name, "l2" or "L2"; a class; a dict
            ``{"class_name": ..., "config": {...}}``.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.regularizers.get("l2")
        <L2 {'l2': 0.01}>
    """
    return lookup.find("regularizer", Regularizer, _BY_NAME, identifier)


def serialize(regularizer: Any) -> Any:
    """A regularizer as plain data, which :func:`deserialize` understands; a function becomes its name.

    Example:
        >>> dlbd.regularizers.serialize(dlbd.regularizers.L2(0.5))
        {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    return lookup.serialize(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The regularizer that :func:`serialize` wrote down.

    Args:
        config: what that gave.
        custom_objects: classes of your own by their names.

    Raises:
        ValueError: nothing has that name.

    Example:
        >>> dlbd.regularizers.deserialize({"class_name": "L2", "config": {"l2": 0.5}})
        <L2 {'l2': 0.5}>
    """
    return lookup.find("regularizer", Regularizer, {**_BY_NAME, **(custom_objects or {})}, config)


__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]
